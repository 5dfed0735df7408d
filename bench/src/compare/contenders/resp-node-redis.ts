/** `@redis/client`: one client, or its pool with the pool's defaults. */
import { createClient, createClientPool } from '@redis/client'
import type { Contender } from './contender.ts'
import { gets, type RespSetup } from './resp-gets.ts'

export async function open(setup: RespSetup & { readonly pool: boolean }): Promise<Contender> {
  const socket = { host: '127.0.0.1', port: setup.port }
  const client = setup.pool ? createClientPool({ socket }) : createClient({ socket })
  await client.connect()
  return gets(
    (key) => client.get(key),
    setup,
    async () => client.destroy(),
  )
}
