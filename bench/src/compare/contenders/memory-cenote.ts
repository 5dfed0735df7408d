/** What idle connections of Cenote's weigh, in all threads. */
import { createPool, handlersAt, lengthPrefixed } from '@cenote/pool-core'
import { threadMemory } from '../../measure/thread-memory.ts'
import type { Contender } from './contender.ts'
import { type MemorySetup, memoryOf } from './memory-work.ts'
import { openAll } from './scale-opening.ts'

/** @param setup.handlers - A module whose handler tells the memory of the shard's thread. */
export async function open(setup: MemorySetup & { readonly handlers: string; readonly shards: number }): Promise<Contender> {
  const { port, connections, handlers, shards } = setup
  const pool = await createPool({
    endpoint: `tcp://127.0.0.1:${port}`,
    protocol: lengthPrefixed(),
    handlers: handlersAt<typeof import('../../memory-handlers.ts')>(new URL(handlers)),
    shards,
    maxConnections: connections,
    minConnections: 1,
  })
  const memory = async () => {
    const shard = await pool.handlers.memory(undefined)
    return (await threadMemory()) + (shards === 0 ? 0 : shard)
  }
  return memoryOf(
    memory,
    () => openAll(pool, connections),
    setup,
    () => pool.close(),
  )
}
