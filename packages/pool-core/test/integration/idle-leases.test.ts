/** Leases of connections that are idle, and what they cost: no turn of the event loop, no word to the shard. */
import { tracingChannel } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { line, PoolError } from '@cenote/pool-core'
import { realWorld, type World } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { atRest, closing, echo, startPeer } from '../support/peers.ts'
import { createPool, createPoolIn } from '../support/pools.ts'

const test = suite('idle leases')
const kept = closing(test)

/** The world, with the callbacks counted that are asked for at the end of a turn. */
function counting(callbacks: { count: number }): World {
  return {
    ...realWorld,
    immediate: (action) => {
      callbacks.count++
      return realWorld.immediate(action)
    },
  }
}

test('a lease that sends nothing costs neither its shard nor the event loop a turn; one that does is told to be over', async () => {
  const callbacks = { count: 0 }
  const peer = await kept(startPeer(echo))
  const pool = await kept(createPoolIn(counting(callbacks))({ endpoint: peer.endpoint, shards: 0, maxConnections: 2, protocol: line() }))
  await pool.use((lease) => lease.request('hello'))
  await atRest(pool)
  do {
    callbacks.count = 0
    await setImmediate()
  } while (callbacks.count > 0) // its shard makes one more turn after the last that brought anything
  for (let time = 0; time < 3; time++) {
    pool.tryAcquire()?.release()
    const lease = await pool.acquire()
    lease.release()
    await setImmediate()
  }
  assert.is(callbacks.count, 0)
  assert.is(pool.stats().counters.released, 7)
  const lease = await pool.acquire()
  await lease.request('hello')
  callbacks.count = 0
  lease.release()
  await setImmediate()
  assert.ok(callbacks.count > 0, 'its shard is told')
})

test('on the calling thread, whoever asks again as soon as he is answered has his request sent at the end of the next turn', async () => {
  const callbacks = { count: 0 }
  const peer = await kept(startPeer(echo))
  const pool = await kept(createPoolIn(counting(callbacks))({ endpoint: peer.endpoint, shards: 0, maxConnections: 1, protocol: line() }))
  const requests = 20
  await pool.use(async (lease) => {
    await lease.request('hello')
    callbacks.count = 0
    for (let done = 0; done < requests; done++) await lease.request('hello')
  })
  assert.ok(callbacks.count <= 4 * requests, `two turns for each, of two callbacks: ${callbacks.count}`) // told and read; then written
})

for (const shards of [0, 1]) {
  const where = shards === 0 ? 'on the calling thread' : 'in a thread'

  test(`${where}: whoever comes is served before the call returns, if a connection is idle`, async () => {
    const peer = await kept(startPeer(echo))
    const pool = await kept(createPool({ endpoint: peer.endpoint, shards, maxConnections: 1, protocol: line() }))
    await pool.use((lease) => lease.request('hello'))
    await atRest(pool)
    const first = pool.acquire()
    assert.is(pool.stats().inUse, 1)
    const order: string[] = []
    const second = pool.acquire().then((lease) => {
      order.push('second')
      return lease
    })
    assert.is(pool.tryAcquire(), undefined)
    const lease = await first
    order.push('first')
    lease.release()
    const other = await second
    assert.equal(order, ['first', 'second'])
    other.release()
    const { acquires, acquired, released } = pool.stats().counters
    assert.equal([acquires, acquired, released], [3, 3, 3])
    assert.is(pool.stats().use.count, 3)
  })

  test(`${where}: a signal that is aborted already takes no connection, idle as it may be`, async () => {
    const peer = await kept(startPeer(echo))
    const pool = await kept(createPool({ endpoint: peer.endpoint, shards, maxConnections: 1, protocol: line() }))
    await pool.use((lease) => lease.request('hello'))
    await atRest(pool)
    const reason = new Error('too late')
    const told = await pool.acquire({ signal: AbortSignal.abort(reason) }).catch((error: unknown) => error)
    assert.is(told, reason)
    assert.is(pool.stats().inUse, 0)
    assert.equal(pool.stats().counters.ended.acquires, { succeeded: 1, failed: 0, aborted: 1 })
  })
}

test('a lease that is over stays so, whoever has its connection next', async () => {
  const peer = await kept(startPeer(echo))
  const pool = await kept(createPool({ endpoint: peer.endpoint, shards: 0, maxConnections: 1, protocol: line() }))
  const first = await pool.acquire()
  const { id } = first.connection
  first.release()
  const second = await pool.acquire()
  assert.is(second.connection.id, id)
  assert.is(first.connection.id, id)
  assert.throws(() => first.release(), isReleased)
  assert.throws(() => first.destroy(), isReleased)
  assert.throws(() => first.stream(), isReleased)
  assert.throws(() => first.onPush(() => undefined), isReleased)
  await rejects(first.request('mine?'), 'LEASE_RELEASED')
  first[Symbol.dispose]()
  const [late, present] = [first.signal, second.signal]
  const ended = once(present, 'abort')
  late.addEventListener('abort', () => assert.unreachable('it had its time'))
  assert.is(await second.request('mine'), 'mine')
  for (const socket of peer.sockets) socket.destroy()
  await ended
  second.release()
  assert.not(late.aborted)
})

test("a lease that is released by whoever is told of its request sends nothing over what is somebody else's by then", async () => {
  const peer = await kept(startPeer(echo))
  const pool = await kept(createPool({ endpoint: peer.endpoint, shards: 0, maxConnections: 1, protocol: line() }))
  const requests = tracingChannel('cenote:request')
  const first = await pool.acquire()
  const next = pool.acquire()
  const told = { start: () => first.release() }
  requests.subscribe(told as never) // the other steps are nobody's concern
  const refused = first.request('late')
  requests.unsubscribe(told as never)
  await rejects(refused, 'LEASE_RELEASED')
  const lease = await next
  assert.is(await lease.request('mine'), 'mine')
  lease.release()
  await atRest(pool)
})

test('a stream that its connection has ended leaves nothing to whoever leases next', async () => {
  const peer = await kept(startPeer(echo))
  const pool = await kept(createPool({ endpoint: peer.endpoint, shards: 0, maxConnections: 1, protocol: line() }))
  const streaming = await pool.acquire()
  const stream = streaming.stream()
  const closed = new Promise((resolve) => {
    stream.on('error', () => undefined).once('close', resolve)
  })
  await until(() => peer.sockets.size === 1, 'the server has it')
  for (const socket of peer.sockets) socket.resetAndDestroy()
  await closed
  for (const word of ['one', 'two']) assert.is(await pool.use((lease) => lease.request(word)), word)
  await atRest(pool)
})

function isReleased(error: Error): boolean {
  return PoolError.is(error) && error.code === 'LEASE_RELEASED'
}

test.run()
