/** Aborts at each stage of a call: the very reason comes back at once, and the connection has the fate that its stage gives it. */
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { line, type PoolOptions } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { suite, until } from '../../../pool-worker/test/kit/kit.ts'
import type { SessionOptions } from '../fixtures/session-protocol.ts'
import { assertBalanced } from '../support/balance.ts'
import { fewMs, reasonOf } from '../support/callers.ts'
import { names } from '../support/names.ts'
import { atRest, closing, echo, startPeer } from '../support/peers.ts'
import { createPool, createPoolIn } from '../support/pools.ts'
import type { SessionPeer } from '../support/session-server.ts'
import { type SessionPool, sessionsFor } from '../support/sessions.ts'

const test = suite('aborts by stage', { timeoutMs: 40_000 })
const { server, open } = sessionsFor(test, { probeAfterIdleMs: Infinity })
const kept = closing(test)

/** Pools of one connection, on whichever shard. */
async function openOne(shards: number, options: Partial<PoolOptions> = {}, told?: SessionOptions): Promise<SessionPool> {
  const pool = await open({ shards, maxConnections: 2, ...options }, told)
  pool.resize({ maxConnections: 1 })
  return pool
}

/** All ways of asking. */
const WAYS: Readonly<Record<string, (pool: SessionPool, signal: AbortSignal) => Promise<unknown>>> = {
  acquire: (pool, signal) => pool.acquire({ signal }),
  use: (pool, signal) => pool.use(() => assert.unreachable(), { signal }),
  request: (pool, signal) => pool.request('never', { signal }),
  'an idempotent request': (pool, signal) => pool.request('never', { signal, idempotent: true }),
  'an exclusive request': (pool, signal) => pool.request('alone', { signal }),
  'a handler': (pool, signal) => pool.handlers.echo('never', { signal }),
}

/** Begins, aborts at the stage that is waited for, and holds it against the reason. */
async function abortedAt(begin: (signal: AbortSignal) => Promise<unknown>, stage: () => unknown = () => undefined): Promise<void> {
  const controller = new AbortController()
  const reason = { stage: 'its own' } // no Error: nothing may wrap it
  const call = reasonOf(begin(controller.signal))
  await stage()
  controller.abort(reason)
  assert.is(await call, reason)
}

/** The only connection that the server has. */
async function onlyPeer(): Promise<SessionPeer> {
  await until(() => server.peers.length > 0, 'the server has taken it')
  const [peer] = server.peers
  assert.ok(peer !== undefined)
  return peer
}

/** How many calls were ended by their signal, of all kinds. */
function aborted(pool: SessionPool): number {
  const { acquires, requests, handlers } = pool.stats().counters.ended
  return acquires.aborted + requests.aborted + handlers.aborted
}

