/** Callers who give up, in all the ways of asking the oracle, and what must hold of the pool afterwards. */
import { handlersAt, type Pool, PoolError, type PoolOptions, protocolAt } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { until } from '../../../pool-worker/test/kit/kit.ts'
import { type Oracle, startOracle } from './oracle.ts'
import { createPool } from './pools.ts'

type OracleHandlers = typeof import('../fixtures/oracle-handlers.ts')
export type OraclePool = Pool<string, string, OracleHandlers>

interface CallOptions {
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** The peer of all cases; whoever imports this closes it. */
export const oracle: Oracle = await startOracle()
const PROTOCOL = new URL('../fixtures/oracle-protocol.js', import.meta.url)
const HANDLERS = new URL('../fixtures/oracle-handlers.js', import.meta.url)

/** The ways of asking; each is given what it leases. */
export const WAYS = {
  'a shared request': { pipelining: 8, ask: (pool: OraclePool, request: string, options: CallOptions) => pool.request(request, options) },
  'an exclusive request': {
    pipelining: 1,
    ask: (pool: OraclePool, request: string, options: CallOptions) => pool.request(request, options),
  },
  "a lease's request": {
    pipelining: 8,
    ask: (pool: OraclePool, request: string, { timeoutMs, signal }: CallOptions) =>
      pool.use((lease) => lease.request(request, { timeoutMs, signal }), { timeoutMs: timeoutMs ?? 10_000, signal }),
  },
  'a handler that waits on': {
    pipelining: 8,
    ask: (pool: OraclePool, request: string, options: CallOptions) => pool.handlers.ask(request, options),
  },
  'a handler that leaves too': {
    pipelining: 8,
    ask: (pool: OraclePool, request: string, options: CallOptions) => pool.handlers.askOrLeave(request, options),
  },
} as const

type Way = (typeof WAYS)[keyof typeof WAYS]

/** What was told of a call that failed. */
interface Told {
  readonly nonce: string
  readonly error: unknown
}

/** More options of the pool. */
type Extra = Pick<PoolOptions, 'ringBytes' | 'probeAfterIdleMs'>

export class Abandoned extends Error {}

export class Case {
  readonly pool: OraclePool
  readonly way: Way
  readonly shards: number
  readonly told: Told[] = []

  constructor(pool: OraclePool, way: Way, shards: number) {
    this.pool = pool
    this.way = way
    this.shards = shards
  }

  get connections(): number {
    return 2 * Math.max(1, this.shards)
  }

  /** Asks as the case does. A reply must be the call's own. */
  async ask({ nonce, request }: { nonce: string; request: string }, options: CallOptions): Promise<'answered' | 'failed'> {
    try {
      assert.is(await this.way.ask(this.pool, request, options), nonce)
      return 'answered'
    } catch (error) {
      if (error instanceof assert.Assertion) throw error
      assert.ok(PoolError.is(error) || error instanceof Abandoned, `rejected with ${String(error)}`)
      this.told.push({ nonce, error })
      return 'failed'
    }
  }

  /**
   * Asks, and gives up when `reached` resolves: by a signal, or by a deadline. A deadline that comes too early is lengthened, so
   * that the stage is the one that the test names.
   */
  async giveUp(how: 'aborted' | 'timed out', operation: 'hold' | 'half', reached: (nonce: string) => Promise<unknown>): Promise<string> {
    if (how === 'aborted') {
      const asked = oracle.ask(operation)
      const controller = new AbortController()
      const call = this.ask(asked, { signal: controller.signal })
      await reached(asked.nonce)
      controller.abort(new Abandoned())
      assert.is(await call, 'failed')
      return asked.nonce
    }
    for (let timeoutMs = 40; ; timeoutMs *= 2) {
      const asked = oracle.ask(operation)
      const call = this.ask(asked, { timeoutMs })
      const first = await Promise.race([call, reached(asked.nonce).then(() => 'reached')])
      assert.is(await call, 'failed')
      if (first === 'reached') return asked.nonce
      oracle.release(asked.nonce)
    }
  }

  /** Later callers of every kind, each of whom must get the reply to what he asked. */
  async others(): Promise<void> {
    const asking = Array.from({ length: 12 }, async (_, index) => {
      const { nonce, request } = oracle.ask('now')
      if (index % 4 === 0) assert.is(await this.pool.use((lease) => lease.request(request)), nonce)
      else if (index % 4 === 1) assert.is(await this.pool.handlers.ask(request), nonce)
      else assert.is(await this.pool.request(request), nonce)
    })
    await Promise.all(asking)
  }

  /** The pool holds as many idle connections as it may. */
  async warm(): Promise<void> {
    const leases = await Promise.all(Array.from({ length: this.connections }, () => this.pool.acquire()))
    for (const lease of leases) lease.release()
  }

  /** Nothing is under way: no caller waits, and each connection is idle. */
  async rest(): Promise<void> {
    const atRest = (): boolean => {
      const { connections, idle, pending } = this.pool.stats()
      return connections === idle && pending.leases + pending.requests === 0
    }
    await until(atRest, 'the pool is at rest')
    // An internal method, which the declarations leave out.
    assert.equal((this.pool as unknown as { check(): string[] }).check(), [])
  }

  /** What callers were told agrees with the peer's log: of what was not sent, it has read nothing. */
  async agree(): Promise<void> {
    await this.pool.close()
    await oracle.empty()
    const log = await oracle.log()
    const read = new Set(log)
    assert.is(read.size, log.length, 'a request was sent twice')
    for (const { nonce, error } of this.told) {
      if (!PoolError.is(error)) continue
      assert.ok(error.outcome === 'not-sent' || error.outcome === 'maybe-executed', `${nonce}: ${error.code}, ${error.outcome}`)
      if (error.outcome === 'not-sent') assert.not.ok(read.has(nonce), `${nonce} was sent: ${error.code} ${error.phase}`)
    }
  }
}

/** Runs a case with a pool of its own, then holds what was told against the peer's log. */
export async function run(
  name: keyof typeof WAYS,
  shards: number,
  work: (context: Case) => Promise<void>,
  more: Extra = {},
): Promise<void> {
  const way = WAYS[name]
  const pool = await createPool({
    endpoint: oracle.endpoint,
    protocol: protocolAt<typeof import('../fixtures/oracle-protocol.ts')>(PROTOCOL),
    handlers: handlersAt<OracleHandlers>(HANDLERS),
    shards,
    pipelining: way.pipelining,
    maxConnections: 2 * Math.max(1, shards),
    ...more,
  })
  const context = new Case(pool, way, shards)
  try {
    await work(context)
    await context.agree()
  } finally {
    await pool.close({ timeoutMs: 1_000 })
  }
}

/** Blocks the thread of one shard until the word is set. */
export function blockOne(pool: OraclePool, word: Int32Array): { readonly begun: Promise<void>; readonly ended: Promise<void> } {
  let ended: Promise<void> = Promise.resolve()
  const begun = new Promise<void>((resolve, reject) => {
    ended = pool.handlers.block(word, { onProgress: () => resolve() })
    ended.catch(reject)
  })
  return { begun, ended }
}

/** Lets a reply go, and blocks this thread until it was written: this side reads it in a later turn at the earliest. */
export function blockUntilAnswered(nonce: string): void {
  const before = Atomics.load(oracle.answered, 0)
  oracle.release(nonce)
  Atomics.wait(oracle.answered, 0, before, 5_000)
}
