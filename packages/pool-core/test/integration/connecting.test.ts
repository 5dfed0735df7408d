import { once } from 'node:events'
import { type Pool, type PoolEvents, type PoolOptions, type RespReply, type RespRequest, resp } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { type Gate, type GateMode, startGate } from '../support/gate-server.ts'
import { atRest, closing, settled } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'

const test = suite('connecting')
const keep = closing(test)

type RespPool = Pool<RespRequest, RespReply>

/** A pause that no test outlives: the chance that a random part of it is short is one in many thousand. */
const FOR_EVER = { initialMs: 10_000_000, maxMs: 10_000_000 }
const SOON = { initialMs: 5, maxMs: 20 }

async function open(mode: GateMode, options: Partial<PoolOptions<RespRequest, RespReply>>): Promise<{ gate: Gate; pool: RespPool }> {
  const gate = await keep(startGate(mode))
  const pool = await keep(
    createPool({ endpoint: gate.endpoint, protocol: resp(), credentials: { password: 'x' }, backoff: SOON, ...options }),
  )
  return { gate, pool }
}

/** So many callers; what they wait for is answered, or refused, before the test ends. */
const callers = (pool: RespPool, count: number): Promise<unknown>[] =>
  Array.from({ length: count }, (_, caller) => (caller % 2 === 0 ? pool.use((lease) => lease.request(['PING'])) : pool.request(['PING'])))

