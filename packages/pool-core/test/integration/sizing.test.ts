import { createServer } from 'node:net'
import { handlersAt, type Pool, PoolError, type PoolOptions, protocolAt } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { freePort } from '../../../pool-worker/test/kit/servers.ts'
import type * as sessionHandlers from '../fixtures/session-handlers.ts'
import type * as sessionProtocol from '../fixtures/session-protocol.ts'
import { acquireAll, reasonOf, releaseAll } from '../support/callers.ts'
import { createPool } from '../support/pools.ts'
import { type SessionServer, startSessions } from '../support/session-server.ts'

const test = suite('sizing')
const fixture = (name: string): URL => new URL(`../fixtures/${name}.js`, import.meta.url)

type SessionPool = Pool<string, string, typeof sessionHandlers>

let server: SessionServer
const pools: SessionPool[] = []

test.before.each(async () => {
  server = await startSessions()
})

test.after.each(async () => {
  for (const pool of pools.splice(0)) {
    assert.equal(pool.check(), [])
    await pool.close({ timeoutMs: 1 })
  }
  await server.close()
})

async function open(options: Partial<Omit<PoolOptions, 'handlers' | 'protocol'>> = {}): Promise<SessionPool> {
  const pool = await createPool({
    endpoint: server.endpoint,
    ...options,
    protocol: protocolAt<typeof sessionProtocol>(fixture('session-protocol')),
    handlers: handlersAt<typeof sessionHandlers>(fixture('session-handlers')),
  })
  pools.push(pool)
  return pool
}

