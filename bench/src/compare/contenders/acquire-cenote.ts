/** Cenote: `acquire`, awaited, or `tryAcquire`. */
import { createPool, type Lease } from '@cenote/pool-core'
import { type AcquireSetup, pairs } from './acquire.ts'
import type { Contender } from './contender.ts'

export async function open(setup: AcquireSetup & { readonly shards: number; readonly how: 'acquire' | 'tryAcquire' }): Promise<Contender> {
  const pool = await createPool({ endpoint: `tcp://127.0.0.1:${setup.port}`, shards: setup.shards, maxConnections: setup.connections })
  const opened = await Promise.all(Array.from({ length: setup.connections }, () => pool.acquire()))
  for (const lease of opened) lease.release()
  const awaited = async (count: number): Promise<void> => {
    for (let pair = 0; pair < count; pair++) (await pool.acquire()).release()
  }
  const tried = (count: number): void => {
    for (let pair = 0; pair < count; pair++) taken(pool.tryAcquire()).release()
  }
  return pairs(setup.how === 'acquire' ? awaited : tried, () => pool.close())
}

function taken(lease: Lease<never, never> | undefined): Lease<never, never> {
  if (lease === undefined) throw new Error('no connection was idle')
  return lease
}
