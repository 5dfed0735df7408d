import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { Rig } from './books-rig.ts'

const test = suite('books')

test('a lease takes the idle connection that was used last', () => {
  const rig = new Rig()
  const [first, second] = [rig.leased(), rig.leased()]
  rig.release(second)
  rig.release(first)

  assert.is(rig.lease().slot, first)
  assert.equal(rig.take(), [])
})

test('a lease takes from the least busy shard', () => {
  const rig = new Rig({ maxConnections: 4 }, 2)
  const [a, b, c] = [rig.leased(), rig.leased(), rig.leased()]
  assert.equal(
    [a, b, c].map(({ shard }) => shard),
    [0, 1, 0],
  )
  rig.release(b)
  rig.release(c)

  assert.is(rig.lease().slot, b)
})

test('a connection opens on the live shard with the fewest, and no shard opens more than its part', () => {
  const rig = new Rig({ maxConnections: 3 }, 2)
  for (let count = 0; count < 4; count++) rig.lease()

  assert.equal(rig.take(), ['open 0/0', 'open 1/0', 'open 0/1'])
})

test('at the cap nothing is closed to dial elsewhere: the idle connection of any shard will do', () => {
  const rig = new Rig({ maxConnections: 2 }, 2)
  const [a, b] = [rig.leased(), rig.leased()]
  rig.release(b)

  assert.is(rig.lease().slot, b)
  assert.not.equal(a.shard, b.shard)
  assert.equal(rig.take(), [])
})

test('leases are served in the order of their calls', () => {
  const rig = new Rig({ maxConnections: 1 })
  const slot = rig.leased()
  const waiters = [rig.lease(), rig.lease(), rig.lease()]
  for (const waiter of waiters) {
    assert.is(waiter.slot, undefined)
    rig.release(slot)
    assert.is(waiter.slot, slot)
  }
})

test('a caller who gave up is never granted a connection, and the one being opened for it stays', () => {
  const rig = new Rig()
  const waiter = rig.lease()
  assert.ok(rig.cancel(waiter))
  const [slot] = rig.in('opening')
  assert.ok(slot)
  rig.ready(slot)

  assert.is(waiter.slot, undefined)
  assert.is(slot.state, 'idle')
  assert.not(rig.cancel(waiter))
})

test('beyond maxPending a caller is refused at once', () => {
  const rig = new Rig({ maxConnections: 1, maxPending: 1 })
  const waiting = rig.lease()
  const refused = rig.lease()

  assert.ok(waiting.queued)
  assert.not(refused.queued)
  assert.is(refused.slot, undefined)
})

test('tryLease takes only a fit connection that needs no probe', () => {
  const rig = new Rig({ probeAfterIdleMs: 10 })
  const slot = rig.idle()
  rig.now += 10
  assert.is(rig.tryLease(), undefined)
  rig.now -= 1
  assert.is(rig.tryLease(), slot)
  assert.is(rig.tryLease(), undefined)
  rig.release(slot)
  rig.die(slot)
  assert.is(rig.tryLease(), undefined)
  assert.equal(rig.take(), [])
})

test('a connection that its shard knows dead is passed over, and holds its permit until it is gone', () => {
  const rig = new Rig({ maxConnections: 1 })
  const slot = rig.idle()
  rig.die(slot)
  const waiter = rig.lease()
  assert.is(slot.state, 'closing')
  assert.equal(rig.take(), [])
  rig.gone(slot)

  assert.equal(rig.take(), ['open 0/0'])
  assert.ok(waiter.queued)
})

test('a serial grows with each connection that fills a slot', () => {
  const rig = new Rig({ maxConnections: 1 })
  const slot = rig.idle()
  const { serial } = slot
  rig.gone(slot)
  assert.is(rig.idle(), slot)
  assert.ok(slot.serial > serial)
})

