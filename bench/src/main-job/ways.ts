/** The three ways to do the job. */
import { createPool, handlersAt, resp } from '@cenote/pool-core'
import { Redis } from 'ioredis'
import { Piscina } from 'piscina'
import { type Statistics, summarise } from '../places.ts'
import { clientOptions } from './library.ts'
import { printTarget, type Target } from './target.ts'

/** `cenote`: (a); `piscina`: (b); `main`: (c). */
export type WayName = 'cenote' | 'piscina' | 'main'

/** One way, ready to work. */
export interface Way {
  /** Does the job for one document. */
  run(key: string): Promise<Statistics>
  close(): Promise<void>
}

const THREADS = 2

/** Opens a way. `userCode` is the module with the user's functions, built. */
export function openWay(name: WayName, target: Target, userCode: URL): Promise<Way> {
  switch (name) {
    case 'cenote':
      return openCenote(target, userCode)
    case 'piscina':
      return openPiscina(target, userCode)
    case 'main':
      return openMain(target)
  }
}

/** (a) Sockets, parsing and the user's code in the shards. */
async function openCenote(target: Target, userCode: URL): Promise<Way> {
  const { username, password, database } = target
  const pool = await createPool({
    endpoint: `tcp://${printTarget(target)}`,
    protocol: resp({ username, password, database }),
    handlers: handlersAt<typeof import('../places.ts')>(userCode),
    shards: THREADS,
  })
  return { run: (key) => pool.handlers.statistics(key), close: () => pool.close() }
}

/** (b) What people do today: the client on the main thread, each document handed to a worker thread. */
async function openPiscina(target: Target, userCode: URL): Promise<Way> {
  const client = await connect(target)
  const workers = new Piscina<string, Statistics>({ filename: userCode.href, name: 'summarise', minThreads: THREADS, maxThreads: THREADS })
  return {
    run: async (key) => await workers.run(await fetchDocument(client, key)),
    async close() {
      client.disconnect()
      await workers.destroy()
    },
  }
}

/** (c) Everything on the main thread. */
async function openMain(target: Target): Promise<Way> {
  const client = await connect(target)
  return { run: async (key) => summarise(await fetchDocument(client, key)), close: async () => client.disconnect() }
}

async function connect(target: Target): Promise<Redis> {
  const client = new Redis({ ...clientOptions(target), lazyConnect: true })
  await client.connect()
  return client
}

async function fetchDocument(client: Redis, key: string): Promise<string> {
  const document = await client.get(key)
  if (document === null) throw new Error(`the document ${key} is gone`)
  return document
}
