import { once } from 'node:events'
import type { Socket } from 'node:net'
import { type LeakEvent, type Lease, PoolError, type PoolEvents, resp } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { fewMs, reasonOf } from '../support/callers.ts'
import { collectUntil } from '../support/collecting.ts'
import { atRest, closing, echo, startPeer } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'
import { type SessionPool, sessionsFor } from '../support/sessions.ts'

const test = suite('overdue leases')
const { server, open } = sessionsFor(test, { shards: 1, maxConnections: 2 })
const made = closing(test)

const nothing = (): void => undefined

/** Everything that is told of leaks. */
function listen(pool: SessionPool): { readonly leaks: LeakEvent[]; readonly returned: PoolEvents['leakReturned'][] } {
  const heard = { leaks: [] as LeakEvent[], returned: [] as PoolEvents['leakReturned'][] }
  pool.events.on('leak', (leak) => heard.leaks.push(leak))
  pool.events.on('leakReturned', (leak) => heard.returned.push(leak))
  return heard
}

function thrownBy(action: () => unknown): PoolError {
  try {
    action()
  } catch (error) {
    if (PoolError.is(error)) return error
    throw error
  }
  throw new Error('it threw nothing')
}

test('a lease held longer than leakDetectionMs is told of once, with the stack of whoever acquired it, and so is its return', async () => {
  const pool = await open({ leakDetectionMs: 20 })
  const { leaks, returned } = listen(pool)
  const quick = await pool.acquire()
  quick.release()
  const borrowedHere = (): Promise<Lease<string, string>> => pool.acquire()
  const lease = await borrowedHere()
  await until(() => leaks.length > 0, 'the leak is told')
  const [leak] = leaks
  assert.equal(leak?.connection, lease.connection)
  assert.equal([leak?.collected, leak?.expired], [false, false])
  assert.ok((leak?.heldMs ?? 0) >= 20)
  assert.match(leak?.stack ?? '', /borrowedHere .*overdue-leases\.test/)
  assert.not.match(leak?.stack ?? '', /Error\n|Leasing/)
  assert.match(pool.leases()[0]?.stack ?? '', /borrowedHere/)
  assert.is(await lease.request('still good'), 'still good')
  assert.equal(returned, [])
  lease.release()
  await until(() => returned.length > 0, 'its return is told')
  assert.equal([returned[0]?.connection, returned[0]?.stack], [leak?.connection, leak?.stack])
  assert.ok((returned[0]?.heldMs ?? 0) >= (leak?.heldMs ?? Infinity))
  await atRest(pool)
  assert.equal([leaks.length, returned.length], [1, 1])
})

test('leases of use() and tryAcquire() are told of too; those of requests and handlers have their own limits', async () => {
  const pool = await open({ leakDetectionMs: 10, maxConnections: 4, probeAfterIdleMs: Infinity })
  const { leaks } = listen(pool)
  const exclusive = pool.request('alone')
  const handled = Promise.allSettled([pool.handlers.stubborn('handled')])
  await exclusive
  await server.received('hold handled')
  await until(() => pool.stats().idle > 0, 'a connection is idle')
  const tried = pool.tryAcquire()
  assert.ok(tried)
  await pool.use(() => until(() => leaks.length === 2, 'both are told'))
  tried?.release()
  for (const api of ['Pool.tryAcquire', 'Pool.use']) assert.is(leaks.filter(({ stack }) => stack?.includes(api)).length, 1, api)
  server.release('handled')
  assert.is((await handled)[0].status, 'fulfilled')
  await atRest(pool)
  assert.is(leaks.length, 2)
})

for (const which of ['an idle', 'a new'] as const) {
  test(`a request that has ${which} connection to itself holds no lease that can be held too long`, async () => {
    const waiting: Socket[] = []
    const peer = await made(
      startPeer((socket) => {
        socket.on('data', (command) => void (String(command).includes('BLPOP') ? waiting.push(socket) : socket.write('+PONG\r\n')))
      }),
    )
    const limits = { maxConnections: 2, probeAfterIdleMs: Infinity, leakDetectionMs: 10, maxLeaseMs: 40 }
    const pool = await made(createPool({ endpoint: peer.endpoint, shards: 1, protocol: resp(), ...limits }))
    const leaks: LeakEvent[] = []
    pool.events.on('leak', (leak) => leaks.push(leak))
    if (which === 'an idle') await pool.request(['PING'])
    const popped = pool.request(['BLPOP', 'list', 0])
    await until(() => waiting.length === 1, 'it waits at the server')
    const later = await pool.acquire()
    await once(later.signal, 'abort')
    waiting[0]?.write('*-1\r\n')
    assert.is(await popped, null)
    assert.is(leaks.length, 1)
    assert.is(pool.stats().counters.reclaimed, 1)
    await atRest(pool)
  })
}

test('when nobody listens the process is warned of each, with the stack', async () => {
  const warnings: (Error & { code?: string; detail?: string })[] = []
  const hear = (warning: Error): void => void warnings.push(warning)
  process.on('warning', hear)
  try {
    const pool = await open({ leakDetectionMs: 5 })
    const leases = [await pool.acquire(), await pool.acquire()]
    await until(() => warnings.length === 2, 'both warnings have come')
    for (const { name, code, message, detail } of warnings) {
      assert.equal([name, code], ['CenoteLeakWarning', 'CENOTE_LEAK'])
      assert.match(message, /a lease of connection 0\/\d\/\d+ to tcp:.*held for \d+ ms, has not been released yet/)
      assert.match(detail ?? '', /overdue-leases\.test/)
    }
    for (const lease of leases) lease.release()
  } finally {
    process.off('warning', hear)
  }
})

