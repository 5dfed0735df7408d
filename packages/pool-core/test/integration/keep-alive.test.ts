import { PoolError, protocolAt } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { suite, until } from '../../../pool-worker/test/kit/kit.ts'
import type * as rpcProtocol from '../fixtures/rpc-protocol.ts'
import { atRest, closing, echo, startPeer } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'
import { startRpc } from '../support/rpc-server.ts'
import { type SessionPool, sessionsFor } from '../support/sessions.ts'

const test = suite('keep-alive')
const { server, open } = sessionsFor(test, { maxConnections: 2 })
const made = closing(test)

const closedByIdle = (pool: Pick<SessionPool, 'stats'>): number => pool.stats().counters.closedBy.idle ?? 0

for (const shards of [0, 1]) {
  const where = shards === 0 ? 'on the calling thread' : 'in a thread'

  test(`${where}: what onConnect says of the server ends idle connections, and minConnections opens others`, async () => {
    const pool = await open({ shards, minConnections: 1 }, { keepAliveMs: 60 })
    await until(() => closedByIdle(pool) >= 2, 'two have had their time, with nobody asking')
    await until(() => pool.stats().idle >= 1, 'there is another')
    assert.is(await pool.request('after'), 'after')
    assert.equal(Object.keys(pool.stats().counters.closedBy), ['idle'])
  })

  test(`${where}: what a handler says counts, and so does what it says last`, async () => {
    const pool = await open({ shards }, { keepAliveMs: 100_000 })
    assert.is(await pool.handlers.keep(50), 'keep')
    await until(() => closedByIdle(pool) === 1, 'it has had its time')
    await pool.handlers.keep(50)
    await pool.handlers.keep(Number.POSITIVE_INFINITY)
    assert.is(server.peers.length, 2, 'the second was used twice')
    assert.is(await pool.handlers.keepLate(50), 'LEASE_RELEASED')
  })

  test(`${where}: what a library's client says counts, whenever it says it`, async () => {
    const rpc = await made(startRpc())
    const protocol = protocolAt<typeof rpcProtocol>(new URL('../fixtures/rpc-protocol.js', import.meta.url), { keepAliveMs: 50 })
    const pool = await made(createPool({ endpoint: rpc.endpoint, protocol, shards, maxConnections: 1 }))
    for (let turn = 1; turn <= 2; turn++) {
      assert.is(await pool.request({ method: 'keep' }), 'keep')
      await until(() => closedByIdle(pool) === turn, 'it has had its time')
      assert.is(rpc.peers.length, turn)
    }
  })
}

test('release({ keepAliveMs }) ends a connection though minConnections wants it, after a request, a change or a stream', async () => {
  const pool = await open({ shards: 1, maxConnections: 1, minConnections: 1 })
  for (const [turn, request] of ['plain', 'set state'].entries()) {
    const lease = await pool.acquire()
    await lease.request(request)
    lease.release({ keepAliveMs: 20 })
    await until(() => closedByIdle(pool) === turn + 1, 'it has had its time')
  }
  await atRest(pool)

  const peer = await made(startPeer(echo))
  const raw = await made(createPool({ endpoint: peer.endpoint, shards: 1, maxConnections: 1 }))
  const lease = await raw.acquire()
  lease.stream()
  lease.release({ keepAliveMs: 20, reusable: true })
  await until(() => closedByIdle(raw) === 1, 'it has had its time')
  assert.is(raw.stats().counters.closed, 1)
})

test('a connection past its time is lent to nobody, though this thread has had no time to close it', async () => {
  const pool = await open({ shards: 1 })
  const lease = await pool.acquire()
  lease.release({ keepAliveMs: 20 })
  for (const end = performance.now() + 21; performance.now() < end; ); // no timer fires meanwhile
  assert.is(pool.tryAcquire(), undefined)
  assert.is(await pool.request('on another'), 'on another')
  assert.is(server.peers.length, 2)
  await until(() => closedByIdle(pool) === 1, 'it is closed')
})

test('a keepAliveMs that is no time is refused, and the lease goes on', async () => {
  const pool = await open({ shards: 1 })
  const lease = await pool.acquire()
  for (const keepAliveMs of [0, -1, Number.NaN, '5', null]) {
    try {
      lease.release({ keepAliveMs: keepAliveMs as number }) // what is not typed may give anything
      assert.unreachable(String(keepAliveMs))
    } catch (error) {
      assert.ok(PoolError.is(error), String(error))
      assert.is(error.code, 'BAD_OPTION')
      assert.match(error.message, /^options\.keepAliveMs/)
    }
  }
  assert.is(await lease.request('still mine'), 'still mine')
  lease.release({ keepAliveMs: Number.POSITIVE_INFINITY })
  await atRest(pool)
  assert.is(pool.stats().idle, 1)
})

test.run()
