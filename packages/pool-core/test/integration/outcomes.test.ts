import type { Counters } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { momentary } from '../support/adds-up.ts'
import { reasonOf } from '../support/callers.ts'
import { type SessionPool, sessionsFor } from '../support/sessions.ts'

const test = suite('outcomes')
const { server, open } = sessionsFor(test, { shards: 1, maxConnections: 1 })

/** As [begun, succeeded, failed, aborted]. */
function countsOf(pool: SessionPool, kind: 'acquires' | 'requests' | 'handlers'): number[] {
  const stats = pool.stats()
  const counters: Counters = stats.counters
  const { succeeded, failed, aborted } = counters.ended[kind]
  assert.equal(momentary(stats), [])
  return [counters[kind], succeeded, failed, aborted]
}

const ended = (why: string): AbortController => {
  const controller = new AbortController()
  controller.abort(new Error(why))
  return controller
}

for (const shards of [0, 1]) {
  const where = shards === 0 ? 'on the calling thread' : 'in a thread'

  test(`${where}: a request is counted once, by the way it ended, wherever it was sent`, async () => {
    const pool = await open({ shards })
    await pool.request('shared')
    await pool.request('alone')
    await pool.use((lease) => lease.request('leased'))
    await rejects(pool.request('hold never', { timeoutMs: 5 }), 'REQUEST_TIMEOUT')
    server.release('never')
    await rejects(pool.request('bye'), 'CONNECTION_LOST')
    await rejects(
      pool.use(async (lease) => {
        await lease.request('bye').catch(() => undefined)
        return lease.request('over')
      }),
      'CONNECTION_LOST',
    )
    const { signal } = ended('early')
    assert.is(await reasonOf(pool.request('never', { signal })), signal.reason)
    assert.is(await reasonOf(pool.request('alone never', { signal })), signal.reason)
    assert.equal(countsOf(pool, 'requests'), [9, 3, 4, 2])
    assert.equal(pool.stats().counters.failedBy, { REQUEST_TIMEOUT: 1, CONNECTION_LOST: 3 })
  })

  test(`${where}: an acquire and a handler are counted by the way they ended`, async () => {
    const pool = await open({ shards })
    await pool.use(() => undefined)
    await pool.handlers.echo('well')
    await rejects(pool.handlers.failing('throw'), 'HANDLER_FAILED')
    const lease = await pool.acquire()
    await rejects(pool.acquire({ timeoutMs: 5 }), 'ACQUIRE_TIMEOUT')
    await rejects(pool.handlers.echo('waits', { timeoutMs: 5 }), 'REQUEST_TIMEOUT')
    const controller = new AbortController()
    const waiting = [pool.acquire({ signal: controller.signal }), pool.handlers.echo('waits', { signal: controller.signal })]
    controller.abort()
    for (const each of waiting) assert.is(await reasonOf(each), controller.signal.reason)
    lease.release()
    assert.equal(countsOf(pool, 'acquires'), [4, 2, 1, 1])
    assert.equal(countsOf(pool, 'handlers'), [4, 1, 2, 1])
    assert.equal(pool.stats().counters.failedBy, { HANDLER_FAILED: 1, ACQUIRE_TIMEOUT: 1, REQUEST_TIMEOUT: 1 })
  })

  test(`${where}: an abort is one, even when its reason is an error of the pool's`, async () => {
    const pool = await open({ shards })
    const lost = await rejects(pool.request('bye'), 'CONNECTION_LOST')
    const controller = new AbortController()
    const held = reasonOf(pool.request('hold one', { signal: controller.signal }))
    await server.received('hold one')
    controller.abort(lost)
    assert.is(await held, lost)
    assert.equal(countsOf(pool, 'requests'), [2, 0, 1, 1])
  })

  test(`${where}: requests in flight are told from those that wait, whatever they wait for`, async () => {
    const pool = await open({ shards })
    const held = Array.from({ length: 8 }, () => pool.request('hold one'))
    await server.received('hold one', 8)
    const waiting = [pool.request('shared'), pool.request('alone')]
    const { inFlight, pending } = pool.stats()
    assert.equal([inFlight, pending], [8, { leases: 1, requests: 1 }])
    assert.equal(countsOf(pool, 'requests'), [10, 0, 0, 0])
    server.release('one')
    await Promise.all([...held, ...waiting])
    assert.equal(countsOf(pool, 'requests'), [10, 10, 0, 0])
    assert.is(pool.stats().inFlight, 0)
  })

  test(`${where}: a request that goes on to another connection is counted once`, async () => {
    const pool = await open({ shards })
    await pool.request('first')
    const reply = pool.request('hold one', { idempotent: true })
    await server.received('hold one')
    server.peers[0]?.socket.destroy()
    await server.received('hold one', 2)
    server.release('one')
    assert.is(await reply, 'one')
    assert.equal(countsOf(pool, 'requests'), [2, 2, 0, 0])
    assert.is(pool.stats().counters.moved, 1)
  })
}

test('stats say whether the pool is paused', async () => {
  const pool = await open()
  const paused: boolean[] = [pool.stats().paused]
  pool.pause()
  paused.push(pool.stats().paused)
  pool.resume()
  paused.push(pool.stats().paused)
  assert.equal(paused, [false, true, false])
})

test('bytes that wait on the calling thread are counted, and gone when they are sent', async () => {
  const pool = await open({ ringBytes: 4096 })
  const lease = await pool.acquire()
  const text = 'x'.repeat(100_000)
  const reply = lease.request(text)
  assert.ok(pool.stats().bufferedBytes > 50_000, 'the ring takes 4 KiB')
  assert.is(await reply, text)
  await until(() => pool.stats().bufferedBytes === 0, 'none is left')
  lease.release()
})

test.run()