for (const shards of [0, 1]) {
  const where = shards === 0 ? 'on the calling thread' : 'in a thread'

  test(`${where}: a connection past maxLifetimeMs is replaced, though it is never idle long and is wanted`, async () => {
    const pool = await open({ shards, maxConnections: 2, minConnections: 1, maxLifetimeMs: 40 })
    await until(() => (pool.stats().counters.closedBy.lifetime ?? 0) >= 2, 'the lifetimes of two have ended, with nobody asking')
    await until(() => pool.stats().idle >= 1, 'there is another')
    assert.is(await pool.request('after'), 'after')
  })

  test(`${where}: under requests without pause connections still end by their lifetime, and no request fails`, async () => {
    const pool = await open({ shards, maxConnections: 2, maxLifetimeMs: 30 })
    let stop = false
    const callers = Array.from({ length: 8 }, async (_, caller) => {
      for (let turn = 0; !stop; turn++) assert.is(await pool.request(`${caller} ${turn}`), `${caller} ${turn}`)
    })
    await until(() => (pool.stats().counters.closedBy.lifetime ?? 0) >= 3, 'three have ended')
    stop = true
    await Promise.all(callers)
    assert.equal(Object.keys(pool.stats().counters.closedBy), ['lifetime'])
  })

  test(`${where}: a lease outlives the lifetime of its connection, which ends with it`, async () => {
    const pool = await open({ shards, maxConnections: 1, maxLifetimeMs: 20 })
    const lease = await pool.acquire()
    const born = performance.now()
    await until(() => performance.now() - born > 60, 'its time is over')
    assert.is(await lease.request('late'), 'late')
    lease.release()
    await until(() => pool.stats().counters.closedBy.lifetime === 1, 'it is closed')
  })

  test(`${where}: maxUses counts requests, leases, their requests and handlers`, async () => {
    const pool = await open({ shards, maxConnections: 1, maxUses: 3 })
    for (const request of ['1', '2', '3', '4']) assert.is(await pool.request(request), request)
    assert.equal(
      server.peers.map((peer) => peer.lines),
      [['1', '2', '3'], ['4']],
    )
    await pool.use(async (lease) => {
      assert.is(await lease.request('5'), '5') // 4, the lease and 5: three uses
      assert.is(await lease.request('6'), '6') // never cut
      assert.is(lease.connection.uses, 4)
    })
    await pool.handlers.compute(0)
    await until(() => server.peers.length === 3, 'the third has come')
    await pool.use((lease) => assert.is(lease.connection.uses, 2))
    await pool.request('7')
    assert.equal(
      server.peers.map((peer) => peer.lines.filter((line) => /^\d$/.test(line))),
      [['1', '2', '3'], ['4', '5', '6'], ['7']],
    )
    await until(() => pool.stats().counters.closedBy.uses === 3, 'the third is closed too')
  })

  test(`${where}: minIdle connections are ready before anybody asks, and while others are in use`, async () => {
    const pool = await open({ shards, maxConnections: 4, minIdle: 2, idleTimeoutMs: 20 })
    await until(() => pool.stats().idle === 2, 'two are idle')
    const leases = [pool.tryAcquire(), pool.tryAcquire()]
    assert.ok(leases.every((lease) => lease !== undefined))
    await until(() => pool.stats().idle === 2 && server.open.length === 4, 'two others are idle')
    for (const peer of server.peers.slice(2)) peer.socket.destroy()
    await until(() => server.peers.length === 6 && pool.stats().idle === 2, 'what the server ends is replaced')
    for (const lease of leases) lease?.release()
    await until(() => pool.stats().connections === 2, 'those beyond are closed')
    assert.is(pool.stats().counters.closedBy.idle, 2)
  })

  test(`${where}: with scheduling 'fifo' all connections take turns, with 'lifo' one does the work`, async () => {
    for (const [scheduling, used] of [
      ['fifo', [2, 2, 2]],
      ['lifo', [0, 0, 6]],
    ] as const) {
      const before = server.peers.length
      const pool = await open({ shards, maxConnections: 3, minIdle: 3, probeAfterIdleMs: Infinity, scheduling })
      await until(() => pool.stats().idle === 3, 'all are open')
      for (let turn = 0; turn < 6; turn++) await pool.request(`turn ${turn}`)
      assert.equal(
        server.peers
          .slice(before)
          .map((peer) => peer.lines.length)
          .sort(),
        used,
      )
    }
  })

  test(`${where}: those who wait are served by priority: acquire, use, request and handlers alike`, async () => {
    const pool = await open({ shards, maxConnections: 1, pipelining: 1 })
    const held = await pool.acquire()
    const order: string[] = []
    const note = (name: string) => () => void order.push(name)
    const calls = [
      pool.request('plain').then(note('request 0')),
      pool.acquire({ priority: 1 }).then((lease) => {
        order.push('acquire 1')
        lease.release()
      }),
      pool.use(note('use 5'), { priority: 5 }),
      pool.request('urgent', { priority: 7 }).then(note('request 7')),
      pool.request('alone', { priority: 8 }).then(note('alone 8')),
      pool.handlers.compute(0, { priority: 9 }).then(note('handler 9')),
      pool.request('later').then(note('later 0')),
    ]
    assert.equal(pool.stats().pending, { leases: 4, requests: 3 })
    held.release()
    await Promise.all(calls)
    assert.equal(order, ['handler 9', 'alone 8', 'request 7', 'use 5', 'acquire 1', 'request 0', 'later 0'])
  })

  test(`${where}: a time-out and an abort end the wait of any priority`, async () => {
    const pool = await open({ shards, maxConnections: 1 })
    const held = await pool.acquire()
    const controller = new AbortController()
    const aborted = reasonOf(pool.acquire({ priority: 3, signal: controller.signal }))
    const expired = rejects(pool.request('late', { priority: 9, timeoutMs: 5 }), 'REQUEST_TIMEOUT')
    const served = pool.request('served', { priority: 2 })
    controller.abort('enough')
    assert.is(await aborted, 'enough')
    await expired
    held.release()
    assert.is(await served, 'served')
    await rejects(pool.request('x', { priority: 10 }), 'BAD_OPTION')
    await rejects(
      pool.use((lease) => lease.request('x', { priority: 1 } as object)),
      'BAD_OPTION',
    )
  })

  test(`${where}: resize() acts at once, up and down, and cuts no lease`, async () => {
    const pool = await open({ shards, maxConnections: 2 })
    const two = await acquireAll(pool, 2)
    const more = Promise.all([pool.acquire(), pool.acquire()])
    assert.is(pool.stats().pending.leases, 2)
    pool.resize({ maxConnections: 4, minConnections: 1 })
    const four = [...two, ...(await more)]
    for (const lease of four.slice(2)) lease.release()
    pool.resize({ maxConnections: 1 })
    await until(() => pool.stats().connections === 2, 'the idle ones are closed')
    for (const [index, lease] of two.entries()) assert.is(await lease.request(`${index}`), `${index}`)
    for (const lease of two) lease.release()
    await until(() => server.open.length === 1, 'one is left')
    assert.is(pool.stats().counters.closedBy.resize, 3)
    assert.is(await pool.request('still here'), 'still here')
    assert.is(server.peers.length, 4)
    pool.resize({ maxConnections: 70, minConnections: 65 })
    await pool.ready()
    assert.is(pool.stats().connections, 65)
    assert.equal(await Promise.all(Array.from({ length: 65 }, () => pool.use((lease) => lease.request('x')))), Array(65).fill('x'))
  })

  test(`${where}: recycle() replaces every connection, under load and without an error`, async () => {
    const pool = await open({ shards, maxConnections: 3, minConnections: 3 })
    await pool.ready()
    const lease = await pool.acquire()
    const load = Array.from({ length: 50 }, (_, index) => pool.request(`${index}`))
    pool.recycle()
    assert.is((await Promise.all(load)).length, 50)
    await until(() => server.open.length === 3 && server.peers.length === 5, 'all but the lease are replaced')
    assert.is(await lease.request('old'), 'old')
    lease.release()
    await until(() => server.open.length === 3 && server.peers.length === 6, 'the lease too')
    assert.equal(pool.stats().counters.closedBy, { recycle: 3 })
  })

  test(`${where}: recycle(predicate) replaces those that it chooses`, async () => {
    const pool = await open({ shards, maxConnections: 3 })
    const leases = await acquireAll(pool, 3)
    const ids = leases.map((lease) => lease.connection.id)
    releaseAll(leases)
    const asked: string[] = []
    pool.recycle(({ id, createdAt, uses, endpoint }) => {
      asked.push(id)
      assert.ok(createdAt > Date.now() - 60_000 && uses === 1 && endpoint.startsWith('tcp://'))
      return id === ids[1]
    })
    assert.equal(asked.sort(), [...ids].sort())
    await until(() => pool.stats().connections === 2, 'one is closed')
    const failure = new Error('no idea')
    assert.throws(
      () =>
        pool.recycle(() => {
          throw failure
        }),
      (error: unknown) => error === failure,
    )
    assert.is(pool.stats().idle, 2)
    assert.equal(pool.stats().counters.closedBy, { recycle: 1 })
  })

  test(`${where}: pause() holds callers under their own deadlines and lets go on what was granted; resume() serves them`, async () => {
    const pool = await open({ shards, maxConnections: 2 })
    const lease = await pool.acquire()
    const early = pool.request('hold early')
    await server.received('hold early')
    pool.pause()
    pool.pause()
    const [request, held, handled] = [pool.request('late'), pool.acquire(), pool.handlers.compute(0)]
    await rejects(pool.request('too late', { timeoutMs: 5 }), 'REQUEST_TIMEOUT')
    await rejects(pool.acquire({ timeoutMs: 5 }), 'ACQUIRE_TIMEOUT')
    assert.is(pool.tryAcquire(), undefined)
    server.release('early')
    assert.is(await early, 'early')
    assert.is(await lease.request('granted'), 'granted')
    lease.release()
    assert.equal(pool.stats().pending, { leases: 2, requests: 1 })
    assert.not.ok(server.lines.includes('late'))
    pool.resume()
    assert.is(await request, 'late')
    ;(await held).release()
    await handled
  })

  test(`${where}: while paused a server that refuses fails nobody; after its return they are served`, async () => {
    const port = await freePort()
    const pool = await open({ shards, endpoint: `tcp://127.0.0.1:${port}`, minConnections: 1, backoff: { initialMs: 1, maxMs: 5 } })
    pool.pause()
    const request = pool.request('held')
    const failures = pool.stats().counters.connectFailures
    await until(() => pool.stats().counters.connectFailures > failures + 1, 'it was refused twice more')
    assert.is(pool.stats().pending.requests, 1)
    const echo = createServer((socket) => socket.pipe(socket)).listen(port, '127.0.0.1')
    await until(() => pool.stats().idle === 1, 'the server is there')
    assert.is(pool.stats().pending.requests, 1)
    pool.resume()
    assert.is(await request, 'held')
    await pool.close()
    echo.close()
  })
}

test('resize, recycle, pause and resume refuse what they cannot do, and a closed pool', async () => {
  const pool = await open({ shards: 0 })
  const refused = (action: () => unknown, code: string): void =>
    assert.throws(action, (error: unknown) => PoolError.is(error) && error.code === code && error.outcome === 'not-sent')
  for (const sizes of [
    undefined,
    5,
    { maxConnections: 0 },
    { minConnections: 11 },
    { maxIdle: 1 },
    { maxConnections: 2, minConnections: 3 },
  ])
    refused(() => pool.resize(sizes as object), 'BAD_OPTION')
  refused(() => pool.recycle(5 as never), 'BAD_OPTION')
  await pool.close()
  for (const action of [() => pool.resize({}), () => pool.recycle(), () => pool.pause(), () => pool.resume()])
    refused(action, 'POOL_CLOSED')
})

test('a paused pool closes like any other, and rejects whom it held', async () => {
  const pool = await open({ shards: 0 })
  pool.pause()
  const held = rejects(pool.request('held'), 'POOL_CLOSED')
  await pool.close()
  await held
})

test.run()
