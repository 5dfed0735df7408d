import { handlersAt, type Lease, line, type PoolDump } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { freePort } from '../../../pool-worker/test/kit/servers.ts'
import type * as mortal from '../fixtures/mortal-handlers.ts'
import { reasonOf } from '../support/callers.ts'
import { packages, read } from '../support/docs.ts'
import { createPool } from '../support/pools.ts'
import { sessionsFor } from '../support/sessions.ts'

const test = suite('dump')
const { server, open } = sessionsFor(test, { shards: 1, maxConnections: 1 })

/** That JSON keeps all of it. */
function assertPlain(value: unknown, where = 'dump'): void {
  if (value === undefined || value === null || typeof value === 'boolean' || typeof value === 'string') return
  if (typeof value === 'number') return assert.ok(Number.isFinite(value), `${where} is ${value}`)
  assert.ok(
    typeof value === 'object' && (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype),
    `${where} is no plain object`,
  )
  for (const [key, inner] of Object.entries(value)) assertPlain(inner, `${where}.${key}`)
}

type Ring = 'callers' | 'pool'

const eventsOf = (dump: PoolDump, ring: Ring): string[] => dump.recorder[ring].map(({ event }) => event)
const livesOf = ({ recorder }: PoolDump): string[] =>
  recorder.shards.map(({ shard, life, events }) => `${shard} ${life}: ${events.map(({ event }) => event).join(' ')}`)

for (const shards of [0, 1]) {
  const where = shards === 0 ? 'on the calling thread' : 'in a thread'

  test(`${where}: all that is known of the pool is plain data`, async () => {
    const before = Date.now()
    const pool = await open({ shards, maxConnections: 2, name: 'dumped' })
    const lease = await pool.acquire()
    await lease.request('first')
    const held = [lease.request('hold one'), pool.request('hold one')]
    await server.received('hold one', 2)
    const waiting = pool.acquire()
    const dump = pool.dump()
    assertPlain(dump)
    assert.equal([dump.name, dump.options.name, dump.options.endpoint], ['dumped', 'dumped', server.endpoint])
    assert.ok(Date.parse(dump.at) >= before && Date.parse(dump.at) <= Date.now() + 1)
    assert.ok(dump.uptimeMs > 0)
    assert.is(dump.versions.node, process.versions.node)
    assert.is(dump.pending.count, 1)
    assert.ok(dump.pending.oldestMs >= 0 && dump.pending.oldestMs < 10_000)
    assert.equal(
      dump.connections.map(({ id, state, endpoint, shard, uses, inFlight, owed }) => [id, state, endpoint, shard, uses, inFlight, owed]),
      [
        ['0/0/1', 'leased', server.endpoint, 0, 3, 0, 1],
        ['0/1/2', 'shared', server.endpoint, 0, 1, 1, 1],
      ],
    )
    for (const { ageMs = -1 } of dump.connections) assert.ok(ageMs >= -1 && ageMs < 60_000, `${ageMs}`) // to a millisecond
    assert.equal(
      dump.leases.map(({ kind, connection }) => [kind, connection.id]),
      [['lease', '0/0/1']],
    )
    assert.is(dump.stats.connections, 2)
    server.release('one')
    await Promise.all(held)
    lease.release()
    ;(await waiting).release()
  })

  test(`${where}: the recorder tells what became of callers and of the pool, oldest first`, async () => {
    const pool = await open({ shards, maxPending: 1 })
    const lease = await pool.acquire()
    const waiting = pool.acquire()
    await rejects(pool.acquire(), 'QUEUE_FULL')
    lease.release()
    const second = await waiting
    await rejects(pool.acquire({ timeoutMs: 5 }), 'ACQUIRE_TIMEOUT')
    const controller = new AbortController()
    const aborted = reasonOf(pool.acquire({ signal: controller.signal }))
    controller.abort()
    await aborted
    second.release()
    pool.pause()
    pool.resume()
    pool.resize({ maxConnections: 3 })
    pool.recycle()
    const dump = pool.dump()
    assert.equal([pool.stats().limits.maxConnections, dump.options.maxConnections], [3, 3], 'the limits are those in force')
    assert.equal(eventsOf(dump, 'callers'), ['queued', 'granted', 'queued', 'refused', 'granted', 'queued', 'expired', 'queued', 'aborted'])
    assert.equal(eventsOf(dump, 'pool'), ['shard-started', 'paused', 'resumed', 'resized', 'recycled'])
    const times = dump.recorder.callers.map(({ at }) => at)
    assert.equal(
      times,
      times.toSorted((one, other) => one - other),
    )
    assert.ok(Math.abs((times[0] ?? 0) - Date.now()) < 60_000, 'they are times since the epoch')
    await pool.close()
    assert.is(eventsOf(pool.dump(), 'pool').at(-1), 'closing')
  })

  test(`${where}: of a queue the recorder tells that it has formed, and that it has gone, however many wait in it`, async () => {
    const pool = await open({ shards })
    await pool.request('warm')
    const lease = await pool.acquire()
    const before = eventsOf(pool.dump(), 'callers').length
    const waiting = [pool.acquire(), pool.acquire(), pool.request('one'), pool.request('two')] as const
    lease.release()
    for (const acquired of waiting.slice(0, 2) as Promise<Lease>[]) (await acquired).release() // the first two are acquires
    await Promise.all(waiting)
    assert.equal(eventsOf(pool.dump(), 'callers').slice(before), ['queued', 'granted'])
  })

  test(`${where}: the recorder tells of a request that goes on to another connection`, async () => {
    const pool = await open({ shards })
    await pool.request('warm')
    const before = eventsOf(pool.dump(), 'callers').length
    const reply = pool.request('hold one', { idempotent: true })
    await server.received('hold one')
    server.peers[0]?.socket.destroy()
    await server.received('hold one', 2)
    server.release('one')
    await reply
    assert.equal(eventsOf(pool.dump(), 'callers').slice(before), ['moved', 'queued', 'granted'])
  })

  test(`${where}: the recorder tells of connects that fail, and of the gate`, async () => {
    const endpoint = `tcp://127.0.0.1:${await freePort()}`
    const pool = await open({ shards, endpoint, failFastAfter: 1, backoff: { initialMs: 1, maxMs: 1 } })
    await rejects(pool.request('never'), 'CONNECT_FAILED')
    await until(() => eventsOf(pool.dump(), 'pool').includes('gate-open'), 'the gate opens')
    const events = eventsOf(pool.dump(), 'pool').slice(0, 5)
    assert.equal(events, ['shard-started', 'connect-failed', 'gate-shut', 'endpoint-down', 'gate-open'])
    assert.match(String(livesOf(pool.dump())), /^0 present: started open lost/)
  })

  test(`${where}: a pool that is closed tells of its past`, async () => {
    const pool = await open({ shards })
    await pool.request('once')
    await pool.close()
    const { connections, leases, recorder } = pool.dump()
    assert.equal([connections, leases], [[], []])
    assert.equal(
      recorder.shards[0]?.events.slice(0, 3).map(({ event }) => event),
      ['started', 'open', 'opened'],
    )
  })
}

