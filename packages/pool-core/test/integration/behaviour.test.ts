import type { Lease } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { acquireAll, fewMs, reasonOf, releaseAll } from '../support/callers.ts'
import { sessionsFor } from '../support/sessions.ts'

const test = suite('behaviour')
const { server, open } = sessionsFor(test, { shards: 0 })

// Leases.

test('use() releases what it was lent when its function throws or rejects', async () => {
  const pool = await open({ maxConnections: 1 })
  const failure = new Error('mine')
  assert.is(
    await reasonOf(
      pool.use(() => {
        throw failure
      }),
    ),
    failure,
  )
  assert.is(await reasonOf(pool.use(() => Promise.reject(failure))), failure)
  assert.is(await pool.use((lease) => lease.request('good')), 'good')
  assert.is(server.peers.length, 1)
  assert.is(pool.stats().idle, 1)
})

test('the connection that was used last is lent first', async () => {
  const pool = await open()
  const [a, b, c] = (await acquireAll(pool, 3)) as [Lease, Lease, Lease] // three were asked for
  const ids = [b, c, a].map((lease) => lease.connection.id)
  for (const lease of [b, c, a]) lease.release()
  const leases = await acquireAll(pool, 3)
  assert.equal(leases.map((lease) => lease.connection.id).reverse(), ids)
  releaseAll(leases)
})

test('connections released above maxIdle are closed', async () => {
  const pool = await open({ maxConnections: 4, maxIdle: 1 })
  releaseAll(await acquireAll(pool, 4))
  assert.is(pool.stats().idle, 1)
  await until(() => pool.stats().counters.closedBy.idle === 3, 'three have closed')
  await until(() => server.peers.length === 4 && server.open.length === 1, 'the server has seen it')
})

test('maxIdle holds for connections of requests too', async () => {
  const pool = await open({ maxConnections: 4, maxIdle: 1, pipelining: 1 })
  const texts = ['a', 'b', 'c', 'd']
  assert.equal(await Promise.all(texts.map((text) => pool.request(text))), texts)
  assert.is(pool.stats().idle, 1)
  await until(() => pool.stats().connections === 1, 'the others are closed')
})

test('a lease tells which connection it has', async () => {
  const before = Date.now()
  const pool = await open({ maxConnections: 1 })
  const lease = await pool.acquire()
  const { id, shard, endpoint, createdAt, uses } = lease.connection
  assert.is(shard, 0)
  assert.is(endpoint, server.endpoint)
  assert.is(uses, 1)
  assert.ok(createdAt >= before - 1 && createdAt <= Date.now() + 1)
  await lease.request('one')
  lease.release()
  const second = await pool.acquire()
  assert.is(second.connection.id, id)
  assert.is(second.connection.uses, 3)
  second.destroy()
  const third = await pool.acquire()
  assert.is.not(third.connection.id, id)
  third.release()
})

test('release comes once; disposing afterwards does nothing', async () => {
  const pool = await open()
  const lease = await pool.acquire()
  lease.release()
  assert.throws(
    () => lease.release(),
    (error: { code?: string }) => error.code === 'LEASE_RELEASED',
  )
  assert.throws(
    () => lease.destroy(),
    (error: { code?: string }) => error.code === 'LEASE_RELEASED',
  )
  lease[Symbol.dispose]()
  await rejects(lease.request('late'), 'LEASE_RELEASED')
  const { acquired, released } = pool.stats().counters
  assert.equal([acquired, released], [1, 1])
})

test('a lease that is released while its reply is owed costs its connection', async () => {
  const pool = await open({ maxConnections: 1 })
  const lease = await pool.acquire()
  const owed = rejects(lease.request('hold debt'), 'CONNECTION_LOST')
  await server.received('hold debt')
  lease.release()
  await owed
  server.release('debt')
  assert.is(await pool.request('next'), 'next')
  assert.is(server.peers.length, 2)
})

test('what a lease changed is reset before the next caller; what it only read is not', async () => {
  const pool = await open({ maxConnections: 1 })
  await pool.use((lease) => lease.request('get'))
  await pool.use((lease) => lease.request('set blue'))
  assert.is(await pool.request('get'), '-')
  assert.equal(server.lines, ['get', 'set blue', 'reset', 'get'])
  assert.is(server.peers.length, 1)
})