test('a connection idle for long is probed before it is lent', () => {
  const rig = new Rig({ probeAfterIdleMs: 10 })
  const slot = rig.idle()
  rig.now += 10
  const waiter = rig.lease()
  assert.equal(rig.take(), ['probe 0/0'])
  assert.ok(waiter.queued)
  rig.ready(slot)

  assert.is(waiter.slot, slot)
})

for (const kind of ['lease', 'request'] as const) {
  test(`a connection idle for long is probed for a ${kind} though another is being opened, for that one may hang`, () => {
    const rig = new Rig({ maxConnections: 4, minConnections: 2, probeAfterIdleMs: 10 })
    const old = rig.idle()
    rig.step(() => rig.books.refill(rig.now))
    assert.equal([rig.in('opening').length, old.state], [1, 'idle'])
    rig.take()
    rig.now += 10
    const waiter = rig.get(kind)
    assert.equal(rig.take(), [`probe 0/${old.index}`])
    rig.ready(old)
    assert.is(waiter.slot, old)
    rig.get(kind)
    assert.equal(
      rig.take().filter((effect) => effect.startsWith('open')),
      [],
      'what comes already is counted once no idle one is left',
    )
  })
}

test('a fresh connection of another shard is preferred to a probe', () => {
  const rig = new Rig({ maxConnections: 4, probeAfterIdleMs: 10 }, 2)
  const [a, b] = [rig.leased(), rig.leased()]
  rig.release(a)
  rig.now += 10
  rig.release(b)

  assert.is(rig.lease().slot, b)
  assert.equal(rig.take(), [])
})

test('a failed probe does not lose its waiter', () => {
  const rig = new Rig({ maxConnections: 1, probeAfterIdleMs: 10 })
  const slot = rig.idle()
  rig.now += 10
  const waiter = rig.lease()
  rig.take()
  rig.gone(slot)

  assert.equal(rig.take(), ['open 0/0'])
  rig.ready(slot)
  assert.is(waiter.slot, slot)
})

test('what is released above maxIdle is closed', () => {
  const rig = new Rig({ maxConnections: 3, maxIdle: 1 })
  const [a, b] = [rig.leased(), rig.leased()]
  rig.release(a)
  rig.release(b)

  assert.equal(rig.take(), ['close 0/1 idle'])
  assert.is(rig.books.counts().idle, 1)
})

test('maxIdle closes nothing that minConnections wants', () => {
  const rig = new Rig({ maxConnections: 3, minConnections: 1, maxIdle: 0 })
  rig.idle()

  assert.equal(rig.take(), [])
  assert.is(rig.books.counts().idle, 1)
})

test('idle connections expire, the longest idle first, and never below minConnections', () => {
  const rig = new Rig({ maxConnections: 3, minConnections: 1, idleTimeoutMs: 100 })
  const [a, b, c] = [rig.leased(), rig.leased(), rig.leased()]
  for (const slot of [b, a, c]) {
    rig.release(slot)
    rig.now += 10
  }
  assert.is(rig.books.sweep(rig.now), 1_100)
  rig.now = 1_200
  assert.is(
    rig.step(() => rig.books.sweep(rig.now)),
    1_300,
  )

  assert.equal(rig.take(), ['close 0/1 idle', 'close 0/0 idle'])
})

test('the connection idle longest expires first, whatever its shard', () => {
  const rig = new Rig({ maxConnections: 2, minConnections: 1, idleTimeoutMs: 100 }, 2)
  const [a, b] = [rig.leased(), rig.leased()]
  rig.release(b)
  rig.now += 10
  rig.release(a)
  rig.now += 100
  rig.step(() => rig.books.sweep(rig.now))

  assert.equal(rig.take(), ['close 1/0 idle'])
})

test('an empty pool asks for no idle timer', () => {
  const rig = new Rig()
  assert.is(rig.books.sweep(rig.now), Number.POSITIVE_INFINITY)
})

