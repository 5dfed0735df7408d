/** The clients that are compared, each with one connection, all with strings on both sides. */
import { createPool, resp } from '@cenote/pool-core'
import { createClient } from '@redis/client'
import { Redis } from 'ioredis'

/** Who takes part. */
export type ClientName = 'cenote' | 'ioredis' | 'node-redis'

/** A client, connected. */
export interface Client {
  get(key: string): Promise<unknown>
  set(key: string, value: string): Promise<unknown>
  close(): Promise<void>
}

const HOST = '127.0.0.1'

/** Connects a client. `callers` is how many requests it will have in flight. */
export function openClient(name: ClientName, port: number, callers: number): Promise<Client> {
  switch (name) {
    case 'cenote':
      return openCenote(port, callers)
    case 'ioredis':
      return openIoredis(port)
    case 'node-redis':
      return openNodeRedis(port)
  }
}

async function openCenote(port: number, callers: number): Promise<Client> {
  const pool = await createPool({ endpoint: `tcp://${HOST}:${port}`, protocol: resp(), shards: 1, maxConnections: 1, pipelining: callers })
  return { get: (key) => pool.request(['GET', key]), set: (key, value) => pool.request(['SET', key, value]), close: () => pool.close() }
}

async function openIoredis(port: number): Promise<Client> {
  const client = new Redis({ host: HOST, port, enableAutoPipelining: true, lazyConnect: true })
  await client.connect()
  return { get: (key) => client.get(key), set: (key, value) => client.set(key, value), close: async () => client.disconnect() }
}

async function openNodeRedis(port: number): Promise<Client> {
  const client = createClient({ socket: { host: HOST, port } })
  await client.connect()
  return { get: (key) => client.get(key), set: (key, value) => client.set(key, value), close: async () => client.destroy() }
}
