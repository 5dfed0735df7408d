import { once } from 'node:events'
import { line, type Pool, PoolError, type PoolEvents, type PoolOptions } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { type NamedServer, startNamed } from '../support/named-server.ts'
import { atRest, closing, startPeer } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'

const test = suite('ejection')
const keep = closing(test)

type LinePool = Pool<string, string>

const pair = async (): Promise<[NamedServer, NamedServer]> => [await keep(startNamed('a')), await keep(startNamed('b'))]

/** So long that no test outlives it. */
const FOR_EVER = { baseMs: 1_000_000, maxMs: 1_000_000 }

async function open(two: readonly { readonly endpoint: string }[], options: Partial<PoolOptions<string, string>>): Promise<LinePool> {
  const pool = await createPool({
    endpoint: two.map(({ endpoint }) => endpoint),
    protocol: line(),
    balancing: 'round-robin',
    maxConnections: 4,
    minConnections: 4,
    backoff: { initialMs: 1, maxMs: 20 },
    retryStale: 0,
    ...options,
  })
  await pool.ready()
  return pool
}

/** The argument of the next event of this name. */
async function next<Name extends keyof PoolEvents>(pool: LinePool, name: Name): Promise<PoolEvents[Name]> {
  const [event] = (await once(pool.events, name)) as [PoolEvents[Name]]
  return event
}

const states = (pool: LinePool): string[] => pool.stats().endpoints.map(({ state }) => state)

/** Requests, one after the other, until the endpoint is left out. Returns the codes of those that failed, but not for this machine's slowness. */
async function untilEjected(pool: LinePool, request: () => Promise<unknown>): Promise<string[]> {
  const codes: string[] = []
  let ejected = false
  const event = next(pool, 'endpointEjected').then(() => {
    ejected = true
  })
  while (!ejected) {
    await request().catch((error: unknown) => {
      if (!PoolError.is(error)) throw error
      if (error.stalled === undefined) codes.push(error.code)
    })
    await new Promise(setImmediate) // a loop of grants alone would keep the pool from everything else
  }
  await event
  return codes
}

/** Asks until this server answers. */
async function untilServed(pool: LinePool, name: string): Promise<void> {
  while ((await pool.request('who', { idempotent: true }).catch(() => 'lost')) !== name) await new Promise(setImmediate)
}

