/** Black holes: peers that take requests and never answer. */
import { line, type Pool, type PoolOptions } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { assertBalanced } from '../support/balance.ts'
import { atRest, closing, type Peer, startPeer } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'

const test = suite('inactivity')
const kept = closing(test)

/** Takes all and answers nothing; after `heal`, new connections are echoed. */
async function blackHole(): Promise<Peer & { heal(): void }> {
  let healed = false
  const peer = await kept(startPeer((socket) => void (healed ? socket.pipe(socket) : socket.resume())))
  return Object.defineProperties(peer, { heal: { value: () => (healed = true) } }) as Peer & { heal(): void } // what was just defined
}

const openPool = (peer: Peer, options: Partial<PoolOptions> = {}): Promise<Pool<string, string>> =>
  kept(createPool({ endpoint: peer.endpoint, maxConnections: 2, inactivityTimeoutMs: 60, ...options, protocol: line() }))

for (const shards of [0, 1]) {
  test(`requests, leases and idempotent requests in a black hole fail, and the pool recovers, with shards: ${shards}`, async () => {
    const peer = await blackHole()
    const pool = await openPool(peer, { shards })
    const [shared, leased] = [rejects(pool.request('one'), 'CONNECTION_LOST'), pool.acquire()]
    const lease = await leased
    const owed = rejects(lease.request('two'), 'CONNECTION_LOST')
    for (const error of await Promise.all([shared, owed])) {
      assert.is(error.outcome, 'maybe-executed')
      assert.match(error.message, /no byte for 60 ms/)
    }
    await until(() => lease.signal.aborted, 'its holder is told')
    lease.release()
    const moved = await rejects(pool.request('three', { idempotent: true }), 'CONNECTION_LOST')
    assert.match(moved.message, /no byte for 60 ms/)
    assert.is(pool.stats().counters.moved, 1)
    peer.heal()
    assert.is(await pool.request('four', { idempotent: true }), 'four')
    await atRest(pool)
    assertBalanced(pool)
  })
}

test('without it a black hole is met by the time-out alone', async () => {
  const pool = await openPool(await blackHole(), { shards: 0, inactivityTimeoutMs: Infinity })
  await rejects(pool.request('one', { timeoutMs: 200 }), 'REQUEST_TIMEOUT')
  assert.is(pool.stats().counters.closed, 0)
})

test.run()
