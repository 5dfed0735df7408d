/** ioredis, plain or with its auto-pipelining. */
import { Redis } from 'ioredis'
import type { Contender } from './contender.ts'
import { gets, type RespSetup } from './resp-gets.ts'

export async function open(setup: RespSetup & { readonly autoPipelining: boolean }): Promise<Contender> {
  const client = new Redis({ host: '127.0.0.1', port: setup.port, enableAutoPipelining: setup.autoPipelining, lazyConnect: true })
  await client.connect()
  return gets(
    (key) => client.get(key),
    setup,
    async () => client.disconnect(),
  )
}
