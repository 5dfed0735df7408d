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

test.run()
