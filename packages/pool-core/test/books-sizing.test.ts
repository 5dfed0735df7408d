import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { Rig } from './books-rig.ts'

const test = suite('books: how many connections, and how long')

const sweep = (rig: Rig): number => rig.step(() => rig.books.sweep(rig.now))

test('a connection released after its lifetime is closed, and one still young is kept', () => {
  const rig = new Rig({ maxLifetimeMs: 100 })
  const [old, young] = [rig.leased(), rig.leased()]
  rig.now += 99
  rig.release(young)
  rig.now += 1
  rig.release(old)

  assert.equal(rig.take(), ['close 0/0 lifetime'])
  assert.is(young.state, 'idle')
})

test('chance takes up to a tenth of a lifetime, once, at birth', () => {
  const rig = new Rig({ maxLifetimeMs: 1_000 })
  rig.chance = 0.5
  const slot = rig.leased()
  rig.chance = 0
  assert.is(slot.expiresAt, rig.now + 950)
  rig.now += 10
  rig.release(slot)
  assert.is(rig.lease().slot, slot)
  assert.is(slot.expiresAt, rig.now + 940)
})

test('an idle connection past its lifetime is not granted: it closes, and another opens', () => {
  const rig = new Rig({ maxLifetimeMs: 100 })
  const old = rig.idle()
  rig.now += 100
  const waiter = rig.lease()

  assert.equal(rig.take(), ['close 0/0 lifetime', 'open 0/1'])
  assert.is(waiter.slot, undefined)
  assert.is(old.state, 'closing')
  assert.is(rig.tryLease(), undefined)
})

test('the sweep closes idle connections past their lifetime wherever they stand, and says when the next is due', () => {
  const rig = new Rig({ maxConnections: 3, maxLifetimeMs: 1_000, idleTimeoutMs: Number.POSITIVE_INFINITY })
  const old = rig.leased()
  rig.now += 500
  const young = rig.leased()
  rig.release(old)
  rig.release(young) // used last: LIFO never comes to the other
  assert.is(sweep(rig), 2_000)
  rig.now = 2_000
  assert.is(sweep(rig), 2_500)
  assert.equal(rig.take(), ['close 0/0 lifetime'])
})

test('the sweep leaves a lease alone; the connection ends when it comes back', () => {
  const rig = new Rig({ maxLifetimeMs: 100 })
  const slot = rig.leased()
  rig.now += 200
  sweep(rig)
  assert.equal(rig.take(), [])
  rig.reset(slot) // not worth a reset any more
  assert.equal(rig.take(), ['close 0/0 lifetime'])
})

test('a shared connection past its lifetime takes no more requests, answers those it has, and closes', () => {
  const rig = new Rig({ maxConnections: 1, maxLifetimeMs: 100 })
  const slot = rig.idle()
  rig.request()
  rig.request()
  rig.now += 100
  const late = rig.request()
  assert.is(late.slot, undefined)
  rig.finish(slot)
  assert.equal(rig.take(), [])
  rig.finish(slot)
  assert.equal(rig.take(), ['close 0/0 lifetime'])
  rig.gone(slot)
  assert.equal(rig.take(), ['open 0/0'])
  rig.ready(slot)
  assert.is(late.slot, slot)
})

test('the sweep reaches a shared connection that never rests, reserved or not', () => {
  const rig = new Rig({ maxConnections: 2, maxLifetimeMs: 100 })
  const [a, b] = [rig.leased(), rig.leased()]
  rig.release(a)
  rig.request()
  const lease = rig.lease() // reserves it
  assert.ok(a.reserved)
  rig.now += 100
  sweep(rig)
  assert.not(a.reserved)
  rig.finish(a)
  assert.equal(rig.take(), ['close 0/0 lifetime'])
  rig.gone(a)
  rig.ready(a)
  assert.is(lease.slot, a)
  assert.is(b.state, 'leased')
})

test('minConnections are opened anew when a lifetime has ended one', () => {
  const rig = new Rig({ maxLifetimeMs: 100, minConnections: 1 })
  const slot = rig.idle()
  rig.now += 100
  sweep(rig)
  rig.gone(slot)
  rig.take()
  rig.step(() => rig.books.refill(rig.now))
  assert.equal(rig.take(), ['open 0/0'])
})

test('a connection that has served maxUses leases is closed, and the next in its slot counts anew', () => {
  const rig = new Rig({ maxConnections: 1, maxUses: 2 })
  const slot = rig.leased()
  rig.release(slot)
  assert.is(rig.lease().slot, slot)
  rig.release(slot)
  assert.equal(rig.take(), ['close 0/0 uses'])
  rig.gone(slot)
  assert.is(rig.leased().uses, 1)
})

