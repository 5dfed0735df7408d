/** Threads that stand still: a shard that a handler keeps busy, and the calling thread itself. */
import { once } from 'node:events'
import { handlersAt, type Lease, type Pool, type PoolOptions, protocolAt } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import type * as sessionProtocol from '../fixtures/session-protocol.ts'
import type * as stallHandlers from '../fixtures/stall-handlers.ts'
import { assertBalanced } from '../support/balance.ts'
import { acquireAll, releaseAll } from '../support/callers.ts'
import { atRest, closing } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'
import { sessionsFor } from '../support/sessions.ts'

const test = suite('stalls')
const { server, open } = sessionsFor(test, { shards: 0 })
const kept = closing(test)

/** Much longer than a busy machine keeps a thread from its turn. */
const STALL_MS = 600

type StallPool = Pool<string, string, typeof stallHandlers>

/** Two shards, and what sees soon that one stands still. */
async function openTwo(options: Partial<PoolOptions> = {}): Promise<StallPool> {
  const protocol = protocolAt<typeof sessionProtocol>(new URL('../fixtures/session-protocol.js', import.meta.url))
  const handlers = handlersAt<typeof stallHandlers>(new URL('../fixtures/stall-handlers.js', import.meta.url))
  const common = { endpoint: server.endpoint, shards: 2, maxConnections: 4, shardStallMs: STALL_MS, probeAfterIdleMs: Infinity }
  return kept(createPool({ ...common, ...options, protocol, handlers }))
}

interface Stall {
  readonly shard: number
  readonly handler: Promise<string>
  end(): void
}

/** Has a handler keep one shard from everything else, and waits until the pool suspects it. */
async function stall(pool: StallPool, options: { readonly timeoutMs?: number } = {}): Promise<Stall> {
  const words = new Int32Array(new SharedArrayBuffer(4))
  const suspected = once(pool.events, 'shardSuspect')
  const handler = pool.handlers.spin(words.buffer, options)
  handler.catch(() => undefined) // whoever waits for it sees the error
  const [{ shard, silentMs }] = (await suspected) as [{ shard: number; silentMs: number }] // of this event
  assert.ok(silentMs >= STALL_MS)
  return { shard, handler, end: () => Atomics.store(words, 0, 1) }
}

const states = (pool: StallPool): string[] => pool.stats().shards.map(({ state }) => state)
const onShard = (leases: readonly Lease[], shard: number): Lease[] => leases.filter(({ connection }) => connection.shard === shard)

