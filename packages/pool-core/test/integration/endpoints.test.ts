import { once } from 'node:events'
import { line, type Pool, type PoolEvents, type PoolOptions } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { type NamedServer, startNamed } from '../support/named-server.ts'
import { atRest, closing } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'

const test = suite('several endpoints')
const keep = closing(test)

type LinePool = Pool<string, string>

const servers = (...names: string[]): Promise<NamedServer[]> => Promise.all(names.map((name) => keep(startNamed(name))))

const open = (options: PoolOptions<string, string>): Promise<LinePool> =>
  createPool({ protocol: line(), backoff: { initialMs: 1, maxMs: 20 }, ...options })

/** Who answers so many requests, one after the other. */
async function inTurn(pool: LinePool, count: number): Promise<string[]> {
  const names: string[] = []
  for (let turn = 0; turn < count; turn++) names.push(await pool.request(`turn ${turn}`))
  return names
}

const count = (names: readonly string[], name: string): number => names.filter((each) => each === name).length

/** Of each endpoint, in the order of its list. */
const told = <Key extends keyof ReturnType<LinePool['stats']>['endpoints'][number]>(pool: LinePool, key: Key) =>
  pool.stats().endpoints.map((endpoint) => endpoint[key])

for (const shards of [0, 2]) {
  const where = shards === 0 ? 'on the calling thread' : 'in two threads'

  test(`${where}: the work is spread over all endpoints, and each connection says which one it is of`, async () => {
    const three = await servers('a', 'b', 'c')
    const names = new Map(three.map(({ endpoint, name }) => [endpoint, name]))
    const endpoint = three.map(({ endpoint }) => endpoint)
    const pool = await open({ endpoint, shards, maxConnections: 6, minConnections: 6, pipelining: 8 })
    await pool.ready()
    const answers = await Promise.all(Array.from({ length: 300 }, (_, request) => pool.request(`${request}`)))
    // The first 48 fill every connection; of the others whoever answers sooner gets more.
    for (const { name } of three) assert.ok(count(answers, name) >= 16, `${name} answered ${count(answers, name)} of 300`)
    assert.equal(
      told(pool, 'counters').map(({ requests }) => requests),
      three.map(({ name }) => count(answers, name)),
    )
    const leases = await Promise.all(Array.from({ length: 6 }, () => pool.acquire()))
    for (const lease of leases) assert.is(await lease.request('who'), names.get(lease.connection.endpoint))
    assert.equal(told(pool, 'inUse'), [2, 2, 2])
    for (const lease of leases) lease.release()
    await atRest(pool)
  })

  test(`${where}: in turn each endpoint gets as much as its weight says`, async () => {
    const [a, b] = (await servers('a', 'b')) as [NamedServer, NamedServer]
    const pool = await open({
      endpoint: [{ endpoint: a.endpoint, weight: 3 }, b.endpoint],
      shards,
      balancing: 'round-robin',
      maxConnections: 4,
      minConnections: 4,
    })
    await pool.ready()
    assert.equal(
      [told(pool, 'connections'), told(pool, 'weight')],
      [
        [3, 1],
        [3, 1],
      ],
    )
    const names = await inTurn(pool, 40)
    assert.equal([count(names, 'a'), count(names, 'b')], [30, 10])
  })

  test(`${where}: a server that dies costs no caller anything whose request may be sent again, and is used again when it is back`, async () => {
    const [a, b] = (await servers('a', 'b')) as [NamedServer, NamedServer]
    const pool = await open({
      endpoint: [a.endpoint, b.endpoint],
      shards,
      maxConnections: 4,
      pipelining: 4,
      failFastAfter: 2,
      retryBudget: { ratio: 100 },
      retryStale: 10,
      ejection: { afterFailures: Number.POSITIVE_INFINITY },
    })
    let stop = false
    const answers: string[] = []
    const callers = Array.from({ length: 8 }, async () => {
      while (!stop) answers.push(await pool.request('x', { idempotent: true }))
    })
    await until(() => count(answers, 'a') > 20 && count(answers, 'b') > 20, 'both have work')
    const down = once(pool.events, 'endpointDown') as Promise<PoolEvents['endpointDown'][]>
    await a.stop()
    assert.is((await down)[0]?.endpoint, a.endpoint)
    const before = count(answers, 'b')
    await until(() => count(answers, 'b') > before + 50, 'the other one goes on')
    assert.equal(told(pool, 'state'), ['down', 'up'])
    const up = once(pool.events, 'endpointUp') as Promise<PoolEvents['endpointUp'][]>
    await a.start()
    assert.is((await up)[0]?.endpoint, a.endpoint)
    const again = count(answers, 'a')
    await until(() => count(answers, 'a') > again + 20, 'it has work again')
    stop = true
    await Promise.all(callers)
    assert.is(pool.stats().counters.refused, 0)
    assert.equal(told(pool, 'state'), ['up', 'up'])
    await atRest(pool)
  })

  test(`${where}: one that is down from the start fails nobody`, async () => {
    const [a, b] = (await servers('a', 'b')) as [NamedServer, NamedServer]
    await a.stop()
    const pool = await open({ endpoint: [a.endpoint, b.endpoint], shards, maxConnections: 4, failFastAfter: 1 })
    const names = await Promise.all(Array.from({ length: 20 }, () => pool.use((lease) => lease.request('x'))))
    assert.is(count(names, 'b'), 20)
    assert.is(told(pool, 'connections')[0], told(pool, 'opening')[0])
    assert.is(pool.stats().counters.refused, 0)
  })

  test(`${where}: at the cap, with more callers than connections, one that failed is used again when it is back, and the other is left in peace`, async () => {
    const [a, b] = (await servers('a', 'b')) as [NamedServer, NamedServer]
    await b.stop()
    const ejection = { afterFailures: Number.POSITIVE_INFINITY }
    const pool = await open({ endpoint: [a.endpoint, b.endpoint], shards, maxConnections: 4, failFastAfter: 1_000, ejection })
    let stop = false
    const answers: string[] = []
    const callers = Array.from({ length: 8 }, async (_, caller) => {
      while (!stop) answers.push(await (caller % 2 === 0 ? pool.request('x') : pool.use((lease) => lease.request('x'))))
    })
    for (const caller of callers) caller.catch(() => undefined) // awaited below, unless the test has failed
    await until(() => (told(pool, 'counters')[1]?.connectFailures ?? 0) >= 3, 'it was tried, and tried again')
    await b.start()
    await until(() => count(answers, 'b') > 50, 'it has work')
    stop = true
    await Promise.all(callers)
    const { balance = 0 } = pool.stats().counters.closedBy
    const tries = told(pool, 'counters')[1]?.connectFailures ?? 0
    assert.ok(balance <= tries + 2, `${balance} connections were closed for ${tries} failed connects`)
    await atRest(pool)
  })

  test(`${where}: maxPerEndpoint holds for each, and those who wait are served by whichever is free`, async () => {
    const two = await servers('a', 'b')
    const pool = await open({ endpoint: two.map(({ endpoint }) => endpoint), shards, maxConnections: 8, maxPerEndpoint: 2 })
    await Promise.all(
      Array.from({ length: 40 }, () =>
        pool.use(async (lease) => {
          await lease.request('x')
          assert.ok(told(pool, 'connections').every((connections) => connections <= 2))
        }),
      ),
    )
    assert.equal(
      two.map(({ accepted }) => accepted),
      [2, 2],
    )
  })

  test(`${where}: peak-ewma sends next to nothing to an endpoint that is slow`, async () => {
    const [slow, fast] = (await servers('slow', 'fast')) as [NamedServer, NamedServer]
    slow.delayMs = 100
    const pool = await open({
      endpoint: [slow.endpoint, fast.endpoint],
      shards,
      balancing: 'peak-ewma',
      maxConnections: 2,
      minConnections: 2,
    })
    await pool.ready()
    const names = await inTurn(pool, 60)
    assert.ok(count(names, 'slow') >= 1 && count(names, 'slow') <= 6, `${count(names, 'slow')} of 60 by the slow one`)
    const [first = 0, second = 0] = told(pool, 'ewmaMs')
    assert.ok(first > second)
  })
}

test('with other ways of choosing no times are taken', async () => {
  const two = await servers('a', 'b')
  const pool = await open({ endpoint: two.map(({ endpoint }) => endpoint), shards: 0 })
  await inTurn(pool, 4)
  assert.equal(told(pool, 'ewmaMs'), [undefined, undefined])
})

test.run()
