/** What the error of a time-out tells: where the time went, how the pool stood, who held the connections, what went wrong below. */
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { line, type PoolError } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { acquireAll, fewMs, reasonOf, releaseAll } from '../support/callers.ts'
import { closing, listen, startPeer } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'
import { sessionsFor } from '../support/sessions.ts'

const test = suite('time-outs')
const { server, open } = sessionsFor(test, { probeAfterIdleMs: Infinity })
const kept = closing(test)

const told = ({ code, phase, outcome }: PoolError): unknown[] => [code, phase, outcome]

for (const shards of [0, 1]) {
  const where = `shards: ${shards}`

  test(`${where}: in the queue, the three who hold connections longest are named with what they are and their ages`, async () => {
    const pool = await open({ shards, maxConnections: 5 })
    const handler = pool.handlers.stubborn('handler')
    await server.received('hold handler')
    const first = pool.leases()[0]?.connection.id
    await fewMs()
    const streamed = await pool.acquire()
    const stream = streamed.stream()
    await fewMs()
    const leases = await acquireAll(pool, 3)
    const [acquire, request, waiting] = await Promise.all([
      rejects(pool.acquire({ timeoutMs: 30 }), 'ACQUIRE_TIMEOUT'),
      rejects(pool.request('never', { timeoutMs: 30 }), 'REQUEST_TIMEOUT'),
      rejects(pool.handlers.echo('never', { timeoutMs: 30 }), 'REQUEST_TIMEOUT'),
    ])
    for (const error of [acquire, request, waiting]) {
      assert.equal([error.phase, error.outcome], ['queue', 'not-sent'])
      assert.equal(
        error.oldest?.map(({ kind, handler }) => [kind, handler]),
        [
          ['handler', 'stubborn'],
          ['stream', undefined],
          ['lease', undefined],
        ],
      )
      assert.is(error.oldest?.[0]?.connection, first)
      assert.ok((error.oldest?.[0]?.heldMs ?? 0) >= 30)
      assert.match(error.message, /within 30 ms, none in use came back: 5 of 5 connections \(5 in use, 0 idle, 0 opening\), \d waiting/)
      assert.match(error.message, /held longest by the handler 'stubborn' \(\S+\) for \d+ ms, a stream .*, a lease .* and 2 more$/)
      assert.is(error.counts?.connections, 5)
    }
    releaseAll(leases)
    stream.destroy()
    server.release('handler')
    await handler
  })

  test(`${where}: while a connection is opened, the first waits for that and those behind him for one in use`, async () => {
    let asked = 0
    const credentials = () => (asked++ === 0 ? { username: 'first' } : new Promise<never>(() => undefined))
    const pool = await open({ shards, maxConnections: 2, credentials })
    const lease = await pool.acquire()
    // The first waits longer: the other would be the first as soon as he has gone.
    const errors = [100, 50].map((timeoutMs) => rejects(pool.acquire({ timeoutMs }), 'ACQUIRE_TIMEOUT'))
    assert.equal(
      (await Promise.all(errors)).map(({ phase }) => phase),
      ['connect', 'queue'],
    )
    lease.release()
  })

  test(`${where}: while connects fail, the last error is the cause`, async () => {
    const sockets: Socket[] = []
    const listener = createServer((socket) => void sockets.push(socket))
    const port = await listen(listener)
    const pool = await kept(
      createPool({ endpoint: `tcp://127.0.0.1:${port}`, shards, maxConnections: 2, backoff: { initialMs: 1 }, protocol: line() }),
    )
    const lease = await pool.acquire()
    await until(() => sockets.length === 1, 'the server has taken it')
    const failed = once(pool.events, 'connectFailed')
    listener.close() // to those who come, not to those who are there
    const waiting = rejects(pool.acquire({ timeoutMs: 300 }), 'ACQUIRE_TIMEOUT')
    await failed
    const error = await waiting
    assert.equal(told(error), ['ACQUIRE_TIMEOUT', 'connect', 'not-sent'])
    assert.match(error.message, /none was opened/)
    const { cause } = error as { cause?: PoolError } // as the message says
    assert.is(cause?.code, 'CONNECT_FAILED')
    assert.is((cause?.cause as NodeJS.ErrnoException | undefined)?.code, 'ECONNREFUSED') // of the system
    lease.release()
    for (const socket of sockets) socket.destroy()
  })

  test(`${where}: while the one connection is being probed or reset, that is what was waited for`, async () => {
    const pool = await open({ shards, maxConnections: 1, probeAfterIdleMs: 1, probeTimeoutMs: 15_000 })
    const lease = await pool.acquire()
    await lease.request('set x')
    const [peer] = server.peers
    assert.ok(peer !== undefined)
    peer.mute = true
    lease.release()
    const reset = await rejects(pool.request('never', { timeoutMs: 30 }), 'REQUEST_TIMEOUT')
    assert.equal(told(reset), ['REQUEST_TIMEOUT', 'probe', 'not-sent'])
    assert.is(pool.stats().resetting, 1)
    peer.mute = false
    peer.socket.write('ok\n')
    await until(() => pool.stats().idle === 1, 'it is idle')
    await fewMs()
    peer.mute = true
    const [probe, handler] = await Promise.all([
      rejects(pool.acquire({ timeoutMs: 30 }), 'ACQUIRE_TIMEOUT'),
      rejects(pool.handlers.echo('never', { timeoutMs: 30 }), 'REQUEST_TIMEOUT'),
    ])
    assert.is(server.lines.at(-1), 'ping')
    assert.equal(told(probe), ['ACQUIRE_TIMEOUT', 'probe', 'not-sent'])
    assert.equal([handler.phase, handler.outcome], ['probe', 'not-sent'])
    assert.match(probe.message, /none was proved fit/)
    peer.socket.write('ping\n')
    await until(() => pool.stats().idle === 1, 'it is idle again')
    assert.is(server.peers.length, 1)
  })

  test(`${where}: a request of which no byte has gone to the shard waits to be sent`, async () => {
    const peer = await kept(startPeer((socket) => void socket.pause()))
    const pool = await kept(createPool({ endpoint: peer.endpoint, shards, maxConnections: 1, ringBytes: 4_096, protocol: line() }))
    await pool.use(() => undefined)
    const controller = new AbortController()
    const ahead = reasonOf(pool.request('x'.repeat(2 ** 26), { signal: controller.signal })) // more than what lies between takes
    const error = await rejects(pool.request('next', { timeoutMs: 100 }), 'REQUEST_TIMEOUT')
    assert.equal(told(error), ['REQUEST_TIMEOUT', 'send', 'not-sent'])
    controller.abort()
    await ahead
  })

  test(`${where}: a lease that is given another connection waits for that`, async () => {
    let asked = 0
    const credentials = () => (asked++ === 0 ? { username: 'first' } : new Promise<never>(() => undefined))
    const pool = await open({ shards, maxConnections: 1, credentials })
    const lease = await pool.acquire()
    await until(() => server.peers.length === 1, 'the server has taken it')
    server.peers[0]?.socket.destroy()
    await until(() => asked === 2, 'another is coming')
    const error = await rejects(lease.request('never', { timeoutMs: 30 }), 'REQUEST_TIMEOUT')
    assert.equal(told(error), ['REQUEST_TIMEOUT', 'connect', 'not-sent'])
    lease.release()
  })
}

test('while the pool is paused the queue is what keeps callers, and the message says so', async () => {
  const pool = await open({ shards: 0, maxConnections: 1 })
  pool.pause()
  const error = await rejects(pool.acquire({ timeoutMs: 30 }), 'ACQUIRE_TIMEOUT')
  assert.is(error.phase, 'queue')
  assert.match(error.message, /paused/)
})

test("a time-out brings no stack of the pool's own clock, and other errors keep theirs", async () => {
  const { stackTraceLimit } = Error
  const pool = await open({ shards: 0, maxConnections: 1 })
  const lease = await pool.acquire()
  const error = await rejects(pool.acquire({ timeoutMs: 20 }), 'ACQUIRE_TIMEOUT')
  assert.not.match(error.stack ?? '', /\n\s+at /)
  assert.is(Error.stackTraceLimit, stackTraceLimit)
  lease.release()
})

test('ready() that is late waits for a connect', async () => {
  const pool = await open({ shards: 0, minConnections: 1 }, { greeting: 'hold hello' })
  const error = await rejects(pool.ready({ timeoutMs: 30 }), 'ACQUIRE_TIMEOUT')
  assert.equal(told(error), ['ACQUIRE_TIMEOUT', 'connect', 'not-sent'])
})

test.run()