for (const shards of [0, 2]) {
  const where = shards === 0 ? 'on the calling thread' : 'in two threads'

  test(`${where}: with maxConnecting 2 never more than 2 hand-shakes are open, and everybody is served`, async () => {
    const { gate, pool } = await open('hold', { shards, maxConnections: 12, maxConnecting: 2, pipelining: 1 })
    const served = callers(pool, 20)
    await until(() => gate.held === 2, 'two hand-shakes are open')
    assert.is(await settled(() => gate.begun), 2)
    for (let more = 3; more <= 12; more++) {
      gate.letGo()
      await until(() => gate.begun >= more || pool.stats().pending.leases + pool.stats().pending.requests === 0, 'the next begins')
    }
    gate.mode = 'serve'
    gate.letGo(2)
    await Promise.all(served)
    assert.is(gate.most, 2)
    await atRest(pool)
  })

  test(`${where}: minConnections beyond maxConnecting are all opened`, async () => {
    const { gate, pool } = await open('serve', { shards, maxConnections: 12, minConnections: 9, maxConnecting: 2 })
    await pool.ready()
    assert.is(gate.accepted, 9)
    await atRest(pool)
  })

  test(`${where}: after the loss of all connections they come back maxConnecting at a time`, async () => {
    const { gate, pool } = await open('serve', { shards, maxConnections: 40, minConnections: 40, maxConnecting: 4 })
    await pool.ready()
    const leases = await Promise.all(Array.from({ length: 40 }, () => pool.acquire()))
    for (const lease of leases) lease.release()
    gate.mode = 'hold'
    for (const socket of gate.sockets) socket.destroy()
    await until(() => gate.held === 4, 'as many as are admitted')
    assert.is(await settled(() => gate.begun), 44)
    for (let back = 0; back < 40; back++) {
      await until(() => gate.held > 0, 'the next has come')
      gate.letGo()
    }
    await pool.ready()
    assert.is(gate.most, 4)
    assert.is(pool.stats().counters.connectFailures, 0)
    await atRest(pool)
  })

  test(`${where}: callers wait through failed connects, until failFastAfter in a row have failed; then each is told why`, async () => {
    const { gate, pool } = await open('reset', { shards, maxConnecting: 1, failFastAfter: 3, backoff: SOON })
    const down: Promise<PoolEvents['endpointDown'][]> = once(pool.events, 'endpointDown')
    const refused = callers(pool, 6).map((call) => rejects(call, 'CONNECT_FAILED'))
    for (const error of await Promise.all(refused)) {
      assert.is(error.phase, 'connect')
      assert.is(error.outcome, 'not-sent')
      assert.is((error.cause as { code?: string }).code, 'ECONNRESET')
    }
    const [{ endpoint, error, failures }] = (await down) as [PoolEvents['endpointDown']]
    assert.equal([endpoint, error.code, failures], [gate.endpoint, 'CONNECT_FAILED', 3])
  })

  test(`${where}: a server that serves before failFastAfter connects have failed costs its callers nothing but time`, async () => {
    const { gate, pool } = await open('reset', { shards, failFastAfter: Number.POSITIVE_INFINITY, backoff: SOON })
    const served = callers(pool, 6)
    await until(() => pool.stats().counters.connectFailures >= 5, 'five have failed')
    assert.is(pool.stats().counters.refused, 0)
    gate.mode = 'serve'
    await Promise.all(served)
    await atRest(pool)
  })

  test(`${where}: a failed connect is no cause of anything once one has succeeded`, async () => {
    const { gate, pool } = await open('reset', { shards, maxConnections: 2, failFastAfter: Number.POSITIVE_INFINITY })
    const served = [pool.acquire(), pool.acquire()]
    await until(() => pool.stats().counters.connectFailures > 0, 'one has failed')
    const early = await rejects(pool.acquire({ timeoutMs: 1 }), 'ACQUIRE_TIMEOUT')
    assert.equal([early.phase, (early.cause as { code?: string }).code], ['connect', 'CONNECT_FAILED'])
    gate.mode = 'serve'
    const leases = await Promise.all(served)
    const late = await rejects(pool.acquire({ timeoutMs: 1 }), 'ACQUIRE_TIMEOUT')
    assert.equal([late.phase, late.cause], ['queue', undefined])
    for (const lease of leases) lease.release()
  })

  test(`${where}: while it is down whoever comes is refused at once, and no connect is made for them`, async () => {
    const { gate, pool } = await open('reset', { shards, maxConnecting: 1, failFastAfter: 1, backoff: FOR_EVER })
    await rejects(pool.request(['PING']), 'CONNECT_FAILED')
    for (const error of await Promise.all(callers(pool, 200).map((call) => rejects(call, 'UNAVAILABLE')))) {
      assert.is(error.phase, 'connect')
      assert.is(error.outcome, 'not-sent')
      assert.is((error.cause as { code?: string }).code, 'CONNECT_FAILED')
    }
    assert.is(pool.tryAcquire(), undefined)
    assert.is(await settled(() => gate.accepted), 1)
    const { refused, connectFailures } = pool.stats().counters
    assert.equal([refused, connectFailures], [200, 1])
    await atRest(pool)
  })

  test(`${where}: while it is down one connect at a time finds out, and the pool serves again by itself, up to minConnections`, async () => {
    const { gate, pool } = await open('hold', { shards, maxConnections: 12, minConnections: 12, maxConnecting: 8, failFastAfter: 1 })
    await until(() => gate.held === 8, 'as many as are admitted')
    gate.resetHeld()
    await until(() => gate.held === 1, 'one tries again')
    await rejects(pool.acquire(), 'UNAVAILABLE')
    assert.is(await settled(() => gate.held), 1)
    gate.mode = 'reset'
    gate.resetHeld()
    const { connectFailures } = pool.stats().counters
    await until(() => pool.stats().counters.connectFailures > connectFailures + 5, 'it goes on trying')
    gate.mode = 'hold'
    await until(() => gate.held === 1, 'one waits')
    const admitted: number[] = []
    const up: Promise<PoolEvents['endpointUp'][]> = once(pool.events, 'endpointUp')
    for (const held of [1, 2, 4]) {
      await until(() => gate.held >= held, 'those that are admitted have come')
      admitted.push(await settled(() => gate.held))
      gate.letGo()
    }
    assert.equal(admitted, [1, 2, 4])
    const [{ endpoint, downMs }] = (await up) as [PoolEvents['endpointUp']]
    assert.is(endpoint, gate.endpoint)
    assert.ok(downMs > 0)
    gate.mode = 'serve'
    gate.letGo(gate.held)
    await pool.ready()
    assert.is(await pool.request(['PING']), 'PONG')
    assert.is(gate.most, 8)
    await atRest(pool)
  })

  test(`${where}: a password that the server refuses is told at once, and is tried again`, async () => {
    const { gate, pool } = await open('wrong', { shards, maxConnecting: 1, backoff: SOON })
    const errors = await Promise.all(callers(pool, 4).map((call) => rejects(call, 'AUTH_FAILED')))
    assert.is(pool.stats().counters.connectFailures, 1)
    for (const error of errors) assert.is(error.phase, 'connect')
    const up = once(pool.events, 'endpointUp')
    gate.mode = 'serve'
    await up
    assert.is(await pool.request(['PING']), 'PONG')
  })

  test(`${where}: a server that accepts connections and ends them at once is tried with back-off, and is down like one that refuses`, async () => {
    const gate = await keep(startGate('end'))
    const pool = await keep(createPool({ endpoint: gate.endpoint, protocol: resp(), shards, minConnections: 5, backoff: FOR_EVER }))
    await until(() => gate.accepted > 0, 'it is tried')
    assert.ok((await settled(() => gate.accepted)) <= 10) // each of the five, and one instead of each that was dead when it was to be lent
    await atRest(pool)
    await pool.close()
    const other = await keep(createPool({ endpoint: gate.endpoint, protocol: resp(), shards, minConnections: 5, backoff: SOON }))
    const [{ error, failures }] = (await once(other.events, 'endpointDown')) as [PoolEvents['endpointDown']]
    assert.is(error.code, 'CONNECT_FAILED')
    assert.ok(failures >= 3)
    assert.match(error.message, /ended as soon as it was open: peer-end/)
    gate.mode = 'serve'
    await other.ready()
    assert.is(other.stats().idle, 5)
    await atRest(other)
  })

  test(`${where}: a connect whose caller has left serves the next one, or stays idle`, async () => {
    const { gate, pool } = await open('hold', { shards, maxConnections: 2 })
    await rejects(pool.acquire({ timeoutMs: 5 }), 'ACQUIRE_TIMEOUT')
    await until(() => gate.held === 1, 'its connect goes on')
    const next = pool.use((lease) => lease.request(['PING']))
    gate.letGo()
    assert.is(await next, 'PONG')
    assert.is(gate.accepted, 1)
    const leaving = new AbortController()
    const lease = await pool.acquire()
    const left = pool.acquire({ signal: leaving.signal })
    await until(() => gate.held === 1, 'a second connects')
    leaving.abort(new Error('changed my mind'))
    await left.catch((reason: unknown) => assert.is((reason as Error).message, 'changed my mind'))
    gate.letGo()
    await until(() => pool.stats().idle === 1, 'it is idle')
    lease.release()
    await atRest(pool)
  })

  test(`${where}: a pause holds callers though the server is down; they are served when it is back`, async () => {
    const { gate, pool } = await open('reset', { shards, failFastAfter: 1, backoff: SOON })
    await rejects(pool.request(['PING']), 'CONNECT_FAILED')
    pool.pause()
    const held = callers(pool, 4)
    await until(() => pool.stats().counters.connectFailures > 4, 'it is still down')
    const up = once(pool.events, 'endpointUp')
    gate.mode = 'serve'
    await up
    pool.resume()
    await Promise.all(held)
    assert.is(pool.stats().counters.refused, 0)
  })

  test(`${where}: those whom a pause held are told, when it ends before the server is back`, async () => {
    const { pool } = await open('reset', { shards, failFastAfter: 1, backoff: SOON })
    await rejects(pool.request(['PING']), 'CONNECT_FAILED')
    pool.pause()
    const held = callers(pool, 4).map((call) => rejects(call, 'CONNECT_FAILED'))
    const { connectFailures } = pool.stats().counters
    await until(() => pool.stats().counters.connectFailures > connectFailures, 'it is still down')
    pool.resume()
    await Promise.all(held)
    assert.is(pool.stats().pending.leases + pool.stats().pending.requests, 0)
  })

  test(`${where}: those whom a pause held are told as it ends, if the server is down and will not be tried again soon`, async () => {
    const { pool } = await open('reset', { shards, maxConnecting: 1, failFastAfter: 1, backoff: FOR_EVER })
    await rejects(pool.request(['PING']), 'CONNECT_FAILED')
    pool.pause()
    const held = callers(pool, 4).map((call) => rejects(call, 'CONNECT_FAILED'))
    assert.is(pool.stats().pending.leases + pool.stats().pending.requests, 4)
    pool.resume()
    assert.is(pool.stats().pending.leases + pool.stats().pending.requests, 0)
    await Promise.all(held)
    assert.is(pool.stats().counters.connectFailures, 1)
  })
}

test.run()