test('a lease that was told of and then forgotten is told of again, as collected', async () => {
  const pool = await open({ leakDetectionMs: 5 })
  const { leaks, returned } = listen(pool)
  await (async () => void (await pool.acquire()))()
  await until(() => leaks.length === 1, 'it is told')
  await collectUntil(() => leaks.length === 2, 'and again')
  assert.equal(
    leaks.map(({ collected }) => collected),
    [false, true],
  )
  assert.match(leaks[1]?.stack ?? '', /overdue-leases\.test/)
  await atRest(pool)
  assert.equal(returned, [])
})

for (const shards of [0, 1]) {
  const where = shards === 0 ? 'on the calling thread' : 'in a thread'

  test(`${where}: after maxLeaseMs a lease has ended: its requests reject, its signal aborts, whoever waits is served`, async () => {
    const pool = await open({ shards, maxConnections: 1, maxLeaseMs: 20 })
    const { leaks, returned } = listen(pool)
    const lease = await pool.acquire()
    const { signal } = lease
    const inFlight = lease.request('hold never')
    const waiting = pool.request('waits')
    const error = await rejects(inFlight, 'LEASE_EXPIRED')
    assert.is(error.outcome, 'maybe-executed')
    assert.ok(signal.aborted)
    assert.is((signal.reason as PoolError).code, 'LEASE_EXPIRED')
    assert.is(await waiting, 'waits')

    assert.is((await rejects(lease.request('late'), 'LEASE_EXPIRED')).outcome, 'not-sent')
    for (const late of [() => lease.stream(), () => lease.onPush(nothing), () => lease.connection])
      assert.is(thrownBy(late).code, 'LEASE_EXPIRED')
    lease.release() // its holder could not know
    lease.destroy()
    lease.release()
    lease[Symbol.dispose]()
    await atRest(pool)
    const { acquired, released, reclaimed, closedBy } = pool.stats().counters
    assert.equal([acquired, released, reclaimed, closedBy.leak], [1, 0, 1, 1])
    await until(() => leaks.length > 0, 'it is told')
    assert.equal([leaks.length, leaks[0]?.expired, leaks[0]?.collected], [1, true, false])
    assert.equal(returned, [], 'it was taken back, so nobody returned it')
  })
}

test('use() meets LEASE_EXPIRED in its requests, and ends as its function does', async () => {
  const pool = await open({ maxLeaseMs: 10 })
  await rejects(
    pool.use((lease) => lease.request('hold never')),
    'LEASE_EXPIRED',
  )
  const ended = await pool.use(async (lease) => {
    await once(lease.signal, 'abort')
    return 'all the same'
  })
  assert.is(ended, 'all the same')
  await atRest(pool)
  assert.is(pool.stats().counters.reclaimed, 2)
})

test('a stream ends with its lease after maxLeaseMs', async () => {
  const peer = await made(startPeer(echo))
  const pool = await made(createPool({ endpoint: peer.endpoint, shards: 1, maxConnections: 1, maxLeaseMs: 20 }))
  const lease = await pool.acquire()
  const stream = lease.stream()
  stream.write('hello')
  const [error] = (await once(stream, 'error')) as [PoolError] // what ends a stream
  assert.is(error.code, 'LEASE_EXPIRED')
  const next = await pool.acquire()
  next.release()
  assert.is(pool.stats().counters.closedBy.leak, 1)
  lease.release()
})

test('a lease that was given back in time is not cut, nor is the one after it on the same connection', async () => {
  const pool = await open({ maxConnections: 1, maxLeaseMs: 400 })
  for (const end = performance.now() + 1_000; performance.now() < end; ) {
    const lease = await pool.acquire()
    await fewMs()
    lease.release()
  }
  await atRest(pool)
  assert.is(pool.stats().counters.reclaimed, 0)
  assert.is(server.peers.length, 1)
})

test('a lease whose connection died, and is still held, ends after maxLeaseMs too', async () => {
  const pool = await open({ maxLeaseMs: 1_000 })
  const lease = await pool.acquire()
  const reason = await reasonOf(lease.request('bye'))
  assert.is((reason as PoolError).code, 'CONNECTION_LOST')
  await until(() => pool.stats().counters.reclaimed === 1, 'it is taken back')
  await rejects(lease.request('late'), 'LEASE_EXPIRED')
  lease.release()
  assert.is(pool.stats().counters.released, 0)
})

test('a lease that waits for another connection when its time is up ends, and the connection goes to whoever comes', async () => {
  const pool = await open({ maxConnections: 1, maxLeaseMs: 50, acquireTimeoutMs: 5_000 })
  const lease = await pool.acquire()
  await until(() => server.peers.length === 1, 'it is connected')
  pool.pause()
  server.peers[0]?.socket.destroy()
  await until(() => pool.leases().length === 0, 'its connection is gone')
  const waiting = lease.request('waits')
  assert.is((await rejects(waiting, 'LEASE_EXPIRED')).outcome, 'not-sent')
  pool.resume()
  assert.is(await pool.request('next'), 'next')
  await atRest(pool)
  assert.equal([pool.stats().counters.acquired, pool.stats().counters.reclaimed], [1, 1])
})

test('closing a pool stops the clocks of its leases', async () => {
  const peer = await made(startPeer(echo))
  const pool = await createPool({ endpoint: peer.endpoint, shards: 0, leakDetectionMs: 60_000, maxLeaseMs: 120_000 })
  const lease = await pool.acquire()
  await pool.close({ timeoutMs: 1 })
  assert.is(pool.stats().counters.released, 0)
  lease.release()
  assert.is(pool.stats().counters.released, 1)
})

test.run()