test('the recorder tells of a shard that stood still, of a lease that was taken back, and of one who waits for himself', async () => {
  const pool = await open({ maxLeaseMs: 50, detectNestedAcquire: true, shardStallMs: 60 })
  const computing = pool.handlers.compute(200)
  await until(() => eventsOf(pool.dump(), 'pool').includes('shard-suspect'), 'it is missed')
  await computing
  await until(() => eventsOf(pool.dump(), 'pool').includes('shard-recovered'), 'it is back')
  await pool.use(async (lease) => {
    await rejects(pool.acquire(), 'NESTED_ACQUIRE')
    await until(() => lease.signal.aborted, 'it is taken back')
  })
  const { pool: events, callers } = pool.dump().recorder
  const reclaimed = events.find(({ event }) => event === 'reclaimed')
  assert.match(String(reclaimed?.connection), /^0\/0\/\d+$/)
  assert.is(callers.at(-1)?.event, 'refused')
})

test('what a shard did before it died is kept, though its thread is gone, and so is what its successor does', async () => {
  const handlers = handlersAt<typeof mortal>(new URL('../fixtures/mortal-handlers.js', import.meta.url))
  const pool = await createPool({
    endpoint: server.endpoint,
    protocol: line(),
    handlers,
    shards: 1,
    maxConnections: 1,
    backoff: { initialMs: 1 },
  })
  for (const [death, life] of [['exit', 1] as const, ['throw', 2] as const]) {
    assert.is(await pool.handlers.ask('well'), 'well')
    await rejects(pool.handlers.die(death), 'SHARD_LOST')
    await until(() => livesOf(pool.dump()).length === 2, 'it is replaced')
    const [before = '', after = ''] = livesOf(pool.dump())
    assert.match(before, /^0 previous: started open opened execute done execute( |$)/)
    assert.match(after, '0 present: started')
    assert.equal(
      eventsOf(pool.dump(), 'pool').filter((event) => event.startsWith('shard')),
      ['shard-started', ...Array.from({ length: life }, () => ['shard-lost', 'shard-started']).flat()],
    )
  }
  await pool.close()
})

test('it names the version that the manifests do', async () => {
  const pool = await open()
  for (const folder of packages()) assert.is(JSON.parse(read(`${folder}/package.json`)).version, pool.dump().versions.cenote)
})

test.run()