test('the requests of a lease count as uses, and do not cut it', () => {
  const rig = new Rig({ maxUses: 3 })
  const slot = rig.leased()
  for (let count = 0; count < 5; count++) rig.books.use(slot)
  assert.is(slot.state, 'leased')
  rig.release(slot)
  assert.equal(rig.take(), ['close 0/0 uses'])
})

test('a shared connection takes maxUses requests and no more, also of those who waited', () => {
  const rig = new Rig({ maxConnections: 1, maxUses: 3 })
  const requests = [0, 1, 2, 3].map(() => rig.request())
  const [slot] = rig.in('opening')
  assert.ok(slot)
  rig.ready(slot)
  assert.equal(
    requests.map((request) => request.slot === slot),
    [true, true, true, false],
  )
  for (let count = 0; count < 3; count++) rig.finish(slot)
  rig.gone(slot)
  rig.ready(slot)
  assert.is(requests[3]?.slot, slot)
  assert.is(slot.uses, 1)
})

test('minIdle are opened when the shards are there, and one more for each that is lent or shared', () => {
  const rig = new Rig({ maxConnections: 4, minIdle: 2 }, 2)
  assert.equal(rig.take(), ['open 0/0', 'open 1/0'])
  const [a, b] = rig.in('opening')
  assert.ok(a && b)
  rig.ready(a)
  rig.ready(b)
  assert.equal(rig.take(), [])
  assert.ok(rig.tryLease())
  assert.equal(rig.take(), ['open 0/1'])
  rig.request()
  assert.equal(rig.take(), ['open 1/1'])
})

test('minIdle never opens beyond maxConnections, nor during a back-off', () => {
  const rig = new Rig({ maxConnections: 2, minIdle: 2 })
  const slot = rig.leased()
  assert.is(rig.books.counts().connections, 2)
  const [other] = rig.in('opening')
  assert.ok(other)
  rig.fail(other)
  rig.gone(slot)
  assert.equal(rig.take(), [])
  rig.rested()
  assert.equal(rig.take(), ['open 0/1'])
})

test('minIdle counts what is coming for those who wait as theirs', () => {
  const rig = new Rig({ maxConnections: 5, minIdle: 1 })
  const [first] = rig.in('opening')
  const waiters = [rig.lease(), rig.lease()]
  assert.equal(rig.take(), ['open 0/0', 'open 0/1', 'open 0/2'])
  assert.ok(first)
  rig.ready(first)
  assert.is(waiters[0]?.slot, first)
  assert.equal(rig.take(), ['grant 0/0'])
})

test('the sweep leaves minIdle idle, however long', () => {
  const rig = new Rig({ maxConnections: 3, minIdle: 1, idleTimeoutMs: 100 })
  const [a, b] = [rig.leased(), rig.leased()]
  for (const slot of rig.in('opening')) rig.ready(slot)
  rig.release(a)
  rig.release(b)
  rig.take()
  rig.now += 1_000
  sweep(rig)
  assert.is(rig.take().length, 2)
  assert.is(rig.books.counts().idle, 1)
})

test("'fifo' lends the connection that is idle longest", () => {
  const rig = new Rig({ maxConnections: 3, scheduling: 'fifo' })
  const slots = [rig.leased(), rig.leased(), rig.leased()]
  for (const slot of slots) rig.release(slot)
  for (let round = 0; round < 2; round++) {
    for (const slot of slots) {
      assert.is(rig.tryLease(), slot)
      rig.release(slot)
    }
  }
  assert.is(rig.request().slot, slots[0])
})

test("'fifo' passes over those that need a probe while one needs none, and probes the longest idle otherwise", () => {
  const rig = new Rig({ maxConnections: 3, scheduling: 'fifo', probeAfterIdleMs: 10 })
  const [a, b, c] = [rig.leased(), rig.leased(), rig.leased()]
  for (const slot of [a, b, c]) {
    rig.release(slot)
    rig.now += 4
  }
  rig.now += 1 // a is 13 old, b 9, c 5
  assert.is(rig.lease().slot, b)
  rig.now += 100
  rig.take()
  rig.lease()
  assert.equal(rig.take(), ['probe 0/0'])
  rig.now += 29_900
  sweep(rig)
  assert.equal(rig.take(), ['close 0/2 idle'])
})

test('made smaller, the pool closes idle connections at once, the longest idle first, and those in use when they come back', () => {
  const rig = new Rig({ maxConnections: 4 })
  const [a, b, c, d] = [rig.leased(), rig.leased(), rig.leased(), rig.leased()]
  rig.release(b)
  rig.now += 1
  rig.release(a)
  rig.resize(3, 0)
  assert.equal(rig.take(), ['close 0/1 resize'])
  rig.resize(1, 0)
  assert.equal(rig.take(), ['close 0/0 resize'])
  rig.release(c)
  rig.release(d)
  assert.equal(rig.take(), ['close 0/2 resize'])
  assert.is(d.state, 'idle')
})

