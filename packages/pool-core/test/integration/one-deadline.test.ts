/** One deadline for the whole of a wait, queue, reset, probe and hand-shake: nothing sets it anew on the way. By a clock of the test's own. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { handlersAt, line, type Pool, type PoolError, protocolAt } from '@cenote/pool-core'
import { realWorld } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'
import { ManualWorld } from '../../../pool-worker/test/kit/clock.ts'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { Link } from '../../src/link.ts'
import type * as sessionHandlers from '../fixtures/session-handlers.ts'
import type * as sessionProtocol from '../fixtures/session-protocol.ts'
import { closing, startPeer } from '../support/peers.ts'
import { createPoolIn } from '../support/pools.ts'

const test = suite('one deadline')
const kept = closing(test)

type SessionPool = Pool<string, string, typeof sessionHandlers>

/** What every caller allows, whichever of its ways. */
const ALLOWED_MS = 1_000
const PROBE_MS = 300
const IDLE_MS = 2_000
/** Of a shard's first connection. */
const FIRST_SERIAL = 1
/** A deadline is met no later than this. */
const GRACE_MS = 17

/** The ways of asking; the last has no time of its own, but that of the pool. */
const WAYS = {
  acquire: (pool: SessionPool) => rejects(pool.acquire({ timeoutMs: ALLOWED_MS }), 'ACQUIRE_TIMEOUT'),
  use: (pool: SessionPool) =>
    rejects(
      pool.use(() => assert.unreachable(), { timeoutMs: ALLOWED_MS }),
      'ACQUIRE_TIMEOUT',
    ),
  'a request': (pool: SessionPool) => rejects(pool.request('never', { timeoutMs: ALLOWED_MS }), 'REQUEST_TIMEOUT'),
  'an idempotent request': (pool: SessionPool) =>
    rejects(pool.request('never', { timeoutMs: ALLOWED_MS, idempotent: true }), 'REQUEST_TIMEOUT'),
  'an exclusive request': (pool: SessionPool) => rejects(pool.request('alone', { timeoutMs: ALLOWED_MS }), 'REQUEST_TIMEOUT'),
  'a handler': (pool: SessionPool) => rejects(pool.handlers.echo('never', { timeoutMs: ALLOWED_MS }), 'REQUEST_TIMEOUT'),
  'a handler by acquireTimeoutMs': (pool: SessionPool) => rejects(pool.handlers.echo('never'), 'ACQUIRE_TIMEOUT'),
} as const

interface Rig {
  readonly pool: SessionPool
  readonly clock: ManualWorld
  readonly lines: readonly string[]
  /** From now on the server hears and says nothing, to those who come too. */
  hush(): void
}

async function begin(acquireTimeoutMs: number): Promise<Rig> {
  let silent = false
  const lines: string[] = []
  const serve = (chunk: Buffer, answer: (chunk: Buffer) => void): void => {
    lines.push(...String(chunk).trim().split('\n'))
    if (!silent) answer(chunk)
  }
  const peer = await kept(startPeer((socket) => void socket.on('data', (chunk) => serve(chunk, (reply) => socket.write(reply)))))
  const clock = new ManualWorld(5_000)
  const pool = await kept(
    createPoolIn(clock)({
      endpoint: peer.endpoint,
      shards: 0,
      maxConnections: 1,
      acquireTimeoutMs,
      connectTimeoutMs: Infinity,
      idleTimeoutMs: Infinity,
      probeAfterIdleMs: IDLE_MS,
      probeTimeoutMs: PROBE_MS,
      protocol: protocolAt<typeof sessionProtocol>(new URL('../fixtures/session-protocol.js', import.meta.url), { greeting: 'hello' }),
      handlers: handlersAt<typeof sessionHandlers>(new URL('../fixtures/session-handlers.js', import.meta.url)),
    }),
  )
  const hush = (): void => {
    silent = true
  }
  return { pool, clock, lines, hush }
}

/** Lets the connect hang until the time is up: the call ends then, and no moment earlier. */
async function meets(clock: ManualWorld, left: number, call: Promise<PoolError>): Promise<void> {
  let over = false
  void call.then(() => {
    over = true
  })
  clock.pass(left - 1)
  await new Promise(setImmediate)
  assert.not(over, 'too early')
  clock.pass(1 + GRACE_MS)
  await new Promise(setImmediate)
  assert.ok(over, 'too late')
  const error = await call
  assert.equal([error.phase, error.outcome], ['connect', 'not-sent'])
}

