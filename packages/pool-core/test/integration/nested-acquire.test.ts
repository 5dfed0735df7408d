import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { atRest } from '../support/peers.ts'
import { type SessionPool, sessionsFor } from '../support/sessions.ts'

const test = suite('nested acquires')
const { server, open } = sessionsFor(test, { shards: 1, maxConnections: 1, acquireTimeoutMs: Infinity, detectNestedAcquire: true })

const waiting = (pool: SessionPool): number => pool.stats().pending.leases + pool.stats().pending.requests

for (const shards of [0, 1]) {
  const where = shards === 0 ? 'on the calling thread' : 'in a thread'

  test(`${where}: inside use() whatever would wait for another connection is refused at once, and the lease goes on`, async () => {
    const pool = await open({ shards, name: 'nest' })
    await pool.use(async (lease) => {
      const calls = {
        use: () => pool.use(() => assert.unreachable()),
        acquire: () => pool.acquire(),
        request: () => pool.request('shared'),
        alone: () => pool.request('alone'),
        handler: () => pool.handlers.echo('handled'),
      }
      for (const [name, call] of Object.entries(calls)) {
        const error = await rejects(call() as Promise<unknown>, 'NESTED_ACQUIRE')
        assert.equal([error.phase, error.outcome, error.counts?.pending], ['queue', 'not-sent', 0], name)
        assert.match(
          error.message,
          /^nest: inside pool\.use\(\), which holds a lease of \d+ ms, this would wait for another: 1 of 1 .*, 0 waiting$/,
          name,
        )
        assert.is(waiting(pool), 0, name)
      }
      assert.is(pool.tryAcquire(), undefined, 'it never waits')
      assert.is(await lease.request('goes on'), 'goes on')
    })
    assert.equal(server.lines, ['goes on'])
    assert.is(pool.stats().counters.failedBy.NESTED_ACQUIRE, 5)
    await atRest(pool)
  })
}

test('one inside the other, each is served while connections are there; the error tells how many are held', async () => {
  const pool = await open({ maxConnections: 2 })
  await pool.use(async () => {
    assert.is(await pool.request('opens one'), 'opens one')
    await pool.use(async (lease) => {
      assert.is(await lease.request('takes it'), 'takes it')
      const error = await rejects(pool.acquire(), 'NESTED_ACQUIRE')
      assert.match(error.message, /which holds 2 leases, the oldest of \d+ ms/)
    })
    assert.is(await pool.handlers.echo('free again'), 'free again')
  })
})

test('it waits for what comes without any holder: the replies of others, and the end of a pause', async () => {
  const pool = await open({ maxConnections: 2 })
  const held = pool.request('hold slow')
  await server.received('hold slow')
  await pool.use(async () => {
    const acquired = pool.acquire()
    await until(() => waiting(pool) === 1, 'it waits')
    server.release('slow')
    assert.is(await held, 'slow')
    ;(await acquired).release()

    pool.pause()
    const request = pool.request('resumed')
    await until(() => waiting(pool) === 1, 'it waits')
    pool.resume()
    assert.is(await request, 'resumed')
  })
})

test('who holds nothing waits: others, whoever goes on when its use() is over, and who holds a connection of another pool', async () => {
  const pool = await open()
  const other = await open()
  let over = (): void => undefined
  const gate = new Promise<void>((resolve) => {
    over = resolve
  })
  const left = await pool.use(() => [gate.then(() => pool.request('left'))])
  const lease = await pool.acquire()
  over()
  const outside = pool.request('outside')
  const inOther = other.use(() => pool.request('in another'))
  await until(() => waiting(pool) === 3, 'all three wait')
  lease.release()
  assert.equal((await Promise.all([...left, outside, inOther])).sort(), ['in another', 'left', 'outside'])
})

test('a lease whose connection has died holds none: what it calls waits', async () => {
  const pool = await open()
  await pool.use(async (lease) => {
    await lease.request('bye').catch(() => undefined)
    await until(() => lease.signal.aborted, 'it has died')
    const next = await pool.acquire()
    const request = pool.request('behind it')
    await until(() => waiting(pool) === 1, 'it waits')
    next.release()
    assert.is(await request, 'behind it')
  })
})

test('without the option it waits, until its time is up', async () => {
  const pool = await open({ detectNestedAcquire: false })
  await pool.use(async () => {
    await rejects(pool.acquire({ timeoutMs: 20 }), 'ACQUIRE_TIMEOUT')
  })
})

test.run()
