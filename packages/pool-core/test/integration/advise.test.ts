import { PoolError } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { acquireAll, fewMs, releaseAll } from '../support/callers.ts'
import { sessionsFor } from '../support/sessions.ts'

const test = suite('advise')
const { server, open } = sessionsFor(test, { shards: 1, maxConnections: 4 })

const isNear = (actual: number, expected: number): void => assert.ok(Math.abs(actual - expected) < 1e-6, `${actual} is not ${expected}`)

for (const shards of [0, 2]) {
  const where = shards === 0 ? 'on the calling thread' : 'in threads'

  test(`${where}: advise() counts who holds a connection and who waits, over the time asked for`, async () => {
    const pool = await open({ shards })
    const leases = await acquireAll(pool, 4)
    const waiting = Promise.all(Array.from({ length: 6 }, async () => (await pool.acquire()).release()))
    await until(() => pool.stats().pending.leases === 6, 'they wait')
    const before = pool.stats()
    await fewMs()
    const { overMs, connections, waiting: queue, utilization, sizes } = pool.advise(before)
    assert.ok(overMs > 0)
    for (const [actual, expected] of [
      [connections, 4],
      [queue, 6],
      [utilization, 1],
    ] as const)
      isNear(actual, expected)
    assert.equal(sizes, { maxConnections: 8, minConnections: 4 })
    releaseAll(leases)
    await waiting
  })

  test(`${where}: advise() finds as many connections in use as calls come while each holds one`, async () => {
    const pool = await open({ shards })
    const before = pool.stats()
    for (let round = 0; round < 20; round++) {
      const [one, two] = await acquireAll(pool, 2)
      await Promise.all([one?.request('a'), two?.request('b')])
      one?.release()
      two?.destroy()
    }
    const held = pool.handlers.stubborn('long')
    await server.received('hold long')
    server.release('long')
    await held
    const { overMs, callsPerSecond, holdMs, connections, utilization } = pool.advise(before)
    isNear((callsPerSecond * overMs) / 1000, 41)
    isNear(connections, (callsPerSecond / 1000) * holdMs)
    isNear(utilization, connections / 4)
    const { use } = pool.stats()
    assert.is(use.count, 41)
    // A connection is its lease's a little longer than the lease is its holder's; the histogram has two figures.
    assert.ok(holdMs >= 0.95 * use.mean - 0.1, `${use.mean} ms by the leases, ${holdMs} ms by the connections`)
  })
}

test('advise() gives what resize() takes', async () => {
  const pool = await open()
  await pool.request('shared')
  const { sizes } = pool.advise()
  pool.resize(sizes)
  assert.equal(pool.advise().sizes, sizes)
})

test('advise() refuses what stats() of this pool has not returned', async () => {
  const pool = await open()
  const stats = pool.stats()
  const { overMs, calls } = stats.load
  const wrong = [
    null,
    1,
    'load',
    {},
    { load: undefined },
    { load: {} },
    { load: { overMs, calls } },
    { ...stats, load: { ...stats.load, calls: 9 } },
  ]
  for (const since of wrong) {
    let refusal: unknown
    try {
      Reflect.apply(pool.advise, pool, [since])
    } catch (error) {
      refusal = error
    }
    assert.ok(
      PoolError.is(refusal) && refusal.code === 'BAD_OPTION' && refusal.phase === 'start' && refusal.message.startsWith('advise: '),
      JSON.stringify(since),
    )
  }
})

test.run()
