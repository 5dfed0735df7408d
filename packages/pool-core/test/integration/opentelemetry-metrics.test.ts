import type { PoolStats } from '@cenote/pool-core'
import { instrument } from '@cenote/pool-core/opentelemetry'
import type { Attributes } from '@opentelemetry/api'
import * as assert from 'uvu/assert'
import { rejects, suite } from '../../../pool-worker/test/kit/kit.ts'
import { CONNECTION_METRICS, type Metric, OWN_METRICS, PREFIX } from '../../src/telemetry/names.ts'
import { fewMs, reasonOf } from '../support/callers.ts'
import { collectMetrics, type Metrics, type Point } from '../support/otel.ts'
import { atRest } from '../support/peers.ts'
import { type SessionPool, sessionsFor } from '../support/sessions.ts'

const test = suite('OpenTelemetry metrics')
const { server, open } = sessionsFor(test, { shards: 2, maxConnections: 2 })

type Read = Awaited<ReturnType<Metrics['read']>>

/** The value of the one point that has these attributes, whatever others it has; undefined if there is none. */
function numberOf(read: Read, name: string, attributes: Attributes = {}): number | undefined {
  const fits = (point: Point): boolean => Object.entries(attributes).every(([key, value]) => point.attributes[key] === value)
  const points = read.get(name)?.points.filter(fits) ?? []
  assert.ok(points.length <= 1, `${name} ${JSON.stringify(attributes)}: ${points.length} points`)
  return points[0]?.value
}

/** Has everything happen that is counted. */
async function use(pool: SessionPool): Promise<void> {
  await pool.request('one')
  await pool.handlers.echo('two')
  const leases = [await pool.acquire(), await pool.acquire()]
  await rejects(pool.acquire({ timeoutMs: 5 }), 'ACQUIRE_TIMEOUT')
  await rejects(pool.request('three', { timeoutMs: 5 }), 'REQUEST_TIMEOUT')
  const controller = new AbortController()
  const aborted = reasonOf(pool.acquire({ signal: controller.signal }))
  controller.abort()
  await aborted
  const waiting = pool.acquire()
  await fewMs()
  for (const lease of leases) lease.release()
  ;(await waiting).release()
  await rejects(pool.request('bye'), 'CONNECTION_LOST')
  await atRest(pool)
}

function assertEqualsStats(read: Read, stats: PoolStats, connection: string, name: string): void {
  const of = (metric: string, attributes: Attributes = {}): number | undefined =>
    numberOf(read, `${connection}${metric}`, { ...attributes, [`${connection}pool.name`]: name })
  const { counters } = stats
  assert.is(of('count', { [`${connection}state`]: 'idle' }), stats.idle)
  assert.is(of('count', { [`${connection}state`]: 'used' }), stats.inUse + stats.resetting)
  assert.is(of('pending_requests'), stats.pending.leases + stats.pending.requests)
  assert.is(of('timeouts'), counters.waitTimeouts)
  assert.equal(
    ['create_time', 'wait_time', 'use_time'].map((time) => of(time) ?? 0),
    [stats.connect.count, stats.wait.count, stats.use.count],
  )
  const pool = { 'cenote.pool.name': name }
  for (const [kind, word] of [
    ['acquires', 'acquire'],
    ['requests', 'request'],
    ['handlers', 'handler'],
  ] as const)
    for (const [outcome, count] of Object.entries(counters.ended[kind]))
      assert.is(numberOf(read, 'cenote.calls', { ...pool, 'cenote.call.kind': word, 'cenote.call.outcome': outcome }), count)
  for (const [code, count] of Object.entries(counters.failedBy))
    assert.is(numberOf(read, 'cenote.failures', { ...pool, 'error.type': code }), count)
  for (const [reason, count] of Object.entries(counters.closedBy))
    assert.is(numberOf(read, 'cenote.connections.closed', { ...pool, 'cenote.close.reason': reason }), count)
  assert.equal(
    [numberOf(read, 'cenote.requests.in_flight', pool), numberOf(read, 'cenote.buffered', pool)],
    [stats.inFlight, stats.bufferedBytes],
  )
  for (const { endpoint, connections } of stats.endpoints)
    assert.is(numberOf(read, 'cenote.endpoint.connections', { ...pool, 'cenote.endpoint': endpoint }), connections)
  for (const { shard } of stats.shards) {
    const busy = numberOf(read, 'cenote.shard.utilization', { ...pool, 'cenote.shard': shard })
    assert.ok(busy !== undefined && busy >= 0 && busy <= 1, `${busy}`)
    const busyTime = numberOf(read, 'cenote.shard.busy_time', { ...pool, 'cenote.shard': shard })
    assert.ok(busyTime !== undefined && busyTime >= 0, `${busyTime}`)
  }
}

for (const shards of [0, 2]) {
  const where = shards === 0 ? 'on the calling thread' : 'in threads'

  test(`${where}: all numbers are those of stats(), at rest and in the middle of work`, async () => {
    const { provider, read } = collectMetrics()
    const pool = await open({ shards, name: 'metered' })
    const stop = instrument(pool, { meterProvider: provider, tracerProvider: false })
    await use(pool)
    assertEqualsStats(await read(), pool.stats(), 'cenote.connection.', 'metered')
    assert.ok(pool.stats().wait.count >= 3 && pool.stats().counters.waitTimeouts === 2)
    const lease = await pool.acquire()
    const held = lease.request('hold one')
    const shared = pool.request('hold one')
    const waiting = pool.acquire()
    await server.received('hold one', 2)
    const [then, stats] = [await read(), pool.stats()]
    server.release('one')
    await Promise.all([held, shared])
    lease.release()
    ;(await waiting).release()
    assertEqualsStats(then, stats, 'cenote.connection.', 'metered')
    assert.equal([stats.inFlight, stats.pending.leases], [2, 1])
    stop()
  })
}