/** Lets the event loop have no turn. */
function block(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

test('a shard that stands still is suspect: the other gets all grants, until it moves again', async () => {
  const pool = await openTwo()
  releaseAll((await acquireAll(pool, 4)) as Lease<string, string>[])
  const { shard, handler, end } = await stall(pool)
  const other = 1 - shard
  assert.equal([states(pool)[shard], states(pool)[other]], ['suspect', 'live'])
  assert.is(pool.stats().idle, 3)

  const leases = await acquireAll(pool, 2)
  assert.is(onShard(leases as Lease[], other).length, 2)
  assert.is(pool.tryAcquire(), undefined)
  const waiting = pool.acquire()
  const request = pool.request('waits')
  assert.equal(pool.stats().pending, { leases: 1, requests: 1 })
  releaseAll(leases)
  const next = await waiting
  assert.is(next.connection.shard, other)
  assert.is(await request, 'waits')
  for (let turn = 0; turn < 20; turn++) assert.is(await pool.request(`turn ${turn}`), `turn ${turn}`)
  next.release()
  assert.equal(pool.check(), [])

  const recovered = once(pool.events, 'shardRecovered')
  end()
  assert.is(await handler, 'ended')
  const [{ shard: back, silentMs }] = (await recovered) as [{ shard: number; silentMs: number }] // of this event
  assert.is(back, shard)
  assert.ok(silentMs >= STALL_MS)
  assert.equal(states(pool), ['live', 'live'])
  const all = await acquireAll(pool, 4)
  assert.is(onShard(all as Lease[], shard).length, 2)
  assert.equal(await Promise.all(all.map((lease) => lease.request('served'))), new Array(4).fill('served'))
  releaseAll(all)
  await atRest(pool)
  assertBalanced(pool)
  assert.is(pool.stats().counters.shardsLost, 0)
})

test('time-outs of calls on a shard that stands still say so, those of others do not', async () => {
  const pool = await openTwo()
  const leases = await acquireAll(pool, 3)
  const { shard, handler, end } = await stall(pool, { timeoutMs: 3 * STALL_MS })
  const [stuck] = onShard(leases as Lease[], shard) as unknown as Lease<string, string>[]
  const [free] = onShard(leases as Lease[], 1 - shard) as unknown as Lease<string, string>[]
  assert.ok(stuck !== undefined && free !== undefined)
  const late = await rejects(stuck.request('never sent', { timeoutMs: 50 }), 'REQUEST_TIMEOUT')
  assert.equal([late.stalled, late.outcome], ['shard', 'maybe-executed'])
  assert.match(late.message, new RegExp(`no reply within 50 ms; shard ${shard} has been silent for \\d+ ms$`))
  const held = await rejects(free.request('hold it', { timeoutMs: 50 }), 'REQUEST_TIMEOUT')
  assert.is.not(held.stalled, 'shard')
  const run = await rejects(handler, 'REQUEST_TIMEOUT')
  assert.equal([run.phase, run.stalled], ['handler', 'shard'])
  end()
  for (const lease of leases) lease[Symbol.dispose]()
  await until(() => states(pool).every((state) => state === 'live'), 'it is back')
  await atRest(pool)
  assertBalanced(pool)
})

test('with one shard, who waits in the queue is told that it stands still', async () => {
  const pool = await openTwo({ shards: 1, maxConnections: 1 })
  const { end, handler } = await stall(pool)
  const error = await rejects(pool.acquire({ timeoutMs: 30 }), 'ACQUIRE_TIMEOUT')
  assert.is(error.stalled, 'shard')
  assert.match(error.message, /shard 0 has been silent for \d+ ms/)
  end()
  await handler
})

test('a shard silent for maxShardStallMs is ended and replaced; its calls reject with SHARD_LOST and the reason', async () => {
  const pool = await openTwo({ maxShardStallMs: 2 * STALL_MS, backoff: { initialMs: 1 } })
  const leases = await acquireAll(pool, 3)
  const { shard, handler } = await stall(pool)
  const [stuck] = onShard(leases as Lease[], shard) as unknown as Lease<string, string>[]
  assert.ok(stuck !== undefined)
  const owed = stuck.request('never answered')
  const error = await rejects(handler, 'SHARD_LOST')
  assert.match(error.message, /silent for \d+ ms \(maxShardStallMs\)/)
  await rejects(owed, 'SHARD_LOST')
  for (const lease of leases) lease[Symbol.dispose]()
  await until(() => states(pool).every((state) => state === 'live'), 'it is replaced')
  const all = await acquireAll(pool, 4)
  assert.equal(await Promise.all(all.map((lease) => lease.request('served'))), new Array(4).fill('served'))
  releaseAll(all)
  await atRest(pool)
  assertBalanced(pool)
  assert.is(pool.stats().counters.shardsLost, 1)
})

test('with shardStallMs Infinity no shard is ever suspect', async () => {
  const pool = await openTwo({ shardStallMs: Infinity })
  let suspected = 0
  pool.events.on('shardSuspect', () => suspected++)
  const words = new Int32Array(new SharedArrayBuffer(4))
  await new Promise((resolve) => void pool.handlers.spin(words.buffer, { onProgress: resolve, timeoutMs: 500 }).catch(resolve))
  assert.equal(states(pool), ['live', 'live'])
  Atomics.store(words, 0, 1)
  await atRest(pool)
  assert.is(suspected, 0)
})

test('a stall of the calling thread makes no shard suspect', async () => {
  const pool = await openTwo()
  let suspected = 0
  pool.events.on('shardSuspect', () => suspected++)
  const held = pool.request('hold answer')
  await server.received('hold answer')
  for (let turn = 0; turn < 3; turn++) {
    block(2 * STALL_MS)
    await new Promise((resolve) => setTimeout(resolve)) // timers come before anything else after a stall
  }
  server.release('answer')
  assert.is(await held, 'answer')
  assert.is(suspected, 0)
})

for (const shards of [0, 1]) {
  test(`a time-out that fires late because the calling thread stood still says so, with shards: ${shards}`, async () => {
    const pool = await open({ shards, maxConnections: 1 })
    const late = rejects(pool.request('hold answer', { timeoutMs: 1_500 }), 'REQUEST_TIMEOUT')
    await server.received('hold answer')
    const waiting = rejects(pool.acquire({ timeoutMs: 1_500 }), 'ACQUIRE_TIMEOUT')
    block(2_000)
    const errors = await Promise.all([late, waiting])
    assert.equal(
      errors.map(({ stalled }) => stalled),
      ['main', 'main'],
    )
    for (const { message } of errors) assert.match(message, /; the calling thread stood still for \d+ ms$/)
    server.release('answer')
    const handler = rejects(pool.handlers.stubborn('other', { timeoutMs: 1_500 }), 'REQUEST_TIMEOUT')
    await server.received('hold other')
    block(2_000)
    assert.is((await handler).stalled, 'main')
    server.release('other')
  })
}

test('a connect that times out because its thread stood still does not count against the endpoint', async () => {
  const backoff = { initialMs: 100_000, maxMs: 100_000 } // whoever met it would wait for ever
  const pool = await open({ maxConnections: 1, connectTimeoutMs: 1_000, backoff }, { greeting: 'hold hello' })
  const failed = once(pool.events, 'connectFailed')
  const lease = rejects(pool.acquire({ timeoutMs: 15_000 }), 'POOL_CLOSED')
  await server.received('hold hello')
  block(1_500)
  const [{ error }] = (await failed) as [{ error: { code: string; stalled: string; message: string } }] // of this event
  assert.equal([error.code, error.stalled], ['CONNECT_TIMEOUT', 'main'])
  assert.match(error.message, /hand-shake has not ended; its thread stood still for \d+ ms/)
  await server.received('hold hello', 2)
  await pool.close({ timeoutMs: 1 })
  await lease
})

test.run()