test('refill opens up to minConnections', () => {
  const rig = new Rig({ maxConnections: 3, minConnections: 2 })
  rig.step(() => rig.books.refill(rig.now))
  assert.equal(rig.take(), ['open 0/0', 'open 0/1'])
  rig.step(() => rig.books.refill(rig.now))
  assert.equal(rig.take(), [])
})

test('a connection in reset serves the oldest waiter when it is proved fit', () => {
  const rig = new Rig({ maxConnections: 1 })
  const slot = rig.leased()
  const waiter = rig.lease()
  rig.reset(slot)
  assert.is(waiter.slot, undefined)
  rig.ready(slot)

  assert.is(waiter.slot, slot)
})

test('a closing connection holds its permit until it is gone, and what comes late for it changes nothing', () => {
  const rig = new Rig({ maxConnections: 1 })
  const slot = rig.leased()
  const waiter = rig.lease()
  rig.close(slot, 'abort')
  rig.close(slot, 'lifetime')
  rig.release(slot)
  assert.equal(rig.take(), ['close 0/0 abort'])
  rig.gone(slot)
  assert.equal(rig.take(), ['open 0/0'])
  rig.ready(slot)
  assert.is(waiter.slot, slot)
})

test('a shard that died holds its permits until its thread is gone', () => {
  const rig = new Rig({ maxConnections: 2 }, 2)
  const [a, b] = [rig.leased(), rig.leased()]
  rig.suspend(a.shard)
  const waiter = rig.lease()
  assert.equal(rig.take(), [])
  rig.step(() => rig.books.removeShard(a.shard, rig.now))
  assert.equal(rig.take(), ['open 1/1'])
  assert.ok(waiter.queued)
  assert.is(b.state, 'leased')
})

test('the waiters of connections that opened on a shard that died get others', () => {
  const rig = new Rig({ maxConnections: 4 }, 2)
  const waiter = rig.lease()
  rig.suspend(0)
  assert.equal(rig.take(), ['open 0/0', 'open 1/0'])
  const [slot] = rig.in('opening')
  assert.ok(slot)
  rig.ready(slot)

  assert.is(waiter.slot, slot)
})

test('retired, the pool closes what is idle and what is released, serves those who wait, and opens nothing', () => {
  const rig = new Rig({ maxConnections: 2 })
  const [a, b] = [rig.leased(), rig.leased()]
  rig.release(a)
  rig.step(() => rig.books.retire(rig.now))
  const waiter = rig.lease()
  assert.equal(rig.take(), ['close 0/0 shutdown'])
  rig.gone(a)
  rig.release(b)
  assert.is(waiter.slot, b)
  rig.release(b)

  assert.equal(rig.take(), ['grant 0/1', 'close 0/1 shutdown'])
})

test('a step that cannot be is an error, not a second grant', () => {
  const rig = new Rig()
  const slot = rig.idle()
  assert.throws(() => rig.books.release(slot, rig.now), 'release of a slot that is idle')
  assert.throws(() => rig.books.finish(slot, rig.now), 'finish of a slot that is idle')
  assert.throws(() => rig.books.ready(slot, rig.now), 'ready of a slot that is idle')
})

test('counts add up', () => {
  const rig = new Rig({ maxConnections: 5, pipelining: 1 }, 2)
  const [a, b, c] = [rig.leased(), rig.leased(), rig.leased()]
  rig.reset(a)
  rig.close(b, 'error')
  rig.release(c)
  rig.request()
  rig.lease()
  rig.request()
  rig.lease()

  const { perShard, ...total } = rig.books.counts()
  const expected = {
    connections: 5,
    idle: 0,
    opening: 2,
    inUse: 1,
    resetting: 1,
    closing: 1,
    pendingLeases: 2,
    pendingRequests: 1,
    probing: 0,
  }
  assert.equal(total, expected)
  assert.is(perShard.length, 2)
  assert.is(
    perShard.reduce((sum, shard) => sum + shard.connections, 0),
    5,
  )
})

test.run()
