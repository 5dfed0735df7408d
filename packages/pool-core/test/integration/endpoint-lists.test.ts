import { once } from 'node:events'
import { line, type Pool, type PoolError, type PoolEvents, type PoolOptions } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { lists, type NamedServer, startNamed } from '../support/named-server.ts'
import { atRest, closing } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'

const test = suite('lists of endpoints')
const keep = closing(test)

type LinePool = Pool<string, string>

const pair = async (): Promise<[NamedServer, NamedServer]> => [await keep(startNamed('a')), await keep(startNamed('b'))]

const open = (options: PoolOptions<string, string>): Promise<LinePool> =>
  createPool({ protocol: line(), backoff: { initialMs: 1, maxMs: 20 }, ...options })

/** The argument of the next event of this name. */
async function next<Name extends keyof PoolEvents>(pool: LinePool, name: Name): Promise<PoolEvents[Name]> {
  const [event] = (await once(pool.events, name)) as [PoolEvents[Name]]
  return event
}

/** Who is listed, and whether it takes work. */
const states = (pool: LinePool): Record<string, string> =>
  Object.fromEntries(pool.stats().endpoints.map(({ endpoint, state }) => [endpoint, state]))

for (const shards of [0, 2]) {
  const where = shards === 0 ? 'on the calling thread' : 'in two threads'

  test(`${where}: callers wait for the first list under their own deadlines, and are served when it is there`, async () => {
    const [a] = await pair()
    const source = lists()
    const pool = await open({ endpoint: source, shards, maxConnections: 4, minConnections: 2 })
    await rejects(pool.acquire({ timeoutMs: 5 }), 'ACQUIRE_TIMEOUT')
    await rejects(pool.request('late', { timeoutMs: 5 }), 'REQUEST_TIMEOUT')
    assert.equal(pool.stats().endpoints, [])
    const served = [pool.request('x'), pool.use((lease) => lease.request('x'))]
    const added = next(pool, 'endpointAdded')
    source.push([{ endpoint: a.endpoint, weight: 7 }])
    assert.equal(await Promise.all(served), ['a', 'a'])
    assert.equal(await added, { endpoint: a.endpoint, weight: 7 })
    await pool.ready()
    await atRest(pool)
  })

  test(`${where}: one that is no longer listed drains: its idle connections close, and a lease goes on until it is released`, async () => {
    const [a, b] = await pair()
    const source = lists()
    source.push([a.endpoint])
    const pool = await open({ endpoint: source, shards, maxConnections: 3 })
    const [lease, other] = await Promise.all([pool.acquire(), pool.acquire()])
    other.release()
    const removed = next(pool, 'endpointRemoved')
    source.push([b.endpoint])
    assert.equal(await removed, { endpoint: a.endpoint })
    await until(() => a.sockets.size === 1, 'what was idle is closed')
    assert.equal(states(pool), { [a.endpoint]: 'draining', [b.endpoint]: 'up' })
    assert.is(await pool.request('x'), 'b')
    assert.is(await lease.request('x'), 'a')
    assert.is(await lease.request('y'), 'a')
    lease.release()
    await until(() => a.sockets.size === 0, 'nothing is left there')
    await until(() => pool.stats().connections === 1, 'it is closed')
    assert.equal(states(pool), { [b.endpoint]: 'up' })
    assert.equal(pool.stats().counters.closedBy, { drain: 2 })
    await atRest(pool)
  })

  test(`${where}: a request in flight on one that drains is answered there, and a stream lives on`, async () => {
    const [a, b] = await pair()
    a.delayMs = 30
    const source = lists()
    source.push([a.endpoint])
    const pool = await open({ endpoint: source, shards, maxConnections: 3, pipelining: 4 })
    const stream = (await pool.acquire()).stream()
    const inFlight = [pool.request('x'), pool.request('y')]
    await until(() => a.lines.length === 2, 'they are there')
    source.push([b.endpoint])
    await until(() => states(pool)[a.endpoint] === 'draining', 'it drains')
    assert.equal(await Promise.all(inFlight), ['a', 'a'])
    stream.write('z\n')
    const [chunk] = (await once(stream, 'data')) as [Buffer]
    assert.is(String(chunk), 'a\n')
    stream.destroy()
    await until(() => a.sockets.size === 0, 'nothing is left there')
  })

  test(`${where}: one that is listed again before it has drained goes on as it was`, async () => {
    const [a, b] = await pair()
    const source = lists()
    source.push([a.endpoint])
    const pool = await open({ endpoint: source, shards, maxConnections: 3 })
    const lease = await pool.acquire()
    source.push([b.endpoint])
    await until(() => states(pool)[a.endpoint] === 'draining', 'it drains')
    source.push([a.endpoint])
    await until(() => states(pool)[a.endpoint] === 'up', 'it is listed again')
    lease.release()
    assert.is(await pool.request('x'), 'a')
    assert.is(a.accepted, 1)
    await atRest(pool)
  })

  test(`${where}: when the next list does not come, or is wrong, the last one stays, and the pool asks on`, async () => {
    const [a, b] = await pair()
    const source = lists()
    source.push([a.endpoint])
    const pool = await open({ endpoint: source, shards, maxConnections: 2 })
    assert.is(await pool.request('x'), 'a')
    const failure = new Error('no answer from DNS')
    const failed = next(pool, 'endpointsFailed')
    source.fail(failure)
    const { error } = await failed
    assert.equal([error.code, error.cause], ['HOOK_FAILED', failure])
    assert.is(await pool.request('x'), 'a')
    await until(() => source.begun === 2, 'it is asked for its lists anew')
    for (const wrong of [[], ['localhost'], 'tcp://127.0.0.1:1', undefined]) {
      const refused = next(pool, 'endpointsFailed')
      source.push(wrong as never)
      assert.is((await refused).error.code, 'BAD_OPTION')
    }
    assert.is(await pool.request('x'), 'a')
    source.push([b.endpoint])
    await until(() => pool.stats().endpoints[0]?.endpoint === b.endpoint, 'the next good one holds')
    assert.is(await pool.request('x'), 'b')
    assert.is(source.begun, 2, 'a wrong list is no reason to begin anew')
  })

  test(`${where}: who waits in vain because no list comes is told why`, async () => {
    const failure = new Error('no answer from DNS')
    const source = lists()
    source.fail(failure)
    const pool = await open({ endpoint: source, shards, maxConnections: 2, backoff: { initialMs: 100_000, maxMs: 100_000 } })
    const error = await rejects(pool.acquire({ timeoutMs: 20 }), 'ACQUIRE_TIMEOUT')
    assert.is((error.cause as PoolError).cause, failure)
  })

  test(`${where}: lists that have ended leave the last one in force, and close() gives back those that have not`, async () => {
    const [a] = await pair()
    const ended = lists()
    ended.push([a.endpoint])
    ended.end()
    const first = await open({ endpoint: ended, shards, maxConnections: 2 })
    assert.is(await first.request('x'), 'a')
    await first.close()
    assert.equal([ended.begun, ended.returned], [1, 0])
    const going = lists()
    going.push([a.endpoint])
    const second = await open({ endpoint: going, shards, maxConnections: 2 })
    assert.is(await second.request('x'), 'a')
    await second.close()
    assert.is(going.returned, 1)
  })

  test(`${where}: lists without a wait between them leave everybody else his turn`, async () => {
    const [a] = await pair()
    let given = 0
    async function* endless(): AsyncGenerator<string[]> {
      // The limit is far beyond what comes in between turns, and ends the test if there are none.
      while (given++ < 200_000) yield [a.endpoint]
    }
    const pool = await open({ endpoint: endless(), shards, maxConnections: 2 })
    assert.is(await pool.request('x'), 'a')
    assert.ok(given < 200_000, 'the request was answered before the last list')
    await pool.close()
  })

  test(`${where}: servers come and go under load, and no request fails`, async () => {
    const [a, b] = await pair()
    const source = lists()
    source.push([a.endpoint])
    const pool = await open({ endpoint: source, shards, maxConnections: 4, pipelining: 4 })
    let stop = false
    const answers: string[] = []
    const callers = Array.from({ length: 8 }, async (_, caller) => {
      while (!stop) answers.push(await (caller % 2 === 0 ? pool.request('x') : pool.use((lease) => lease.request('x'))))
    })
    for (let turn = 0; turn < 5; turn++) {
      for (const [list, name] of [
        [[a.endpoint, b.endpoint], 'b'],
        [[b.endpoint], 'b'],
        [[{ endpoint: a.endpoint, weight: 9 }, b.endpoint], 'a'],
        [[a.endpoint], 'a'],
      ] as const) {
        source.push(list)
        await until(() => Object.keys(states(pool)).length === list.length, 'the list holds, and what it has left out is gone')
        const before = answers.length
        await until(() => answers.slice(before).filter((answer) => answer === name).length > 5, `${name} has work`)
      }
    }
    stop = true
    await Promise.all(callers)
    await atRest(pool)
  })
}

test('lists that end before one came, and an iterable that throws, are told of', async () => {
  const source = lists()
  const pool = await open({ endpoint: source, shards: 0 })
  const ended = next(pool, 'endpointsFailed')
  source.end()
  assert.match((await ended).error.message, /ended before one came/)
  let asked = 0
  const broken = {
    [Symbol.asyncIterator]: () => {
      asked++
      throw new TypeError('no iterator')
    },
  }
  const other = await open({ endpoint: broken, shards: 0 })
  const { error } = await next(other, 'endpointsFailed')
  assert.is((error.cause as Error).message, 'no iterator')
  await until(() => asked > 2, 'it is asked again')
})

test('an iterator whose return() fails is told of, and close() does not wait for it', async () => {
  const hanging = { next: () => new Promise<never>(() => undefined), return: () => Promise.reject(new Error('no return')) }
  const pool = await open({ endpoint: { [Symbol.asyncIterator]: () => hanging }, shards: 0 })
  const failed = next(pool, 'endpointsFailed')
  await pool.close()
  assert.is(((await failed).error.cause as Error).message, 'no return')
})

test.run()