for (const shards of [0, 2]) {
  const where = `shards: ${shards}`

  for (const [way, ask] of Object.entries(WAYS)) {
    const what = `${where}, ${way}`

    test(`${what}, queued: nothing is sent, and the connection goes to the next`, async () => {
      const pool = await openOne(shards)
      const lease = await pool.acquire()
      await abortedAt((signal) => ask(pool, signal))
      assert.equal(pool.stats().pending, { leases: 0, requests: 0 })
      const next = pool.request('next')
      lease.release()
      assert.is(await next, 'next')
      assert.equal(server.lines, ['next'])
      assert.is(aborted(pool), 1)
      await atRest(pool)
      assertBalanced(pool)
    })

    test(`${what}, while credentials are asked for: the connection comes all the same, and stays`, async () => {
      let answer = (_: { username: string }): void => undefined
      const credentials = () =>
        new Promise<{ username: string }>((resolve) => {
          answer = resolve
        })
      const pool = await openOne(shards, { credentials })
      await abortedAt((signal) => ask(pool, signal))
      assert.is(pool.stats().opening, 1)
      answer({ username: 'ada' })
      await until(() => pool.stats().idle === 1, 'it is idle')
      assert.equal([server.lines, aborted(pool)], [[], 1])
      assertBalanced(pool)
    })

    test(`${what}, in the hand-shake: it goes on, and the connection stays`, async () => {
      const lines: string[] = []
      const sockets: Socket[] = []
      const serve = (socket: Socket): void => {
        sockets.push(socket)
        socket.on('data', (chunk) => void lines.push(String(chunk)))
      }
      const peer = await kept(startPeer(serve))
      const pool = await openOne(shards, { endpoint: peer.endpoint }, { greeting: 'hello' })
      await abortedAt(
        (signal) => ask(pool, signal),
        () => until(() => lines.length === 1, 'it shakes hands'),
      )
      for (const socket of sockets) socket.write('hello\n')
      await until(() => pool.stats().idle === 1, 'it is idle')
      assert.equal([lines, peer.accepted, aborted(pool)], [['hello\n'], 1, 1])
      assertBalanced(pool)
    })

    test(`${what}, while the connection is being probed: it stays when the probe is good`, async () => {
      const pool = await openOne(shards, { probeAfterIdleMs: 1, probeTimeoutMs: 15_000 })
      await pool.request('first')
      const peer = await onlyPeer()
      await fewMs()
      peer.mute = true
      await abortedAt(
        (signal) => ask(pool, signal),
        () => server.received('ping'),
      )
      peer.mute = false
      peer.socket.write('ping\n')
      await until(() => pool.stats().idle === 1, 'it is idle')
      assert.equal([server.lines, server.peers.length, aborted(pool)], [['first', 'ping'], 1, 1])
      assertBalanced(pool)
    })
  }

  test(`${where}, ready(): the connections come all the same`, async () => {
    let answer = (_: { username: string }): void => undefined
    const credentials = () =>
      new Promise<{ username: string }>((resolve) => {
        answer = resolve
      })
    const pool = await openOne(shards, { minConnections: 1, credentials })
    await abortedAt((signal) => pool.ready({ signal }))
    answer({ username: 'ada' })
    await pool.ready()
  })

  test(`${where}, in the look-up: the connection comes all the same, and stays`, async () => {
    const peer = await kept(startPeer(echo))
    const world = names({ db: ['127.0.0.1'] })
    world.hanging.add('db')
    const pool = await kept(createPoolIn(world)({ endpoint: `tcp://db:${peer.port}`, shards, maxConnections: 2, protocol: line() }))
    pool.resize({ maxConnections: 1 })
    await abortedAt(
      (signal) => pool.acquire({ signal }),
      () => until(() => world.asked.length === 1, 'it is looked up'),
    )
    await abortedAt((signal) => pool.request('never', { signal }))
    world.hanging.clear()
    world.answer()
    await until(() => pool.stats().idle === 1, 'it is idle')
    assert.is(await pool.request('next'), 'next')
    assert.is(peer.accepted, 1)
  })

  test(`${where}, while the address does not answer: the connect goes on, and its connection stays`, async () => {
    const flag = new Int32Array(new SharedArrayBuffer(4))
    const worker = new Worker(new URL('../fixtures/deaf-listener.js', import.meta.url), { workerData: flag })
    await kept({ close: async () => void (await worker.terminate()) })
    const [port] = (await once(worker, 'message')) as [number] // what the fixture posts
    const fillers: Socket[] = []
    while (fillers.length - fillers.filter(({ connecting }) => !connecting).length < 2) {
      fillers.push(createConnection(port, '127.0.0.1').on('error', () => undefined))
      await fewMs()
    }
    const pool = await kept(createPool({ endpoint: `tcp://127.0.0.1:${port}`, shards, maxConnections: 2, protocol: line() }))
    pool.resize({ maxConnections: 1 })
    await abortedAt(
      (signal) => pool.acquire({ signal }),
      () => until(() => pool.stats().opening === 1, 'it is opened'),
    )
    await abortedAt((signal) => pool.request('never', { signal }), fewMs)
    assert.is(pool.stats().opening, 1)
    Atomics.store(flag, 0, 1)
    Atomics.notify(flag, 0)
    await until(() => pool.stats().idle === 1, 'the kernel has tried again', 30_000)
    assert.is(await pool.request('next'), 'next')
    for (const socket of fillers) socket.destroy()
  })

  test(`${where}, granted, in the turn of the call: the connection stays`, async () => {
    const pool = await openOne(shards)
    await pool.request('first')
    await abortedAt((signal) => pool.request('maybe', { signal }))
    await abortedAt((signal) => pool.request('alone', { signal }))
    await abortedAt((signal) => pool.handlers.echo('by a handler', { signal }))
    assert.is(await pool.request('next'), 'next')
    assert.equal([server.peers.length, server.lines.includes('alone')], [1, false])
    await atRest(pool)
    assert.is(aborted(pool), 3)
  })

  test(`${where}, behind one that the server does not take: no byte of it is sent, and the connection stays`, async () => {
    const sockets: Socket[] = []
    const peer = await kept(startPeer((socket) => void sockets.push(socket.pause())))
    const pool = await kept(createPool({ endpoint: peer.endpoint, shards, maxConnections: 2, ringBytes: 4_096, protocol: line() }))
    pool.resize({ maxConnections: 1 })
    const ahead = pool.request('x'.repeat(2 ** 26))
    await until(() => sockets.length === 1 && pool.stats().inFlight === 1, 'it is on its way')
    await abortedAt((signal) => pool.request('never', { signal }))
    assert.is(pool.stats().inFlight, 1)
    const heard: string[] = []
    const answer = (socket: Socket) => (chunk: Buffer) => {
      heard.push(String(chunk.subarray(-20)))
      if (chunk.at(-1) === 10) socket.write('ok\n')
    }
    for (const socket of sockets) socket.on('data', answer(socket)).resume()
    assert.is(await ahead, 'ok')
    assert.is(await pool.request('next'), 'ok')
    assert.equal([peer.accepted, heard.at(-1), heard.join().includes('never')], [1, 'next\n', false])
  })

  test(`${where}, sent, and with half of the reply read: a shared connection drops the rest and goes on`, async () => {
    const pool = await openOne(shards)
    await pool.request('first')
    const peer = await onlyPeer()
    peer.mute = true
    await abortedAt(
      (signal) => pool.request('one', { signal }),
      () => server.received('one'),
    )
    const before = pool.request('two') // it waits: the oldest reply is owed to nobody
    peer.socket.write('one\n')
    await server.received('two')
    await abortedAt(
      (signal) => pool.request('three', { signal }),
      async () => {
        await server.received('three')
        peer.socket.write('two\nthr')
        assert.is(await before, 'two') // so the other half line has been read too
      },
    )
    const after = pool.request('four')
    peer.mute = false
    peer.socket.write('ee\n')
    assert.is(await after, 'four')
    assert.is(server.peers.length, 1)
    await atRest(pool)
    assertBalanced(pool)
  })

  for (const half of [false, true]) {
    test(`${where}, ${half ? 'with half of the reply read' : 'sent'}: a connection that is its alone ends`, async () => {
      const pool = await openOne(shards)
      const inLease = (signal: AbortSignal): Promise<unknown> =>
        pool.use(async (lease) => {
          const reason = await reasonOf(lease.request('leased', { signal }))
          await until(() => lease.signal.aborted, 'it has ended while it is held')
          throw reason
        })
      const ways: readonly [string, (signal: AbortSignal) => Promise<unknown>][] = [
        ['leased', inLease],
        ['alone', (signal) => pool.request('alone', { signal })],
      ]
      for (const [turn, [text, begin]] of ways.entries()) {
        await pool.request(`turn ${turn}`)
        const peer = server.peers.at(-1)
        assert.ok(peer !== undefined)
        peer.mute = true
        await abortedAt(begin, async () => {
          await server.received(text)
          if (half) await new Promise<unknown>((resolve) => void peer.socket.write('lea', resolve))
        })
        await until(() => !peer.open, 'it is ended')
        assert.is(await pool.request(`after ${turn}`), `after ${turn}`)
        assert.is(server.peers.length, turn + 2)
      }
      assert.equal(pool.stats().counters.closedBy, { abort: 2 })
      await atRest(pool)
      assertBalanced(pool)
    })
  }

  test(`${where}, a handler that runs: it is told, its connection is its own until it ends, and stays`, async () => {
    const pool = await openOne(shards)
    await abortedAt(
      (signal) => pool.handlers.patient('one', { signal }),
      () => server.received('began one'),
    )
    await server.received('aborted one')
    await abortedAt(
      (signal) => pool.handlers.stubborn('two', { signal }),
      () => server.received('hold two'),
    )
    const next = pool.request('next')
    assert.equal(pool.stats().pending, { leases: 0, requests: 1 })
    server.release('two')
    assert.is(await next, 'next')
    assert.equal([server.peers.length, aborted(pool)], [1, 2])
    await atRest(pool)
    assertBalanced(pool)
  })
}

test.run()