test('made smaller, a shared connection beyond the limit takes no more requests and closes when it owes none', () => {
  const rig = new Rig({ maxConnections: 2, pipelining: 4 })
  const [a, b] = [rig.leased(), rig.leased()]
  rig.release(a)
  rig.request()
  rig.resize(1, 0)
  const waiting = rig.lease()
  rig.finish(a)
  assert.equal(rig.take(), ['close 0/0 resize'])
  rig.gone(a)
  assert.equal(rig.take(), [])
  rig.release(b)
  assert.is(waiting.slot, b)
})

test('made larger again, connections that were to close for their number stay, and the queue is served', () => {
  const rig = new Rig({ maxConnections: 2 })
  const [a, b] = [rig.leased(), rig.leased()]
  rig.resize(1, 0)
  rig.lease()
  rig.resize(3, 3)
  assert.equal(rig.take(), ['open 0/2'])
  rig.release(a)
  rig.release(b)
  assert.equal(rig.take(), ['grant 0/0'])
  assert.is(b.state, 'idle')
})

test('a maxIdle that was all connections stays all of them', () => {
  const rig = new Rig({ maxConnections: 1, maxIdle: 1 })
  rig.resize(2, 0)
  const [a, b] = [rig.leased(), rig.leased()]
  rig.release(a)
  rig.release(b)
  assert.equal(rig.take(), [])
})

test('a limit of its own stays what it is, though a resize brings maxConnections down to it', () => {
  const rig = new Rig({ maxConnections: 8, maxPerEndpoint: 2, maxIdle: 2 }, { weights: [1, 1] })
  for (const maxConnections of [2, 8]) rig.resize(maxConnections, 0)
  assert.equal([rig.books.limits.maxPerEndpoint, rig.books.limits.maxIdle], [2, 2])
  const whole = new Rig({ maxConnections: 8, maxPerEndpoint: 8, maxIdle: 8 })
  for (const maxConnections of [2, 9]) whole.resize(maxConnections, 0)
  assert.equal([whole.books.limits.maxPerEndpoint, whole.books.limits.maxIdle], [9, 9])
})

test('recycled, idle connections close at once and others when they come back; those that open later stay', () => {
  const rig = new Rig({ maxConnections: 4 })
  const [leased, idle] = [rig.leased(), rig.leased()]
  rig.release(idle)
  const request = rig.request()
  rig.lease()
  rig.take()
  const [opening] = rig.in('opening')
  assert.ok(opening)
  rig.recycle()
  assert.is(request.slot, idle)
  assert.equal(rig.take(), [])
  rig.finish(idle)
  rig.ready(opening)
  rig.release(leased)
  assert.equal(rig.take(), ['close 0/1 recycle', 'close 0/2 recycle', 'open 0/3', 'close 0/0 recycle'])
  const [later] = rig.in('opening')
  assert.ok(later)
  rig.ready(later)
  rig.release(later)
  assert.is(later.state, 'idle')
})

test('a connection to be recycled is recycled, whatever the pool is resized to', () => {
  const rig = new Rig({ maxConnections: 2 })
  const [a, b] = [rig.leased(), rig.leased()]
  rig.resize(1, 0)
  rig.recycle(a)
  rig.resize(2, 0)
  rig.release(a)
  rig.release(b)
  assert.equal(rig.take(), ['close 0/0 recycle'])
})

test('paused, nobody is granted anything and nothing opens for those who wait; resumed, they are served in their order', () => {
  const rig = new Rig({ maxConnections: 2 })
  const [a, b] = [rig.leased(), rig.leased()]
  rig.release(a)
  rig.pause(true)
  const [first, second] = [rig.lease(), rig.request()]
  assert.is(rig.tryLease(), undefined)
  rig.release(b)
  rig.gone(b)
  assert.equal(rig.take(), [])
  assert.is(a.state, 'idle')
  const third = rig.lease(9)
  assert.ok(rig.cancel(third))
  rig.pause(false)
  assert.is(first.slot, a)
  assert.is(second.slot, undefined)
  assert.equal(rig.take(), ['grant 0/0', 'open 0/1'])
})

test('paused, a reserved shared connection goes back to the others', () => {
  const rig = new Rig({ maxConnections: 1 })
  const slot = rig.idle()
  rig.request()
  const lease = rig.lease()
  assert.ok(slot.reserved)
  rig.pause(true)
  assert.not(slot.reserved)
  rig.finish(slot)
  assert.is(slot.state, 'idle')
  rig.pause(false)
  assert.is(lease.slot, slot)
})

test.run()
