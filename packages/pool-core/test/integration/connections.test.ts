import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { line } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { freePort } from '../../../pool-worker/test/kit/servers.ts'
import { acquireAll, fewMs, releaseAll } from '../support/callers.ts'
import { createPool } from '../support/pools.ts'
import { sessionsFor } from '../support/sessions.ts'

const test = suite('connections')
const { server, open } = sessionsFor(test, { shards: 0 })

test('minConnections are opened at the start, spread over the shards, and opened anew when they are lost', async () => {
  const pool = await open({ shards: 2, maxConnections: 8, minConnections: 4, backoff: { initialMs: 1 } })
  await pool.ready()
  assert.is(pool.stats().connections, 4)
  assert.equal(
    pool.stats().shards.map((shard) => shard.connections),
    [2, 2],
  )
  await until(() => server.peers.length === 4, 'the server has taken them all')
  for (const peer of server.peers.slice(0, 3)) peer.socket.destroy()
  await until(() => server.open.length === 4 && server.peers.length === 7, 'the lost ones are replaced')
  await pool.ready()
  assert.is(pool.stats().idle, 4)
})

test('ready() counts a connection that is being probed', async () => {
  const pool = await open({ maxConnections: 1, minConnections: 1, probeAfterIdleMs: 0.001 })
  await pool.ready()
  const request = pool.request('probed before')
  assert.is(pool.stats().opening, 1)
  await pool.ready()
  assert.is(await request, 'probed before')
})

test('a request whose connection the peer has reset may have been executed, and says so', async () => {
  const pool = await open({ maxConnections: 1 })
  const request = rejects(pool.request('hold answer'), 'CONNECTION_LOST')
  await server.received('hold answer')
  server.peers[0]?.socket.resetAndDestroy()
  const { outcome, phase } = await request
  assert.equal({ outcome, phase }, { outcome: 'maybe-executed', phase: 'reply' })
})

for (const text of ['shared', 'alone on its connection']) {
  test(`an idempotent request, ${text}, that was sent and waits to be sent again may have been executed, whatever ends its wait`, async () => {
    const pool = await open({ maxConnections: 1 })
    await pool.request('first')
    const [peer] = server.peers
    assert.ok(peer !== undefined)
    peer.mute = true
    const request = rejects(pool.request(text, { idempotent: true }), 'POOL_CLOSED')
    await server.received(text)
    const acquired = pool.acquire()
    peer.socket.destroy()
    const lease = await acquired
    const closed = pool.close()
    assert.is((await request).outcome, 'maybe-executed')
    lease.release()
    await closed
  })
}

test('ready() gives up at its deadline, with what went wrong last as the cause', async () => {
  const pool = await createPool({
    endpoint: `tcp://127.0.0.1:${await freePort()}`,
    shards: 0,
    minConnections: 1,
    backoff: { initialMs: 1 },
  })
  const error = await rejects(pool.ready({ timeoutMs: 100 }), 'ACQUIRE_TIMEOUT')
  assert.is((error.cause as { code?: string }).code, 'CONNECT_FAILED')
  await pool.close()
  await rejects(pool.ready(), 'POOL_CLOSED')
})

test('each idle connection is closed by its own time: one that is used stays, while the others go', async () => {
  const pool = await open({ maxConnections: 3, idleTimeoutMs: 100 })
  releaseAll(await acquireAll(pool, 3))
  while (pool.stats().connections > 1) assert.is(await pool.request('in use'), 'in use')
  assert.is(pool.stats().counters.closedBy.idle, 2)
  assert.is(server.peers.length, 3)
  await until(() => server.open.length === 0, 'the last goes too, when nobody uses it')
})

test('idle connections are closed down to minConnections and no further', async () => {
  const pool = await open({ maxConnections: 4, minConnections: 2, idleTimeoutMs: 30 })
  const clock = await open({ maxConnections: 1, idleTimeoutMs: 30 })
  releaseAll(await acquireAll(pool, 4))
  await until(() => pool.stats().connections === 2, 'two are closed')
  for (let turn = 0; turn < 3; turn++) {
    await clock.request('tick')
    await until(() => clock.stats().connections === 0, 'the time has passed once more')
  }
  assert.is(pool.stats().connections, 2)
  assert.is(pool.stats().counters.closedBy.idle, 2)
})

test('a connection idle for long is probed before it is lent, and a dead one is replaced unseen', async () => {
  const pool = await open({ maxConnections: 1, probeAfterIdleMs: 1, probeTimeoutMs: 50 })
  await pool.request('first')
  await fewMs()
  assert.is(await pool.request('second'), 'second')
  assert.equal(server.lines, ['first', 'ping', 'second'])
  const [peer] = server.peers
  if (peer !== undefined) peer.mute = true
  await fewMs()
  assert.is(await pool.use((lease) => lease.request('third')), 'third')
  assert.equal(
    server.peers.map((each) => each.lines),
    [['first', 'ping', 'second', 'ping'], ['third']],
  )
  assert.is(pool.stats().counters.closedBy.probe, 1)
})

