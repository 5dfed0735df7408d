/** A pool whose protocol and handlers fail when told to, over the oracle. */
import { type Handlers, handlersAt, type Pool, type PoolError, type PoolOptions, protocolAt } from '@cenote/pool-core'
import type { Test } from 'uvu'
import * as assert from 'uvu/assert'
import { until } from '../../../pool-worker/test/kit/kit.ts'
import { type Oracle, startOracle } from './oracle.ts'
import { createPool } from './pools.ts'

export type FaultyModule = typeof import('../fixtures/faulty-protocol.ts')
export type FaultyHandlers = typeof import('../fixtures/faulty-handlers.ts')
export type FaultyPool = Pool<string, string, FaultyHandlers>

/** The peer of all pools; whoever imports this closes it. */
export const oracle: Oracle = await startOracle()

/** The URL of a module in fixtures. */
export const fixture = (name: string): URL => new URL(`../fixtures/${name}.js`, import.meta.url)
export const PROTOCOL: URL = fixture('faulty-protocol')
export const HANDLERS: Handlers<FaultyHandlers> = handlersAt<FaultyHandlers>(fixture('faulty-handlers'))

/** What a test asks of its pool. */
export interface Given {
  readonly pool: FaultyPool
  /** Has this hook fail from now on; 0: none. */
  failing(hook: number): void
  /** How many hooks have failed. */
  failed(): number
}

type Options = Omit<PoolOptions<string, string, undefined, FaultyHandlers>, 'endpoint' | 'protocol' | 'handlers' | 'shards'>

/** Every kind of use works. */
export async function serves(pool: FaultyPool): Promise<void> {
  const asked = [0, 1, 2].map(() => oracle.ask('now'))
  const [first, second, third] = asked as [(typeof asked)[0], (typeof asked)[0], (typeof asked)[0]] // three were asked
  const answers = await Promise.all([
    pool.request(first.request),
    pool.use((lease) => lease.request(second.request)),
    pool.handlers.ask(third.request),
  ])
  assert.equal(answers, [first.nonce, second.nonce, third.nonce])
}

/** Every kind of use works, and then the pool is at rest and its books in order. */
export async function works(pool: FaultyPool): Promise<void> {
  await serves(pool)
  const atRest = (): boolean => {
    const { connections, idle, pending } = pool.stats()
    return connections === idle && pending.leases + pending.requests === 0
  }
  await until(atRest, 'the pool is at rest')
  // An internal method, which the declarations leave out.
  assert.equal((pool as unknown as { check(): string[] }).check(), [])
}

/** A test with 0 and 1 shards, after which the pool works as before. */
export function eachShards(test: Test, title: string, work: (given: Given) => Promise<void>, options: Options = {}): void {
  for (const shards of [0, 1]) {
    test(`${title}, shards ${shards}`, async () => {
      const words = new Int32Array(new SharedArrayBuffer(8))
      const pool = await createPool({
        endpoint: oracle.endpoint,
        protocol: protocolAt<FaultyModule>(PROTOCOL, { words }),
        handlers: HANDLERS,
        shards,
        maxConnections: 2,
        backoff: { initialMs: 1, maxMs: 5 },
        ...options,
      })
      try {
        await work({ pool, failing: (hook) => void Atomics.store(words, 0, hook), failed: () => Atomics.load(words, 1) })
        await works(pool)
      } finally {
        await pool.close({ timeoutMs: 1_000 })
      }
    })
  }
}

/** The messages of an error and of its causes. */
export function story(error: unknown): string {
  return error instanceof Error ? `${error.message} | ${story(error.cause)}` : ''
}

/** What a function throws. */
export function thrownBy(action: () => unknown): PoolError {
  let thrown: unknown
  try {
    action()
  } catch (error) {
    thrown = error
  }
  assert.ok(thrown instanceof Error, 'nothing was thrown')
  return thrown as PoolError // its code is asserted by the caller
}
