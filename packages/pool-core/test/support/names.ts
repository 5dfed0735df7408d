/** A world whose names a test gives addresses, and whose answers it gives when it likes. */
import type { LookupAddress } from 'node:dns'
import { realWorld, type World } from '@cenote/pool-worker'

export interface Names extends World {
  /** By name; one that is not there is not found. */
  readonly known: Map<string, readonly LookupAddress[]>
  /** Every name asked for, in order. */
  readonly asked: string[]
  /** The most that were ever looked up at a time. */
  readonly most: number
  /** Names in it get no answer until they are taken out and `answer` is called. */
  readonly hanging: Set<string>
  /** Answers all that hang no more. */
  answer(): void
}

export const at = (...addresses: readonly string[]): LookupAddress[] =>
  addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))

/** What `dns.lookup` says of a name that nobody has. */
export function notFound(name: string): Error {
  const details = { errno: -3008, code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname: name }
  return Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), details)
}

/** The rest is as it is in `world`. */
export function names(known: Readonly<Record<string, readonly string[]>>, world: World = realWorld): Names {
  const waiting: (() => void)[] = []
  let underWay = 0
  let most = 0
  const made: Pick<Names, 'known' | 'asked' | 'most' | 'hanging' | 'answer' | 'lookup'> = {
    known: new Map(Object.entries(known).map(([name, addresses]) => [name, at(...addresses)])),
    asked: [],
    get most() {
      return most
    },
    hanging: new Set(),
    answer() {
      for (const resume of waiting.splice(0)) resume()
    },
    async lookup(name) {
      made.asked.push(name)
      most = Math.max(most, ++underWay)
      while (made.hanging.has(name)) await new Promise<void>((resolve) => waiting.push(resolve))
      underWay--
      const addresses = made.known.get(name)
      if (addresses === undefined) throw notFound(name)
      return addresses
    },
  }
  const { now, timer, immediate, random, connectTcp, connectTls } = world
  const rest = { immediate, connectTcp, connectTls, now: now.bind(world), timer: timer.bind(world), random: random.bind(world) }
  return Object.assign(made, rest)
}