for (const shards of [0, 1]) {
  const where = shards === 0 ? 'on the calling thread' : 'in a thread'

  test(`${where}: a request just after the peer's FIN goes to another connection, and not a byte to the dead one`, async () => {
    const pool = await open({ shards, maxConnections: 2 })
    for (let turn = 0; turn < 40; turn++) {
      await pool.request(`warm ${turn}`)
      const dying = server.open.filter((peer) => !peer.socket.writableEnded)
      const counts = dying.map((peer) => peer.lines.length)
      await Promise.all(dying.map((peer) => server.finish(peer)))
      assert.is(await pool.request(`turn ${turn}`), `turn ${turn}`)
      assert.equal(
        dying.map((peer) => peer.lines.length),
        counts,
      )
    }
    assert.is(server.lines.length, 80)
  })

  test(`${where}: a lease that has sent nothing is given another connection once, unseen`, async () => {
    const pool = await open({ shards, maxConnections: 1 })
    const lease = await pool.acquire()
    const { signal } = lease
    const { id } = lease.connection
    await until(() => server.peers.length === 1, 'the server has taken the connection')
    const [first] = server.peers
    if (first !== undefined) await server.finish(first)
    assert.is(await lease.request('one'), 'one')
    assert.equal(
      server.peers.map((peer) => peer.lines),
      [[], ['one']],
    )
    assert.is.not(lease.connection.id, id)
    assert.not.ok(signal.aborted)
    server.peers[1]?.socket.destroy()
    await until(() => signal.aborted, 'the second loss is told')
    await rejects(lease.request('two'), 'CONNECTION_LOST')
    lease.release()
    assert.equal([pool.stats().counters.acquired, pool.stats().counters.released], [1, 1])
  })

  test(`${where}: while the calling thread stands still for 1 s the peer closes all connections; no request fails`, async () => {
    const closed = new Int32Array(new SharedArrayBuffer(4))
    const peer = new Worker(new URL('../fixtures/closing-server.js', import.meta.url), { workerData: closed })
    const [port] = (await once(peer, 'message')) as [number] // what the fixture posts
    const pool = await createPool({ endpoint: `tcp://127.0.0.1:${port}`, protocol: line(), shards, maxConnections: 4 })
    try {
      releaseAll(await acquireAll(pool, 4))
      assert.is(pool.stats().idle, 4)
      peer.postMessage('close')
      const until = performance.now() + 1_000
      Atomics.wait(closed, 0, 0, 1_000) // on the calling thread its sockets end only after this
      while (performance.now() < until);
      const replies = await Promise.all(Array.from({ length: 100 }, (_, turn) => pool.request(`turn ${turn}`)))
      assert.equal(
        replies,
        Array.from({ length: 100 }, (_, turn) => `turn ${turn}`),
      )
      const lease = await pool.acquire()
      assert.is(await lease.request('leased'), 'leased')
      lease.release()
      assert.equal(pool.check(), [])
    } finally {
      await pool.close()
      await peer.terminate()
    }
  })
}

test('a request whose time is up in the queue while the calling thread stands still is never sent', async () => {
  const pool = await open({ shards: 1, maxConnections: 1, pipelining: 1 })
  const held = pool.request('hold first')
  await server.received('hold first')
  const late = pool.request('late', { timeoutMs: 20 })
  server.release('first')
  const end = performance.now() + 200
  while (performance.now() < end); // the place is free before this ends, and the time is up too
  const error = await rejects(late, 'REQUEST_TIMEOUT')
  assert.is(error.outcome, 'not-sent')
  assert.is(await held, 'first')
  assert.is(await pool.request('next'), 'next')
  assert.equal(server.lines, ['hold first', 'next'])
})

test('a connection that a lease has changed is not given on after its stream', async () => {
  const pool = await open({ maxConnections: 1 })
  const lease = await pool.acquire()
  await lease.request('set x')
  lease.stream()
  lease.release({ reusable: true })
  assert.is(await pool.request('get'), '-')
  assert.is(server.peers.length, 2)
})

// Credentials.

test('credentials are asked for anew for each connect', async () => {
  let asked = 0
  const pool = await open(
    { maxConnections: 3, credentials: async () => ({ username: `user${++asked}`, password: 'x' }) },
    { greeting: 'hello' },
  )
  releaseAll(await acquireAll(pool, 3))
  assert.equal([...server.lines].sort(), ['hello user1 x', 'hello user2 x', 'hello user3 x'])
})

test('credentials that reject, or never come, are failures to connect', async () => {
  const cause = new Error('no ticket')
  const rejecting = await open({ credentials: () => Promise.reject(cause) })
  const error = await rejects(rejecting.request('never'), 'HOOK_FAILED')
  assert.is(error.cause, cause)
  assert.is(error.phase, 'connect')
  const throwing = await open({
    credentials: () => {
      throw cause
    },
  })
  assert.is((await rejects(throwing.acquire(), 'HOOK_FAILED')).cause, cause)
  const silent = await open({ credentials: () => new Promise(() => undefined), connectTimeoutMs: 50 })
  assert.is((await rejects(silent.acquire(), 'CONNECT_TIMEOUT')).outcome, 'not-sent')
  assert.is(server.peers.length, 0)
  assert.equal(
    [rejecting, throwing, silent].map((pool) => pool.stats().connections),
    [0, 0, 0],
  )
})

test.run()
