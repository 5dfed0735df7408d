import type { Lease } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { reasonOf } from '../support/callers.ts'
import { atRest } from '../support/peers.ts'
import { type SessionPool, sessionsFor } from '../support/sessions.ts'

const test = suite('scoped leases')
const { server, open } = sessionsFor(test, { shards: 1, maxConnections: 1 })

type SessionLease = Lease<string, string>

/** Leases granted, and given back. */
function counted(pool: SessionPool): [number, number] {
  const { acquired, released } = pool.stats().counters
  return [acquired, released]
}

for (const shards of [0, 1]) {
  const where = shards === 0 ? 'on the calling thread' : 'in a thread'

  test(`${where}: the end of a scope releases its lease, whichever way it is left, and hides no error`, async () => {
    const pool = await open({ shards })
    const failure = new Error('mine')
    const scopes: (() => Promise<unknown>)[] = [
      async () => {
        await using lease = await pool.acquire()
        return await lease.request('returned') // awaited, or the lease would go before its reply comes
      },
      async () => {
        await using lease = await pool.acquire()
        await lease.request('thrown')
        throw failure
      },
      async () => {
        using lease = pool.tryAcquire()
        return lease?.connection.shard
      },
      async () => {
        await using outer = await pool.acquire()
        using none = pool.tryAcquire()
        assert.is(none, undefined)
        return await outer.request('alone')
      },
    ]
    const ended: unknown[] = []
    for (const scope of scopes) {
      ended.push(await scope().catch((error: unknown) => error))
      assert.is(counted(pool)[0], counted(pool)[1])
    }
    assert.equal(ended.slice(0, 1).concat(ended.slice(2)), ['returned', 0, 'alone'])
    assert.is(ended[1], failure)
    assert.equal(counted(pool), [4, 4])
    await atRest(pool)
    assert.is(server.peers.length, 1, 'all had the same connection')
  })

  test(`${where}: a lease that was destroyed or released within its scope is left alone by the end of it`, async () => {
    const pool = await open({ shards })
    const acts: ((lease: SessionLease) => void)[] = [(lease) => lease.destroy(), (lease) => lease.release()]
    for (const [index, act] of acts.entries()) {
      const used = await pool.use((lease) => {
        act(lease)
        return 'done'
      })
      assert.is(used, 'done')
      await (async () => {
        await using lease = await pool.acquire()
        act(lease)
      })()
      assert.equal(counted(pool), [2 * index + 2, 2 * index + 2])
    }
    await atRest(pool)
    assert.equal(pool.stats().counters.closedBy, { error: 2 })
    assert.is(pool.stats().counters.opened, 3)
  })
}

test('a lease whose connection has died, or whose pool is closed, is released without a word', async () => {
  const pool = await open()
  await pool.use(async (lease) => {
    await lease.request('bye').catch(() => undefined)
    await until(() => lease.signal.aborted, 'it has died')
  })
  assert.equal(counted(pool), [1, 1])
  const lease = await pool.acquire()
  await pool.close({ timeoutMs: 1 })
  assert.ok(lease.signal.aborted)
  await lease[Symbol.asyncDispose]()
  lease[Symbol.dispose]()
  assert.equal(counted(pool), [2, 2])
})

test('whoever has released a connection cannot touch it any more, though another holds it now', async () => {
  const pool = await open()
  const before = await pool.acquire()
  const { id } = before.connection
  before.release()
  const now = await pool.acquire()
  assert.is(now.connection.id, id)
  for (const late of [() => before.release(), () => before.destroy(), () => before.stream()]) {
    const error = await reasonOf((async () => late())())
    assert.is((error as { code?: unknown }).code, 'LEASE_RELEASED')
  }
  await rejects(before.request('not mine'), 'LEASE_RELEASED')
  before[Symbol.dispose]()
  assert.is(await now.request('still mine'), 'still mine')
  assert.equal(server.lines, ['still mine'])
  now.release()
})

test.run()
