/** Puts the documents into the server, and takes them out again. */
import { Redis } from 'ioredis'
import { UsageError } from '../process/command.ts'
import type { Documents } from './documents.ts'
import { printTarget, type Target } from './target.ts'

const CONNECT_TIMEOUT_MS = 3_000

/** The documents in a server, under a prefix that no one else uses. */
export class Library {
  /** The documents' keys, the largest document first. */
  readonly keys: readonly string[]
  #target: Target
  #documents: Documents
  #client: Redis | undefined

  constructor(target: Target, documents: Documents) {
    const prefix = `cenote-bench:${process.pid.toString(36)}${Date.now().toString(36)}:`
    this.#target = target
    this.#documents = documents
    this.keys = documents.documents.map(({ country }) => prefix + country)
  }

  /**
   * Stores all documents.
   *
   * @throws UsageError that names the server when it cannot be reached or refuses.
   */
  async store(): Promise<void> {
    this.#client = await connect(this.#target)
    try {
      for (const [index, { text }] of this.#documents.documents.entries()) await this.#client.set(this.keys[index] ?? '', text)
    } catch (cause) {
      throw new UsageError(`${printTarget(this.#target)} does not store the documents: ${reason(cause)}`)
    } finally {
      this.#client.disconnect()
    }
  }

  /** Removes every key. Ends a `store` that is still at work. */
  async remove(): Promise<void> {
    if (this.#client === undefined) return // nothing was stored
    this.#client.disconnect()
    const client = await connect(this.#target)
    await client.del(...this.keys).finally(() => client.disconnect())
  }
}

async function connect(target: Target): Promise<Redis> {
  const client = new Redis({ ...clientOptions(target), lazyConnect: true, connectTimeout: CONNECT_TIMEOUT_MS, retryStrategy: () => null })
  let last: unknown
  client.on('error', (error: unknown) => {
    last = error
  })
  try {
    await client.connect()
    await client.ping()
    return client
  } catch (cause) {
    client.disconnect()
    throw new UsageError(`no RESP server answers at ${printTarget(target)}: ${reason(last ?? cause)}`)
  }
}

/** The target as ioredis names it. */
export function clientOptions({ host, port, username, password, database }: Target): object {
  return { host, port, db: database, ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) }
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.message || ('code' in error ? String(error.code) : error.name)
}
