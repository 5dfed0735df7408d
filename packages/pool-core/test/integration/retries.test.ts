/** A call whose connection died goes on to another: how often, and on which condition. */
import type { Socket } from 'node:net'
import { type PoolOptions, protocolAt } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import type * as sessionProtocol from '../fixtures/session-protocol.ts'
import { atRest, closing, type Peer, startPeer } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'
import { type SessionPool, sessionsFor } from '../support/sessions.ts'

const test = suite('retries')
const { server, open } = sessionsFor(test, { shards: 0 })
const kept = closing(test)

/** A server that breaks a connection as soon as a line has come over it, so many times; then it sends each line back. */
async function breaking(times: number): Promise<Peer & { readonly broken: number }> {
  let broken = 0
  const serve = (socket: Socket): void => {
    socket.on('data', (chunk) => {
      if (broken === times) return void socket.write(chunk)
      broken++
      socket.destroy()
    })
    socket.once('end', () => socket.end())
  }
  const peer = await kept(startPeer(serve))
  return Object.defineProperties(peer, { broken: { get: () => broken } }) as Peer & { readonly broken: number } // what was just defined
}

async function openAt(peer: Peer, options: Partial<PoolOptions>): Promise<SessionPool> {
  const protocol = protocolAt<typeof sessionProtocol>(new URL('../fixtures/session-protocol.js', import.meta.url))
  return (await kept(createPool({ endpoint: peer.endpoint, shards: 0, maxConnections: 2, ...options, protocol }))) as unknown as SessionPool // no handlers are used
}

/** Ends all connections in the direction of the pool, so that the next call may meet one that has just died. */
async function finishAll(): Promise<void> {
  await Promise.all(server.open.filter((peer) => !peer.socket.writableEnded).map((peer) => server.finish(peer)))
}

const KINDS: readonly [string, (pool: SessionPool, text: string) => Promise<string>][] = [
  ['a request', (pool, text) => pool.request(text)],
  ['a request that must be alone', (pool, text) => pool.request(`alone ${text}`)],
  ['a handler', (pool, text) => pool.handlers.echo(text)],
]

for (const [what, call] of KINDS) {
  test(`${what} of which nothing was written moves once by default, and is counted`, async () => {
    const pool = await open({ maxConnections: 1 })
    for (let turn = 0; pool.stats().counters.moved < 5; turn++) {
      assert.ok(turn < 200, 'no connection died in the moment of its use')
      await pool.request('warm')
      await finishAll()
      assert.match(await call(pool, `turn ${turn}`), new RegExp(`turn ${turn}$`))
    }
    assert.is(pool.stats().counters.retriesRefused, 0)
    await atRest(pool)
  })

  test(`${what} of which nothing was written fails with retryStale 0, and says that nothing was sent`, async () => {
    const pool = await open({ maxConnections: 1, retryStale: 0 })
    let failed = 0
    for (let turn = 0; failed < 3; turn++) {
      assert.ok(turn < 200, 'no connection died in the moment of its use')
      await pool.request('warm')
      await finishAll()
      const error = await call(pool, 'stale').then(
        () => undefined,
        (reason: unknown) => reason,
      )
      if (error === undefined) continue
      assert.equal([(error as { code?: string }).code, (error as { outcome?: string }).outcome], ['CONNECTION_LOST', 'not-sent'])
      failed++
    }
    assert.equal([pool.stats().counters.moved, pool.stats().counters.retriesRefused], [0, 0])
    await atRest(pool)
  })
}

test('a lease that has sent nothing is not given another connection with retryStale 0', async () => {
  const pool = await open({ maxConnections: 1, retryStale: 0 })
  const lease = await pool.acquire()
  await until(() => server.peers.length === 1, 'the server has taken the connection')
  await finishAll()
  await until(() => lease.signal.aborted, 'the loss is told')
  assert.is((await rejects(lease.request('one'), 'CONNECTION_LOST')).outcome, 'not-sent')
  lease.release()
  await atRest(pool)
})

for (const text of ['shared', 'alone']) {
  for (const retryStale of [0, 1, 3]) {
    test(`an idempotent request (${text}) moves ${retryStale} times with retryStale ${retryStale}, and no further`, async () => {
      const enough = await breaking(retryStale)
      const pool = await openAt(enough, { retryStale })
      assert.is(await pool.request(text, { idempotent: true }), text)
      assert.is(pool.stats().counters.moved, retryStale)

      const tooMany = await breaking(retryStale + 1)
      const other = await openAt(tooMany, { retryStale })
      assert.is((await rejects(other.request(text, { idempotent: true }), 'CONNECTION_LOST')).outcome, 'maybe-executed')
      assert.is(tooMany.broken, retryStale + 1)
      assert.equal([other.stats().counters.moved, other.stats().counters.retriesRefused], [retryStale, 0])
      await atRest(other)
    })
  }

  test(`a request (${text}) that was written and is not idempotent never moves`, async () => {
    const peer = await breaking(1)
    const pool = await openAt(peer, { retryStale: 10 })
    assert.is((await rejects(pool.request(text), 'CONNECTION_LOST')).outcome, 'maybe-executed')
    assert.is(pool.stats().counters.moved, 0)
    assert.is(await pool.request(text), text)
  })

  test(`when the budget is spent, a request (${text}) that might have moved fails with the error of its connection`, async () => {
    const peer = await breaking(3)
    const pool = await openAt(peer, { retryStale: 10, retryBudget: { ratio: 0, minPerSecond: 0.2 } })
    assert.is((await rejects(pool.request(text, { idempotent: true }), 'CONNECTION_LOST')).outcome, 'maybe-executed')
    assert.equal([pool.stats().counters.moved, pool.stats().counters.retriesRefused], [2, 1])
    assert.is(await pool.request(text, { idempotent: true }), text)
    await atRest(pool)
  })
}

test('one budget serves requests, leases and handlers together', async () => {
  const pool = await open({ maxConnections: 1, retryBudget: { ratio: 0, minPerSecond: 0 } })
  const work = [...KINDS.map(([, call]) => call), (_: SessionPool, text: string) => pool.use((lease) => lease.request(text))]
  for (const [index, call] of work.entries()) {
    for (let turn = 0; pool.stats().counters.retriesRefused <= index; turn++) {
      assert.ok(turn < 200, 'no connection died in the moment of its use')
      await pool.request('warm')
      await finishAll()
      const error = await call(pool, 'stale').catch((reason: unknown) => reason as { code?: string })
      if (typeof error !== 'string') assert.is(error.code, 'CONNECTION_LOST')
    }
  }
  assert.is(pool.stats().counters.moved, 0)
  await atRest(pool)
})

test.run()
