import type { PoolStats, Times } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { freePort } from '../../../pool-worker/test/kit/servers.ts'
import { final, momentary } from '../support/adds-up.ts'
import { acquireAll, fewMs, releaseAll } from '../support/callers.ts'
import { type SessionPool, sessionsFor } from '../support/sessions.ts'

const test = suite('stats')
const { server, open } = sessionsFor(test, { shards: 2, maxConnections: 6 })

/** What holds at every moment, whatever happens. */
function assertAddsUp(stats: PoolStats): void {
  assert.equal(momentary(stats), [])
  const { connections, opening, counters } = stats
  // Among `opening` are those that are probed, which are open.
  const open = counters.opened - counters.closed
  assert.ok(open <= connections && open >= connections - opening, `${open} are open of ${connections}`)
}

/** What holds when nothing is under way. */
function assertAtRest(pool: SessionPool): void {
  const { connections, idle, counters, pending } = pool.stats()
  assert.is(idle, connections)
  assert.is(counters.opened - counters.closed, connections, 'opened − closed are open')
  assert.is(counters.acquired, counters.released)
  assert.is(counters.opening, counters.opened + counters.connectFailures + counters.connectsAbandoned)
  assert.equal(pending, { leases: 0, requests: 0 })
  assert.equal(pool.check(), [])
}

const atRest = (pool: SessionPool): Promise<void> =>
  until(() => {
    const { idle, connections } = pool.stats()
    return idle === connections
  }, 'all connections are idle')

function assertTimes({ count, mean, p50, p90, p99, max }: Times, expected: number): void {
  assert.is(count, expected)
  if (count === 0) return assert.equal([mean, p50, p90, p99, max], [0, 0, 0, 0, 0])
  assert.ok(p50 > 0 && mean > 0)
  assert.ok(p50 <= p90 && p90 <= p99 && p99 <= max * 1.01, `${p50} ${p90} ${p99} ${max}`) // the histogram keeps three digits
}

for (const shards of [0, 2]) {
  const where = shards === 0 ? 'on the calling thread' : 'in threads'

  test(`${where}: in the middle of everything the states add up, and at rest the counters subtract`, async () => {
    const pool = await open({ shards, probeAfterIdleMs: 1, idleTimeoutMs: 20, maxIdle: 3 })
    const one = async (turn: number): Promise<unknown> => {
      const kind = turn % 6
      if (kind === 0) return pool.request(`request ${turn}`)
      if (kind === 1) return pool.handlers.echo(`handler ${turn}`)
      if (kind === 2) return pool.use((lease) => lease.request('set blue'))
      if (kind === 3) return pool.use((lease) => lease.destroy())
      if (kind === 4) return pool.request('bye').catch(() => undefined)
      return pool.request('hold never', { timeoutMs: 5 }).catch(() => undefined)
    }
    let running = true
    const work = (async () => {
      for (let round = 0; round < 10; round++) await Promise.allSettled(Array.from({ length: 30 }, (_, turn) => one(turn)))
      running = false
    })()
    while (running) {
      assertAddsUp(pool.stats())
      await new Promise(setImmediate)
    }
    await work
    server.release('never')
    await atRest(pool)
    assertAddsUp(pool.stats())
    assertAtRest(pool)
    assert.ok(pool.stats().counters.closed > 0 && pool.stats().counters.timeouts > 0)
  })

  test(`${where}: leases that are held, and callers who wait, are counted`, async () => {
    const pool = await open({ shards, maxConnections: 3 })
    const leases = await acquireAll(pool, 3)
    const waiting = [pool.acquire(), pool.acquire(), pool.request('waits')] as const
    const { connections, inUse, idle, pending, counters } = pool.stats()
    assert.equal([connections, inUse, idle], [3, 3, 0])
    assert.equal(pending, { leases: 2, requests: 1 })
    assert.is(counters.acquired - counters.released, 3)
    releaseAll(leases)
    for (const lease of [await waiting[0], await waiting[1]]) lease.release()
    await waiting[2]
    await atRest(pool)
    assertAtRest(pool)
  })

  test(`${where}: the times of waits, connects and uses are kept as histograms`, async () => {
    const pool = await open({ shards, maxConnections: 2 })
    const before = pool.stats()
    for (const times of [before.wait, before.connect, before.use]) assertTimes(times, 0)
    const leases = await acquireAll(pool, 2)
    const waiting = pool.acquire()
    await fewMs()
    releaseAll(leases)
    ;(await waiting).release()
    await pool.handlers.echo('used')
    const { wait, connect, use } = pool.stats()
    assertTimes(connect, 2)
    assertTimes(wait, 3)
    assertTimes(use, 4)
    assert.ok(wait.max >= 3 && use.max >= 3, 'the third has waited while the others held theirs')
  })

  test(`${where}: a connection is counted by the reason of its end`, async () => {
    const pool = await open({ shards: Math.min(shards, 1), maxConnections: 1 })
    await pool.use((lease) => lease.destroy())
    await pool.request('bye').catch(() => undefined)
    const lease = await pool.acquire()
    await rejects(lease.request('hold never', { timeoutMs: 10 }), 'REQUEST_TIMEOUT')
    lease.release()
    await pool.request('next')
    server.peers.at(-1)?.socket.write('nobody asked\n')
    await until(() => pool.stats().connections === 0, 'it is gone')
    assert.equal(pool.stats().counters.closedBy, { error: 1, 'peer-end': 1, abort: 1, 'stray-bytes': 1 })
    assertAtRest(pool)
  })

  test(`${where}: connects that fail are counted apart`, async () => {
    const endpoint = `tcp://127.0.0.1:${await freePort()}`
    const pool = await open({ shards, endpoint, failFastAfter: 1, backoff: { initialMs: 100_000 } })
    await rejects(pool.request('never'), 'CONNECT_FAILED')
    await rejects(pool.acquire(), 'UNAVAILABLE')
    const { opening, opened, connectFailures, closed, refused } = pool.stats().counters
    assert.equal([opening, opened, connectFailures, closed, refused], [1, 0, 1, 0, 1])
    assertAtRest(pool)
  })
}