for (const [way, ask] of Object.entries(WAYS)) {
  const acquireTimeoutMs = way.endsWith('acquireTimeoutMs') ? ALLOWED_MS : 60_000

  test(`${way}: the queue, a reset that fails, and a hand-shake that hangs share it`, async () => {
    const { pool, clock, lines, hush } = await begin(acquireTimeoutMs)
    const lease = await pool.acquire()
    await lease.request('set x')
    hush()
    const call = ask(pool)
    clock.pass(400)
    lease.release()
    await until(() => lines.includes('reset'), 'it is reset')
    clock.pass(PROBE_MS)
    await until(() => lines.filter((each) => each === 'hello').length === 2, 'another shakes hands')
    await meets(clock, ALLOWED_MS - 400 - PROBE_MS, call)
  })

  test(`${way}: a probe that fails and a hand-shake that hangs share it`, async () => {
    const { pool, clock, lines, hush } = await begin(acquireTimeoutMs)
    await pool.use(() => undefined)
    clock.pass(IDLE_MS)
    hush()
    const call = ask(pool)
    await until(() => lines.includes('ping'), 'it is probed')
    clock.pass(PROBE_MS)
    await until(() => lines.filter((each) => each === 'hello').length === 2, 'another shakes hands')
    await meets(clock, ALLOWED_MS - PROBE_MS, call)
  })
}

/** A server in a thread of its own, which ends its connections when it is told to; its flag is up when it has. */
async function ending(): Promise<{ port: number; worker: Worker; ended: Int32Array }> {
  const ended = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(new URL('../fixtures/closing-server.js', import.meta.url), { workerData: ended })
  await kept({ close: async () => void (await worker.terminate()) })
  const [port] = (await once(worker, 'message')) as [number] // what the fixture posts
  return { port, worker, ended }
}

/**
 * Until the test is over, a shard's first connection looks fit to lend when it has just died. That is so between two instructions of its
 * shard, which no test can hit.
 */
function behind(): void {
  const { fit } = Link.prototype
  Link.prototype.fit = function (slot) {
    return fit.call(this, slot) || slot.serial === FIRST_SERIAL
  }
  restore = () => {
    Link.prototype.fit = fit
  }
}

let restore = (): void => undefined
test.after.each(() => restore())

for (const way of ['a request', 'an exclusive request', 'a handler', 'a handler by acquireTimeoutMs'] as const) {
  test(`${way}: a connection that was dead when it was granted, and the one in its place, share it`, async () => {
    const { port, worker, ended } = await ending()
    const clock = new ManualWorld(5_000)
    let asked = 0
    const pool = await kept(
      createPoolIn(clock)({
        endpoint: `tcp://127.0.0.1:${port}`,
        shards: 1,
        maxConnections: 1,
        acquireTimeoutMs: way.endsWith('acquireTimeoutMs') ? ALLOWED_MS : 60_000,
        credentials: () => (asked++ === 0 ? { username: 'first' } : new Promise<never>(() => undefined)),
        connectTimeoutMs: Infinity,
        protocol: protocolAt<typeof sessionProtocol>(new URL('../fixtures/session-protocol.js', import.meta.url)),
        handlers: handlersAt<typeof sessionHandlers>(new URL('../fixtures/session-handlers.js', import.meta.url)),
      }),
    )
    assert.is(await pool.request('warm'), 'warm')
    behind()
    worker.postMessage('close')
    Atomics.wait(ended, 0, 0, 5_000)
    const call = WAYS[way](pool)
    clock.pass(400)
    await until(() => asked === 2, 'another is to come')
    assert.is(pool.stats().counters.moved, 1)
    await meets(clock, ALLOWED_MS - 400, call)
  })
}

for (const [what, reason] of [
  ['its deadline', undefined],
  ['its signal', new Error('enough')],
] as const) {
  test(`an acquire whose connection dies in the very turn that grants it keeps to ${what}`, async () => {
    for (let attempt = 1; !(await diesInItsTurn(reason)); attempt++)
      assert.ok(attempt < 30, 'that it was open, and its end, never came in one turn')
  })
}

/** Returns false if the connection was lent before its end was read: the shard's thread was late to tell of it. */
async function diesInItsTurn(reason: Error | undefined): Promise<boolean> {
  const { port, worker, ended } = await ending()
  worker.postMessage('close whoever comes')
  let asked = 0
  const credentials = () => (asked++ === 0 ? { username: 'first' } : new Promise<never>(() => undefined))
  await using pool = await createPoolIn(realWorld)({
    endpoint: `tcp://127.0.0.1:${port}`,
    shards: 1,
    maxConnections: 1,
    acquireTimeoutMs: 60_000,
    credentials,
    protocol: line(),
  })
  behind()
  const controller = new AbortController()
  let lent = false
  const acquired = pool.acquire(reason === undefined ? { timeoutMs: 1_000 } : { signal: controller.signal })
  const call = acquired.then(
    (lease) => {
      lent = true
      lease.destroy()
      return undefined
    },
    (error: unknown) => error,
  )
  await until(() => asked === 1, 'it connects')
  await new Promise(setImmediate)
  Atomics.wait(ended, 0, 0, 5_000) // so that it is open, and that it has ended, may be read in one turn
  await until(() => lent || asked === 2, 'another is to come')
  restore()
  if (lent) return false
  if (reason !== undefined) controller.abort(reason)
  const error = await call
  if (reason === undefined) assert.equal([(error as PoolError).code, (error as PoolError).phase], ['ACQUIRE_TIMEOUT', 'connect'])
  else assert.is(error, reason)
  const { counters, pending } = pool.stats()
  assert.equal([counters.moved, pending], [1, { leases: 0, requests: 0 }])
  return true
}

test.run()
