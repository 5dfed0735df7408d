import { getEventListeners } from 'node:events'
import { PoolError } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { assertBalanced } from '../support/balance.ts'
import { reasonOf } from '../support/callers.ts'
import { type SessionPool, sessionsFor } from '../support/sessions.ts'

const test = suite('aborts')
const { server, open } = sessionsFor(test, { shards: 1, maxConnections: 1 })

const atRest = (pool: SessionPool): Promise<void> => until(() => pool.stats().idle === pool.stats().connections, 'all connections are idle')

/** Numbers that look random and are the same in each run. */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** Aborts after so many turns of the event loop. */
async function abortAfter(turns: number, controller: AbortController): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
  controller.abort()
}

for (const shards of [0, 2]) {
  for (const seed of [1, 2, 3]) {
    test(`shards: ${shards}: aborted at any moment, nothing is lost, mixed up or left behind (seed ${seed})`, async () => {
      const pool = await open({ shards, maxConnections: 3, probeAfterIdleMs: 5 })
      const below = numbersFrom(seed)
      const wrong: string[] = []
      let aborted = 0

      const one = async (text: string): Promise<void> => {
        const controller = new AbortController()
        const { signal } = controller
        const kind = below(4)
        if (below(2) === 0) void abortAfter(below(6), controller)
        try {
          const reply =
            kind === 0
              ? await pool.request(text, { signal })
              : kind === 1
                ? await pool.handlers.echo(text, { signal })
                : kind === 2
                  ? await pool.use((lease) => lease.request(text, { signal }), { signal })
                  : await pool.use((lease) => lease.request(`set ${text}`, { signal }).then(() => lease.request('get')), { signal })
          if (reply !== text) wrong.push(`${text}: ${reply}`)
        } catch (error) {
          aborted++
          if (error !== signal.reason) wrong.push(`${text}: ${String(error)}`)
        }
      }
      const worker = async (name: number): Promise<void> => {
        for (let turn = 0; turn < 100; turn++) await one(`${name}-${turn}`)
      }
      await Promise.all(Array.from({ length: 8 }, (_, name) => worker(name)))

      assert.equal(wrong, [])
      assert.ok(aborted > 100)
      await atRest(pool)
      assertBalanced(pool)
      assert.ok(pool.stats().connections <= 3)
      assert.is(await pool.request('get'), '-')
    })
  }
}

test('a signal keeps no listener of a call that is over', async () => {
  const pool = await open()
  const { signal } = new AbortController()
  for (let turn = 0; turn < 20; turn++) {
    await pool.request('one', { signal })
    await pool.handlers.echo('two', { signal })
    await pool.use((lease) => lease.request('three', { signal }), { signal })
    await reasonOf(pool.handlers.failing('throw', { signal }))
    await pool.ready({ signal })
  }
  await rejects(pool.request('hold it', { signal, timeoutMs: 10 }), 'REQUEST_TIMEOUT')
  assert.is(getEventListeners(signal, 'abort').length, 0)
})

test('a written request on a shared connection that is aborted costs nobody else a thing', async () => {
  const pool = await open()
  const controller = new AbortController()
  const aborted = reasonOf(pool.request('hold slow', { signal: controller.signal }))
  const behind = pool.request('behind')
  await server.received('behind')
  controller.abort()
  assert.is(await aborted, controller.signal.reason)
  server.release('slow')
  assert.is(await behind, 'behind')
  assert.is(server.peers.length, 1)
})

test('a written request over a lease that is aborted ends its connection', async () => {
  const pool = await open()
  const lease = await pool.acquire()
  const controller = new AbortController()
  const aborted = reasonOf(lease.request('hold slow', { signal: controller.signal }))
  await server.received('hold slow')
  controller.abort()
  assert.is(await aborted, controller.signal.reason)
  await rejects(lease.request('next'), 'CONNECTION_LOST')
  lease.release()
  assert.is(await pool.request('next'), 'next')
  assert.is(server.peers.length, 2)
  assert.is(pool.stats().counters.closedBy.abort, 1)
})

test('an exclusive request keeps to its deadline and its signal, in the queue and after', async () => {
  const pool = await open()
  const held = await pool.acquire()
  const queued = await rejects(pool.request('alone', { timeoutMs: 30 }), 'REQUEST_TIMEOUT')
  assert.equal([queued.phase, queued.outcome], ['queue', 'not-sent'])
  held.release()
  for (const peer of server.peers) peer.mute = true
  const sent = await rejects(pool.request('alone', { timeoutMs: 30 }), 'REQUEST_TIMEOUT')
  assert.equal([sent.phase, sent.outcome], ['reply', 'maybe-executed'])
  assert.match(sent.message, 'within 30 ms') // the caller's time, though a part of it went into the wait
  assert.is(await pool.request('alone again'), 'alone again')
  for (const peer of server.peers) peer.mute = true
  const controller = new AbortController()
  const aborted = reasonOf(pool.request('alone at last', { signal: controller.signal }))
  await server.received('alone at last')
  controller.abort('enough')
  assert.is(await aborted, 'enough')
  assert.is(await pool.request('next'), 'next')
  assert.is(server.peers.length, 3)
})

test('a handler waits for its connection no longer than acquireTimeoutMs', async () => {
  const pool = await open({ acquireTimeoutMs: 30 })
  const lease = await pool.acquire()
  const error = await rejects(pool.handlers.echo('never'), 'ACQUIRE_TIMEOUT')
  assert.equal([error.phase, error.outcome], ['queue', 'not-sent'])
  lease.release()
  assert.is(await pool.handlers.echo('next'), 'next')
  assert.equal(server.lines, ['next'])
})

test('progress and results of any size cross a small ring', async () => {
  const pool = await open({ ringBytes: 4_096 })
  const seen: unknown[] = []
  const text = 'abcdefgh'.repeat(20_000)
  const result = await pool.handlers.report([text, text, text], { onProgress: (value) => seen.push(value) })
  assert.equal(seen, [text, text, text])
  assert.is(result, text)
  assert.is(await pool.request(text), text)
})

test('what onProgress throws is an uncaught error of the caller, not of the handler', async () => {
  const pool = await open()
  const thrown = new Error('thrown by onProgress')
  const uncaught = new Promise<unknown>((resolve) => process.once('uncaughtException', resolve))
  const result = await pool.handlers.count(1, {
    onProgress() {
      throw thrown
    },
  })
  assert.is(result, 'counted')
  assert.is(await uncaught, thrown)
  assert.not.ok(PoolError.is(thrown))
})

test.run()
