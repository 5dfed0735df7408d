/** The addresses of hosts: looked up once for all shards, kept for a while. */
import type { LookupAddress } from 'node:dns'
import { isIP } from 'node:net'
import type { Endpoint, World } from '@cenote/pool-worker'
import type { Settings } from './options.ts'
import type { Numbers } from './stats.ts'

/** Look-ups at a time. Node itself runs no more, all pools together, unless `UV_THREADPOOL_SIZE` is above 4. */
const AT_ONCE = 2

type Addresses = readonly LookupAddress[]

/** The name that connections to an endpoint need the addresses of; undefined: it is an address, or a path. */
export function nameIn(endpoint: Endpoint): string | undefined {
  return endpoint.transport === 'unix' || isIP(endpoint.host) !== 0 ? undefined : endpoint.host.toLowerCase()
}

/**
 * Of one pool. A name is looked up once at a time, whoever asks; a failure is not kept.
 *
 * @see PgBouncer `dns_max_ttl` (addresses kept), libuv `slow_work_thread_threshold` (half of its threads may look up)
 */
export class Resolver {
  readonly #world: World
  readonly #ttlMs: number
  readonly #numbers: Numbers
  readonly #found: Map<string, { readonly addresses: Addresses; readonly until: number }> = new Map()
  readonly #asked: Map<string, Promise<Addresses>> = new Map()
  /** Those who wait for one of the look-ups under way to end, the first in front. */
  readonly #turns: (() => void)[] = []
  #underWay = 0

  constructor({ lookupTtlMs }: Pick<Settings, 'lookupTtlMs'>, world: World, numbers: Numbers) {
    this.#world = world
    this.#ttlMs = lookupTtlMs
    this.#numbers = numbers
  }

  /** What was found, while it counts. */
  known(name: string): Addresses | undefined {
    const found = this.#found.get(name)
    return found !== undefined && this.#world.now() < found.until ? found.addresses : undefined
  }

  /** Looks a name up, or waits for the look-up under way. Rejects as `dns.lookup` does. */
  ask(name: string): Promise<Addresses> {
    let asked = this.#asked.get(name)
    if (asked === undefined) {
      asked = this.#lookUp(name).finally(() => this.#asked.delete(name))
      this.#asked.set(name, asked)
    }
    return asked
  }

  /** A connect has failed: perhaps the server has moved. */
  forget(name: string): void {
    this.#found.delete(name)
  }

  async #lookUp(name: string): Promise<Addresses> {
    if (this.#underWay < AT_ONCE) this.#underWay++
    else await new Promise<void>((resolve) => this.#turns.push(resolve)) // and takes over the place of one that has ended
    this.#numbers.lookups++
    try {
      const addresses = await this.#world.lookup(name)
      this.#found.set(name, { addresses, until: this.#world.now() + this.#ttlMs })
      return addresses
    } finally {
      const next = this.#turns.shift()
      if (next === undefined) this.#underWay--
      else next()
    }
  }
}