test('a request that changes its connection needs a lease; one that must be alone shares with nobody', async () => {
  const pool = await open({ maxConnections: 2 })
  const error = await rejects(pool.request('set red'), 'BAD_REQUEST')
  assert.is(error.outcome, 'not-sent')
  const held = pool.request('hold it')
  await server.received('hold it')
  assert.is(await pool.request('alone'), 'alone')
  assert.equal(
    server.peers.map((peer) => peer.lines),
    [['hold it'], ['alone']],
  )
  server.release('it')
  await held
})

for (const text of ['shared', 'alone']) {
  test(`a request (${text}) whose connection dies unanswered is sent once more if it is idempotent, and else rejects`, async () => {
    const pool = await open({ maxConnections: 1 })
    const dieUnanswered = async (times: number): Promise<void> => {
      await server.received(text, times)
      server.open[0]?.socket.destroy()
    }
    const mute = async (): Promise<void> => {
      await pool.request('first')
      for (const peer of server.open) peer.mute = true
    }
    await mute()
    const [error] = await Promise.all([rejects(pool.request(text), 'CONNECTION_LOST'), dieUnanswered(1)])
    assert.is(error.outcome, 'maybe-executed')
    await mute()
    const [reply] = await Promise.all([pool.request(text, { idempotent: true }), dieUnanswered(2)])
    assert.is(reply, text)
    await server.received(text, 3)
    assert.is(pool.stats().counters.moved, 1)
  })
}

test('a lease whose connection dies says so by its signal, and rejects', async () => {
  const pool = await open({ maxConnections: 1 })
  const lease = await pool.acquire()
  await lease.request('one')
  const { signal } = lease
  server.peers[0]?.socket.destroy()
  await until(() => signal.aborted, 'its signal says so')
  assert.is((signal.reason as { code?: string }).code, 'CONNECTION_LOST')
  const error = await rejects(lease.request('two'), 'CONNECTION_LOST')
  assert.is(error.outcome, 'not-sent')
  lease.release()
  assert.is(await pool.request('next'), 'next')
})

// The queue.

test('an acquire at the cap reserves a shared connection, and has it when nothing is in flight on it', async () => {
  const pool = await open({ maxConnections: 1 })
  const a = pool.request('hold a')
  const b = pool.request('hold b')
  await server.received('hold b')
  const order: string[] = []
  const acquired = pool.acquire().then((lease) => {
    order.push('lease')
    return lease
  })
  const behind = pool.request('behind').then(() => order.push('behind'))
  server.release('a')
  await a
  assert.equal(pool.stats().pending, { leases: 1, requests: 1 })
  server.release('b')
  await b
  const lease = await acquired
  assert.is(await lease.request('mine'), 'mine')
  assert.equal(server.lines, ['hold a', 'hold b', 'mine'])
  lease.release()
  await behind
  assert.equal(order, ['lease', 'behind'])
  assert.is(server.peers.length, 1)
})

test('requests and acquires are served in the order of their coming', async () => {
  const pool = await open({ maxConnections: 1 })
  const first = await pool.acquire()
  const order: number[] = []
  const served = Array.from({ length: 12 }, (_, turn) =>
    turn % 2 === 0
      ? pool.use(() => {
          order.push(turn)
        })
      : pool.request(`turn ${turn}`).then(() => {
          order.push(turn)
        }),
  )
  assert.equal(pool.stats().pending, { leases: 6, requests: 6 })
  first.release()
  await Promise.all(served)
  assert.equal(order, [...Array(12).keys()])
})

test('one caller more than maxPending is refused at once', async () => {
  const pool = await open({ maxConnections: 1, maxPending: 2 })
  const lease = await pool.acquire()
  const waiting = [pool.acquire(), pool.request('waits')] as const
  const error = await rejects(pool.acquire(), 'QUEUE_FULL')
  assert.is(error.counts?.pending, 2)
  await rejects(pool.request('too many'), 'QUEUE_FULL')
  lease.release()
  ;(await waiting[0]).release()
  assert.is(await waiting[1], 'waits')
})

