/** Cenote: documents are parsed and reduced by a handler, next to the socket. */
import { createPool, handlersAt, lengthPrefixed } from '@cenote/pool-core'
import type { Contender } from './contender.ts'
import { type CpuSetup, summaries } from './cpu-work.ts'

/** @param setup.handlers - Where the user's code is, as built. */
export async function open(setup: CpuSetup & { readonly handlers: string }): Promise<Contender> {
  const pool = await createPool({
    endpoint: `tcp://127.0.0.1:${setup.port}`,
    protocol: lengthPrefixed(),
    handlers: handlersAt<typeof import('../../order-handlers.ts')>(new URL(setup.handlers)),
    shards: setup.shards,
    maxConnections: setup.connections,
  })
  return summaries(
    (document) => pool.handlers.orders(document),
    setup,
    () => pool.close(),
  )
}
