/**
 * A caller who gave up, at each stage of a connection's life, against a peer that answers late: nobody else ever sees
 * that reply, and what the caller was told of it agrees with the peer's log.
 */
import { createPool, handlersAt, type Pool, PoolError, type PoolOptions, protocolAt } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { startOracle } from '../support/oracle.ts'

type OracleHandlers = typeof import('../fixtures/oracle-handlers.ts')
type OraclePool = Pool<string, string, OracleHandlers>

interface CallOptions {
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

const test = suite('late replies')

const oracle = await startOracle()
const PROTOCOL = new URL('../fixtures/oracle-protocol.js', import.meta.url)
const HANDLERS = new URL('../fixtures/oracle-handlers.js', import.meta.url)

test.after(() => oracle.close())

/** The ways of asking; each is given what it leases. */
const WAYS = {
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
type Extra = Pick<PoolOptions, 'ringBytes'>

class Abandoned extends Error {}

class Case {
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

async function run(name: keyof typeof WAYS, shards: number, work: (context: Case) => Promise<void>, more: Extra = {}): Promise<void> {
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

/** Longer than what may be on its way to a shard at once, with a ring of 16 KiB. */
const LONG = 'x'.repeat(20_000)

const HOW = ['aborted', 'timed out'] as const

/** Each stage leaves one call given up there, and resolves with its nonce. */
const STAGES: Readonly<Record<string, (context: Case, how: (typeof HOW)[number]) => Promise<string>>> = {
  async queued(context, how) {
    const leases = await Promise.all(Array.from({ length: context.connections }, () => context.pool.acquire()))
    const waits = () => until(() => context.pool.stats().pending.leases + context.pool.stats().pending.requests > 0, 'it waits')
    const nonce = await context.giveUp(how, 'hold', waits)
    for (const lease of leases) lease.release()
    return nonce
  },
  async connecting(context, how) {
    const leases = await Promise.all(Array.from({ length: context.connections }, () => context.pool.acquire()))
    oracle.greet(false)
    for (const lease of leases) lease.destroy()
    await oracle.empty()
    const nonce = await context.giveUp(how, 'hold', () => until(() => oracle.connections > 0, 'it connects'))
    oracle.greet(true)
    return nonce
  },
  async 'on the peer'(context, how) {
    return context.giveUp(how, 'hold', (nonce) => oracle.did(nonce, 'read'))
  },
  async 'half answered'(context, how) {
    return context.giveUp(how, 'half', (nonce) => oracle.did(nonce, 'half'))
  },
}

for (const shards of [0, 1, 2]) {
  // As keys of the object they are its own.
  for (const name of Object.keys(WAYS) as (keyof typeof WAYS)[]) {
    test(`${name} given up at any stage is answered to nobody, shards ${shards}`, () =>
      run(name, shards, async (context) => {
        for (const [stage, reach] of Object.entries(STAGES)) {
          for (const how of HOW) {
            const nonce = await reach(context, how).catch((error: unknown) => {
              throw new Error(`${how} while ${stage}`, { cause: error })
            })
            const others = context.others()
            oracle.release(nonce)
            await others
            await context.others()
            await context.rest()
          }
        }
      }))
  }
}

for (const shards of [0, 1, 2]) {
  for (const name of Object.keys(WAYS) as (keyof typeof WAYS)[]) {
    const handler = name.startsWith('a handler') // one that has begun is told of the abort, and does as it likes
    const promise = handler ? 'is answered to nobody' : 'never reaches the peer'
    test(`${name} aborted in the turn of its call ${promise}, shards ${shards}`, () =>
      run(name, shards, async (context) => {
        await context.warm()
        for (let round = 0; round < 10; round++) {
          const asked = oracle.ask('hold')
          const controller = new AbortController()
          const call = context.ask(asked, { signal: controller.signal })
          const others = context.others()
          controller.abort(new Abandoned())
          assert.is(await call, 'failed')
          oracle.release(asked.nonce)
          await others
        }
        await context.rest()
        if (handler) return
        await context.pool.close()
        await oracle.empty()
        const read = new Set(await oracle.log())
        for (const { nonce } of context.told) assert.not.ok(read.has(nonce), `${nonce} was read`)
      }))
  }
}

for (const shards of [1, 2]) {
  for (const name of Object.keys(WAYS) as (keyof typeof WAYS)[]) {
    for (const how of HOW) {
      const handler = name.startsWith('a handler') // as above
      const promise = handler ? 'is answered to nobody' : 'never reaches the peer'
      test(`${name} ${how} while its frame waits in the ring ${promise}, shards ${shards}`, () =>
        run(name, shards, async (context) => {
          await context.warm()
          const word = new Int32Array(new SharedArrayBuffer(4))
          const blocking = Array.from({ length: shards }, () => blockOne(context.pool, word))
          await Promise.all(blocking.map(({ begun }) => begun))
          const controller = new AbortController()
          const asked = oracle.ask('hold')
          const call = context.ask(asked, how === 'aborted' ? { signal: controller.signal } : { timeoutMs: 20 })
          controller.abort(new Abandoned())
          assert.is(await call, 'failed')
          if (handler) oracle.release(asked.nonce)
          Atomics.store(word, 0, 1)
          Atomics.notify(word, 0)
          await Promise.all(blocking.map(({ ended }) => ended))
          await context.others()
          await context.rest()
          if (!handler) assert.not.ok((await oracle.log()).includes(asked.nonce), 'it was read')
        }))
    }
  }

  for (const name of Object.keys(WAYS) as (keyof typeof WAYS)[]) {
    for (const how of HOW) {
      test(`${name} ${how} when its reply has come already is answered to itself or nobody, shards ${shards}`, () =>
        run(name, shards, async (context) => {
          await context.warm()
          for (let round = 0; round < 10; round++) {
            const asked = oracle.ask('hold')
            const controller = new AbortController()
            const call = context.ask(asked, how === 'aborted' ? { signal: controller.signal } : { timeoutMs: 20 })
            const first = await Promise.race([call, oracle.did(asked.nonce, 'read')])
            if (first === undefined) blockUntilAnswered(asked.nonce)
            controller.abort(new Abandoned())
            await Promise.all([call, context.others()])
          }
          await context.rest()
        }))
    }
  }
}

for (const shards of [0, 1, 2]) {
  for (const name of ['an exclusive request', "a lease's request", 'a handler that leaves too'] as const) {
    for (const how of HOW) {
      test(`${name} ${how} ends its connection though the peer stays silent, shards ${shards}`, () =>
        run(name, shards, async (context) => {
          await context.warm()
          await until(() => oracle.connections === context.connections, 'all are open')
          await context.giveUp(how, 'hold', (nonce) => oracle.did(nonce, 'read'))
          await until(() => oracle.connections < context.connections, 'the peer sees the end')
          await context.others()
          await context.rest()
        }))
    }
  }

  for (const how of HOW) {
    test(`while the oldest reply of a shared connection was ${how}, requests go elsewhere, shards ${shards}`, () =>
      run('a shared request', shards, async (context) => {
        const held = await context.giveUp(how, 'hold', (nonce) => oracle.did(nonce, 'read'))
        for (let turn = 0; turn < 2; turn++) await context.others()
        oracle.release(held)
        await context.others()
        await context.rest()
      }))
  }
}

for (const name of ['a shared request', 'an exclusive request', "a lease's request"] as const) {
  for (const how of HOW) {
    test(`${name} ${how} while it waits for room on its way to the shard was not sent, or not whole`, () =>
      run(
        name,
        1,
        async (context) => {
          await context.warm()
          const word = new Int32Array(new SharedArrayBuffer(4))
          const { begun, ended } = blockOne(context.pool, word)
          await begun
          const lease = await context.pool.acquire()
          const requests = [0, 1, 2].map(() => oracle.ask('now'))
          const controller = new AbortController()
          const options = how === 'aborted' ? { signal: controller.signal } : { timeoutMs: 20 }
          // All on one connection: the lease's, or that which the lease gives back.
          const ask = (request: string) =>
            name === "a lease's request" ? lease.request(request, options) : context.pool.request(request, options)
          if (name !== "a lease's request") lease.release()
          const calls = requests.map(({ nonce, request }) =>
            ask(`${request} ${LONG}`).then(
              () => assert.unreachable('it was answered'),
              (error: unknown) => void context.told.push({ nonce, error }),
            ),
          )
          controller.abort(new Abandoned())
          await Promise.all(calls)
          if (name === "a lease's request") lease.release()
          Atomics.store(word, 0, 1)
          Atomics.notify(word, 0)
          await ended
          await context.others()
          await context.rest()
          const log = await oracle.log()
          for (const { nonce } of requests) assert.not.ok(log.includes(nonce), `${nonce} was read`)
          const outcomes = context.told.map(({ error }) => (PoolError.is(error) ? error.outcome : 'aborted'))
          if (how === 'timed out') assert.ok(outcomes.includes('not-sent') && outcomes.includes('maybe-executed'), outcomes.join())
        },
        { ringBytes: { toShard: 16_384, toMain: 65_536 } },
      ))
  }
}

for (const shards of [0, 1, 2]) {
  test(`of many requests that share a connection, those given up take nobody's reply along, shards ${shards}`, () =>
    run('a shared request', shards, async (context) => {
      for (let round = 0; round < 8; round++) {
        const controllers = Array.from({ length: 8 * context.connections }, () => new AbortController())
        const asked = controllers.map(() => oracle.ask('hold'))
        const calls = asked.map((each, index) => context.ask(each, { signal: controllers[index]?.signal }))
        const given = (index: number): boolean => index % 8 === round || (index + round) % 3 === 0
        await Promise.all(asked.map(({ nonce }, index) => (given(index) ? oracle.did(nonce, 'read') : undefined)))
        controllers.forEach((controller, index) => given(index) && controller.abort(new Abandoned()))
        const others = context.others()
        for (const { nonce } of asked) oracle.release(nonce)
        const ends = await Promise.all(calls)
        assert.equal(
          ends,
          ends.map((_, index) => (given(index) ? 'failed' : 'answered')),
        )
        await others
        await context.rest()
      }
    }))
}

const SEED = Number(process.env.CENOTE_SEED ?? Math.floor(Math.random() * 2 ** 32))
const CASES = 300

for (const shards of [0, 1, 2]) {
  test(`${CASES} calls whose deadlines and replies come at random meet their own replies alone, shards ${shards}`, async () => {
    const random = generator(SEED + shards)
    const whole = (below: number): number => Math.floor(random() * below)
    try {
      for (const name of ['a shared request', 'an exclusive request'] as const) {
        await run(name, shards, async (context) => {
          const callers = Array.from({ length: 10 }, async () => {
            for (let turn = 0; turn < CASES / 20; turn++) {
              const ways = [context.way, WAYS["a lease's request"], WAYS['a handler that waits on'], WAYS['a handler that leaves too']]
              const asking = new Case(context.pool, ways[whole(ways.length)] ?? context.way, shards)
              const delay = whole(8)
              const asked = oracle.ask(delay === 0 ? 'now' : 'after', delay)
              const limit = Math.max(1, delay + whole(5) - 2)
              if (whole(2) === 0) await asking.ask(asked, { timeoutMs: limit })
              else {
                const controller = new AbortController()
                const timer = setTimeout(() => controller.abort(new Abandoned()), limit)
                await asking.ask(asked, { signal: controller.signal })
                clearTimeout(timer)
              }
              context.told.push(...asking.told)
            }
          })
          await Promise.all(callers)
          await context.others()
          await context.rest()
        })
      }
    } catch (error) {
      throw new Error(`replay with CENOTE_SEED=${SEED}`, { cause: error })
    }
  })
}

/** Blocks the thread of one shard until the word is set. */
function blockOne(pool: OraclePool, word: Int32Array): { readonly begun: Promise<void>; readonly ended: Promise<void> } {
  let ended: Promise<void> = Promise.resolve()
  const begun = new Promise<void>((resolve, reject) => {
    ended = pool.handlers.block(word, { onProgress: () => resolve() })
    ended.catch(reject)
  })
  return { begun, ended }
}

/** Lets a reply go, and blocks this thread until it was written: this side reads it in a later turn at the earliest. */
function blockUntilAnswered(nonce: string): void {
  const before = Atomics.load(oracle.answered, 0)
  oracle.release(nonce)
  Atomics.wait(oracle.answered, 0, before, 5_000)
}

/** Random numbers that a seed repeats (mulberry32). */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

test.run()