test('an acquire that is cancelled rejects with the reason unchanged, and the connection that was coming stays', async () => {
  let sign: (answer: { username: string; password: string }) => void = () => undefined
  const credentials = () =>
    new Promise<{ username: string; password: string }>((resolve) => {
      sign = resolve
    })
  const pool = await open({ credentials }, { greeting: 'hello' })
  const controller = new AbortController()
  const reason = { why: 'enough' }
  const cancelled = reasonOf(pool.acquire({ signal: controller.signal }))
  controller.abort(reason)
  assert.is(await cancelled, reason)
  assert.is(pool.stats().opening, 1)
  sign({ username: 'ada', password: 'x' })
  await until(() => pool.stats().idle === 1, 'it is idle')
  assert.equal(server.lines, ['hello ada x'])
  assert.is(pool.tryAcquire()?.connection.uses, 1)
})

test('a request that is cancelled in the queue is never sent', async () => {
  const pool = await open({ maxConnections: 1 })
  const lease = await pool.acquire()
  const controller = new AbortController()
  const cancelled = reasonOf(pool.request('never', { signal: controller.signal }))
  controller.abort('a word')
  assert.is(await cancelled, 'a word')
  assert.is(await reasonOf(pool.request('never', { signal: AbortSignal.abort(3) })), 3)
  lease.release()
  assert.is(await pool.request('next'), 'next')
  assert.equal(server.lines, ['next'])
})

test('the wait for a connection and its connect have one deadline, which nothing arms anew', async () => {
  let asked = 0
  const credentials = () => (asked++ === 0 ? { username: 'first' } : new Promise<never>(() => undefined))
  const pool = await open({ maxConnections: 1, credentials })
  const lease = await pool.acquire()
  const order: string[] = []
  const noted = (name: string, timeoutMs: number) =>
    rejects(pool.acquire({ timeoutMs }), 'ACQUIRE_TIMEOUT').then((error) => {
      order.push(name)
      return error
    })
  const older = noted('older', 300)
  const younger = noted('younger', 400)
  lease.destroy()
  await until(() => asked === 2, 'a connection is coming for the older')
  const error = await older
  assert.is(error.phase, 'connect')
  assert.is(error.outcome, 'not-sent')
  await younger
  assert.equal(order, ['older', 'younger'])
})

test('the time-out of a request says where its time went, and what the server may have seen', async () => {
  const pool = await open({ maxConnections: 1 })
  const lease = await pool.acquire()
  const queued = await rejects(pool.request('queued', { timeoutMs: 50 }), 'REQUEST_TIMEOUT')
  assert.equal([queued.phase, queued.outcome], ['queue', 'not-sent'])
  lease.release()
  const sent = await rejects(pool.request('hold sent', { timeoutMs: 50 }), 'REQUEST_TIMEOUT')
  assert.equal([sent.phase, sent.outcome], ['reply', 'maybe-executed'])
  server.release('sent')
  assert.is(await pool.request('next'), 'next')
  assert.is(server.peers.length, 1)
  assert.is(pool.stats().counters.timeouts, 2)
})

test('tryAcquire lends what is idle and fresh, and never waits', async () => {
  const pool = await open({ maxConnections: 1, probeAfterIdleMs: Infinity })
  assert.is(pool.tryAcquire(), undefined)
  const lease = await pool.acquire()
  assert.is(pool.tryAcquire(), undefined)
  lease.release()
  const again = pool.tryAcquire()
  assert.is(await again?.request('again'), 'again')
  again?.release()
  const probing = await open({ maxConnections: 1, probeAfterIdleMs: 1 })
  await probing.request('used')
  await fewMs()
  assert.is(probing.tryAcquire(), undefined, 'it would need a probe')
  assert.is(probing.stats().idle, 1)
  await pool.close()
  assert.throws(
    () => pool.tryAcquire(),
    (error: { code?: string }) => error.code === 'POOL_CLOSED',
  )
})

test.run()