for (const shards of [0, 2]) {
  const where = shards === 0 ? 'on the calling thread' : 'in two threads'

  test(`${where}: a server that takes connections and does not answer is left out after so many time-outs, and fails nobody after that`, async () => {
    const [a, b] = await pair()
    const pool = await open([a, b], { shards, pipelining: 1, ejection: { afterFailures: 3, ...FOR_EVER } })
    a.mute = true
    const ejected = next(pool, 'endpointEjected')
    const codes = await untilEjected(pool, () => pool.request('x', { timeoutMs: 50 }))
    assert.equal(await ejected, { endpoint: a.endpoint, forMs: 1_000_000 })
    assert.ok(codes.length >= 3 && codes.every((code) => code === 'REQUEST_TIMEOUT'), codes.join(' '))
    assert.equal(states(pool), ['ejected', 'up'])
    const asked = a.lines.length
    for (let turn = 0; turn < 20; turn++) assert.is(await pool.request('y'), 'b')
    for (let turn = 0; turn < 5; turn++) assert.is(await pool.use((lease) => lease.request('z')), 'b')
    assert.is(a.lines.length, asked)
    await until(() => a.sockets.size === 0, 'its connections are closed')
    await until(() => pool.stats().connections === 4, 'others take their place')
    await atRest(pool)
  })

  test(`${where}: one that resets what it is asked is left out; it comes back by itself, and the next time is longer`, async () => {
    const [a, b] = await pair()
    const pool = await open([a, b], { shards, ejection: { afterFailures: 2, baseMs: 40, maxMs: 400 } })
    const ejected: number[] = []
    pool.events.on('endpointEjected', ({ forMs }) => ejected.push(forMs))
    for (let turn = 0; turn < 2; turn++) {
      const back = next(pool, 'endpointReturned')
      const codes = await untilEjected(pool, () =>
        pool.use((lease) => (lease.connection.endpoint === a.endpoint ? lease.request('bye') : '')),
      )
      assert.equal(codes, ['CONNECTION_LOST', 'CONNECTION_LOST'])
      assert.equal(await back, { endpoint: a.endpoint })
      await untilServed(pool, 'a')
    }
    assert.is(ejected[0], 40)
    assert.ok(ejected[1] === 80 || ejected[1] === 40, `${ejected[1]}`) // a machine that stood still for the time between has forgiven it
    assert.equal(states(pool), ['up', 'up'])
    await atRest(pool)
  })

  test(`${where}: one that nobody can connect to is left out; the others serve, and nobody fails`, async () => {
    const [a, b] = await pair()
    const pool = await open([a, b], { shards, failFastAfter: Number.POSITIVE_INFINITY, ejection: { afterFailures: 3, ...FOR_EVER } })
    const ejected = next(pool, 'endpointEjected')
    await a.stop()
    await untilEjected(pool, () => pool.request('x'))
    assert.is((await ejected).endpoint, a.endpoint)
    const failed = pool.stats().endpoints[0]?.counters.connectFailures
    assert.equal(await Promise.all(Array.from({ length: 20 }, () => pool.request('y'))), Array(20).fill('b'))
    assert.is(pool.stats().endpoints[0]?.counters.connectFailures, failed)
  })

  test(`${where}: when those that are left go down, the one that was left out is used at once`, async () => {
    const [a, b] = await pair()
    const pool = await open([a, b], { shards, failFastAfter: 2, ejection: { afterFailures: 1, ...FOR_EVER } })
    await untilEjected(pool, () => pool.use((lease) => (lease.connection.endpoint === a.endpoint ? lease.request('bye') : '')))
    assert.equal(states(pool), ['ejected', 'up'])
    const back = next(pool, 'endpointReturned')
    await b.stop()
    await untilServed(pool, 'a')
    assert.equal(await back, { endpoint: a.endpoint })
    assert.is(states(pool)[0], 'up')
  })

  test(`${where}: errors of the server's, aborts, and connections that end idle are no reason to leave it out`, async () => {
    const [a, b] = await pair()
    const pool = await open([a, b], { shards, ejection: { afterFailures: 1, ...FOR_EVER } })
    let ejected = 0
    pool.events.on('endpointEjected', () => ejected++)
    a.mute = b.mute = true
    for (let turn = 0; turn < 4; turn++) {
      const leaving = new AbortController()
      const request = pool.request('x', { signal: leaving.signal }).catch((reason: unknown) => reason)
      await until(() => a.lines.length + b.lines.length === turn + 1, 'it is there')
      leaving.abort('enough')
      assert.is(await request, 'enough')
    }
    for (const socket of [...a.sockets, ...b.sockets]) socket.destroy()
    await until(() => a.accepted + b.accepted === 8, 'others are open')
    assert.is(ejected, 0)
    assert.equal(states(pool), ['up', 'up'])
  })

  test(`${where}: connects that fail together are one failure`, async () => {
    const [a, b] = await pair()
    await b.stop()
    const pool = await createPool({
      endpoint: [a.endpoint, b.endpoint],
      protocol: line(),
      shards,
      maxConnections: 16,
      backoff: { initialMs: 1_000_000, maxMs: 1_000_000 },
      ejection: { afterFailures: 5, ...FOR_EVER },
    })
    const uses = Promise.all(Array.from({ length: 16 }, () => pool.use((lease) => lease.request('x'))))
    uses.catch(() => undefined) // awaited below, unless the test has failed
    await until(() => pool.stats().endpoints[1]?.counters.connectFailures === 8, 'half of them have failed')
    assert.is.not(states(pool)[1], 'ejected')
    assert.ok((await uses).every((name) => name === 'a'))
    await atRest(pool)
  })

  test(`${where}: a good reply begins the row anew`, async () => {
    const [a, b] = await pair()
    const pool = await open([a, b], { shards, pipelining: 1, ejection: { afterFailures: 3, ...FOR_EVER } })
    let ejected = 0
    pool.events.on('endpointEjected', () => ejected++)
    for (let round = 0; round < 4; round++) {
      a.mute = true
      for (let late = 0; late < 2; ) {
        const before = a.lines.length
        await pool.request('x', { timeoutMs: 20 }).catch(() => undefined)
        late += a.lines.length - before
      }
      a.mute = false
      await untilServed(pool, 'a')
    }
    assert.is(ejected, 0)
    assert.ok(pool.stats().counters.timeouts >= 8)
  })

  test(`${where}: a server that breaks the protocol is left out`, async () => {
    const [, b] = await pair()
    const noise = await keep(startPeer((socket) => void socket.on('data', () => socket.write('x'.repeat(100)))))
    const pool = await open([noise, b], { shards, protocol: line({ maxLineBytes: 50 }), ejection: { afterFailures: 2, ...FOR_EVER } })
    const ejected = next(pool, 'endpointEjected')
    const codes = await untilEjected(pool, () => pool.request('x'))
    assert.is((await ejected).endpoint, noise.endpoint)
    assert.equal(codes, ['PROTOCOL_ERROR', 'PROTOCOL_ERROR'])
    assert.is(await pool.request('x'), 'b')
  })

  test(`${where}: with one endpoint, or afterFailures Infinity, none is ever left out`, async () => {
    const [a, b] = await pair()
    a.mute = b.mute = true
    for (const [servers, ejection] of [
      [[a], { afterFailures: 1, maxEjected: 1 }],
      [[a, b], { afterFailures: Number.POSITIVE_INFINITY }],
    ] as const) {
      const pool = await open(servers, { shards, maxConnections: 2, minConnections: 0, ejection })
      for (let turn = 0; turn < 4; turn++) await rejects(pool.request('x', { timeoutMs: 5 }), 'REQUEST_TIMEOUT')
      assert.ok(states(pool).every((state) => state === 'up'))
      await pool.close({ timeoutMs: 1 })
    }
  })
}

test.run()