for (const shards of [0, 2]) {
  test(`shards: ${shards}: a connect that nobody saw to its end is counted as abandoned, be it the pool or a shard that ends`, async () => {
    const silent = (): Promise<never> => new Promise(() => undefined)
    const pool = await open({ shards, maxConnections: 2, minConnections: 2, credentials: silent })
    const acquired = rejects(pool.acquire(), 'POOL_CLOSED')
    assert.is(pool.stats().opening, 2)
    await pool.close()
    await acquired
    const { opening, opened, connectFailures, connectsAbandoned } = pool.stats().counters
    assert.equal([opening, opened, connectFailures, connectsAbandoned], [2, 0, 0, 2])
  })

  test(`shards: ${shards}: a pool that is closed tells what it has done, and that nothing is left`, async () => {
    const pool = await open({ shards, maxConnections: 3 })
    const lease = await pool.acquire()
    const working = rejects(pool.handlers.stubborn('on'), 'POOL_CLOSED')
    await until(() => pool.stats().shards.some(({ handlers }) => handlers === 1), 'the handler runs')
    await pool.close({ timeoutMs: 1 })
    await working
    const { connections, idle, inUse, closing, counters } = pool.stats()
    assert.equal([connections, idle, inUse, closing], [0, 0, 0, 0])
    assert.equal([counters.opened, counters.closedBy], [2, { shutdown: 2 }])
    assert.is(counters.acquired - counters.released, 1, 'its holder has it still')
    lease.release()
    assert.equal(final(pool.stats()), [])
  })
}

test('each shard tells how busy its event loop is and how late: one that computes stands out', async () => {
  const pool = await open({ maxConnections: 2, minConnections: 2 })
  await pool.ready()
  const before = pool.stats().shards
  for (const { utilization, delay, state } of before) {
    assert.ok(utilization >= 0 && utilization <= 1)
    assert.ok(delay.p50 >= 0 && delay.p99 >= delay.p50 && delay.max >= 0)
    assert.is(state, 'live')
  }
  const computing = pool.handlers.compute(300)
  await until(() => pool.stats().shards.some((shard) => shard.handlers === 1), 'it runs')
  const busy = pool.stats().shards.findIndex((shard) => shard.handlers === 1)
  await computing
  const [shards, again] = [pool.stats().shards, pool.stats().shards]
  const busyMs = (at: number, later = shards): number => (later[at]?.busyMs ?? 0) - (before[at]?.busyMs ?? 0)
  const elapsedMs = (shards[busy]?.elapsedMs ?? 0) - (before[busy]?.elapsedMs ?? 0)
  assert.ok(busyMs(busy) > elapsedMs / 2, `${busyMs(busy)} of ${elapsedMs} ms`)
  assert.ok(busyMs(busy, again) > elapsedMs / 2, 'whoever looks next sees it too') // a thread's idle time may come a look late
  assert.ok(busyMs(1 - busy) < busyMs(busy))
  assert.ok((shards[busy]?.utilization ?? 0) > 0 && (again[busy]?.utilization ?? 0) > 0)
  // What is before the first sample of a thread, and after the last, is not in the histogram.
  const lateness = (): number => Math.max(...pool.stats().shards.map(({ delay }) => delay.max))
  for (let turn = 0; turn < 5 && lateness() < 200; turn++) await pool.handlers.compute(300)
  assert.ok(lateness() >= 200)
})

test.run()
