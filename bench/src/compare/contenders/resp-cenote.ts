/** Cenote against Redis: one shard, one connection. */
import { createPool, resp } from '@cenote/pool-core'
import type { Contender } from './contender.ts'
import { gets, type RespSetup } from './resp-gets.ts'

/** `pipelining` is the number of callers: the other clients have no limit. */
export async function open(setup: RespSetup): Promise<Contender> {
  const endpoint = `tcp://127.0.0.1:${setup.port}`
  const pool = await createPool({ endpoint, protocol: resp(), shards: 1, maxConnections: 1, pipelining: setup.callers })
  return gets(
    (key) => pool.request(['GET', key]),
    setup,
    () => pool.close(),
  )
}