test('a database has the names of the convention, with its system; the limits are those of the moment', async () => {
  const { provider, read } = collectMetrics()
  const pool = await open({ maxConnections: 2, maxIdle: 1, minIdle: 1, name: 'base' })
  const stop = instrument(pool, { database: 'redis', meterProvider: provider, tracerProvider: false })
  await use(pool)
  const before = await read()
  assertEqualsStats(before, pool.stats(), 'db.client.connection.', 'base')
  const of = (all: Read): (number | undefined)[] =>
    ['limit', 'idle.max', 'idle.min'].map((name) => numberOf(all, `db.client.connection.${name}`, { 'db.system.name': 'redis' }))
  assert.equal(of(before), [2, 1, 1])
  pool.resize({ maxConnections: 7 })
  assert.equal(of(await read()), [7, 1, 1])
  stop()
})

test('every metric of the table is made, with its unit and kind; times are in seconds', async () => {
  const { provider, read } = collectMetrics()
  const pool = await open({ shards: 1 })
  const stop = instrument(pool, { database: true, meterProvider: provider, tracerProvider: false })
  await use(pool)
  await pool.handlers.compute(30)
  const all = await read()
  const expected: Metric[] = [
    ...Object.values(CONNECTION_METRICS).map((metric) => ({ ...metric, name: PREFIX.database + metric.name })),
    ...Object.values(OWN_METRICS),
  ]
  assert.equal([...all.keys()].sort(), expected.map(({ name }) => name).sort())
  for (const { name, unit, kind } of expected) {
    const data = all.get(name)?.data
    assert.is(data?.descriptor.unit, unit, name)
    assert.is(data !== undefined && 'isMonotonic' in data && data.isMonotonic, kind === 'counter', name)
  }
  const sum = all.get('db.client.connection.use_time')?.points[0]?.sum ?? 0
  assert.ok(sum >= 0.03 && sum < 5, `${sum} s`)
  stop()
})

test('two instruments tell the same; one that has ended tells nothing, and two pools are told apart', async () => {
  const [first, second] = [collectMetrics(), collectMetrics()]
  const pool = await open({ name: 'one' })
  const other = await open({ name: 'two' })
  const stops = [
    instrument(pool, { meterProvider: first.provider, tracerProvider: false }),
    instrument(other, { meterProvider: first.provider, tracerProvider: false }),
    instrument(pool, { meterProvider: second.provider, tracerProvider: false }),
  ]
  await use(pool)
  assertEqualsStats(await first.read(), pool.stats(), 'cenote.connection.', 'one')
  assertEqualsStats(await first.read(), other.stats(), 'cenote.connection.', 'two')
  assertEqualsStats(await second.read(), pool.stats(), 'cenote.connection.', 'one')
  const before = (await first.read()).get('cenote.calls')?.points
  const uses = pool.stats().use.count
  for (const stop of stops) {
    stop()
    stop() // does nothing more
  }
  await pool.use(() => undefined)
  assert.equal((await first.read()).get('cenote.calls')?.points, before, 'what was told before stays')
  assert.is((await second.read()).get('cenote.connection.use_time')?.points[0]?.value, uses)
})

test('what is no pool, and wrong options, are refused by name', async () => {
  const pool = await open()
  const refused = (work: () => unknown): string => {
    try {
      work()
    } catch (error) {
      return String(error)
    }
    return 'not refused'
  }
  const wrong = (options: object): string => refused(() => instrument(pool, options))
  assert.match(
    refused(() => instrument({ name: 'it', stats: () => pool.stats() })),
    /PoolError: pool: must be/,
  )
  assert.match(wrong({ database: '' }), /PoolError: database: must be/)
  assert.match(wrong({ database: 1 }), /database: must be/)
  assert.match(wrong({ meterProvider: true }), /meterProvider: must be/)
  assert.match(wrong({ tracerProvider: {} }), /tracerProvider: must be/)
  assert.match(wrong({ meters: false }), /options\.meters: is unknown/)
})

test('what a histogram throws is an uncaught error of its own, and the pool goes on', async () => {
  const thrown = new Error('thrown by record')
  const { provider } = collectMetrics()
  const meter = provider.getMeter('cenote')
  meter.createHistogram = () => ({
    record() {
      throw thrown
    },
  })
  const uncaught: unknown[] = []
  const hear = (error: unknown): void => void uncaught.push(error)
  process.on('uncaughtException', hear)
  try {
    const pool = await open()
    instrument(pool, { meterProvider: { getMeter: () => meter } })
    const leases = [await pool.acquire(), await pool.acquire()]
    const waiting = Promise.all([pool.acquire(), pool.request('one')])
    for (const lease of leases) lease.release()
    const [lease, reply] = await waiting
    assert.is(reply, 'one')
    lease.release()
    await atRest(pool)
    assert.ok(uncaught.length > 0)
    assert.ok(uncaught.every((error) => error === thrown))
  } finally {
    process.off('uncaughtException', hear)
  }
})

test.run()
