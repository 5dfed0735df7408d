/** `lease.stream()` of a pool with one shard. */
import { createPool } from '@cenote/pool-core'
import type { Contender } from './contender.ts'
import { bulk, type StreamSetup } from './stream-bulk.ts'

export async function open({ port }: StreamSetup): Promise<Contender> {
  const pool = await createPool({ endpoint: `tcp://127.0.0.1:${port}`, shards: 1, maxConnections: 1 })
  return bulk(
    async () => (await pool.acquire()).stream(),
    () => pool.close(),
  )
}
