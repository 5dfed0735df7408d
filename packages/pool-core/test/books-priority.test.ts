import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { Rig } from './books-rig.ts'

const test = suite('books: priorities')

test('higher priorities are served first, and equals in the order of their calls', () => {
  const rig = new Rig({ maxConnections: 1 })
  const slot = rig.leased()
  const [low, high, alsoHigh, middle, alsoLow] = [0, 9, 9, 5, 0].map((priority) => rig.lease(priority))
  for (const waiter of [high, alsoHigh, middle, low, alsoLow]) {
    assert.is(waiter?.slot, undefined)
    rig.release(slot)
    assert.is(waiter?.slot, slot)
  }
})

test('leases and requests of one priority share one queue', () => {
  const rig = new Rig({ maxConnections: 1, pipelining: 2 })
  const slot = rig.leased()
  const low = rig.request(1)
  const [request, lease, later] = [rig.request(2), rig.lease(2), rig.request(2)]
  rig.release(slot)
  assert.is(request.slot, slot)
  assert.is(lease.slot, undefined)
  rig.finish(slot)
  assert.is(lease.slot, slot)
  rig.release(slot)
  assert.is(later.slot, slot)
  assert.is(low.slot, slot) // the second place
})

test('a caller who gave up leaves the queue of its priority, from wherever it stands', () => {
  const rig = new Rig({ maxConnections: 1 })
  const slot = rig.leased()
  const [first, gone, last, low] = [rig.request(3), rig.lease(3), rig.lease(3), rig.lease(2)]
  assert.ok(rig.cancel(gone))
  assert.ok(rig.cancel(first))
  assert.not(rig.cancel(first))
  rig.release(slot)
  assert.is(last.slot, slot)
  rig.release(slot)
  assert.is(low.slot, slot)
})

test('a connection that comes for a low priority goes to a higher one that came meanwhile', () => {
  const rig = new Rig({ maxConnections: 1 })
  const low = rig.lease(0)
  const high = rig.lease(1)
  const [slot] = rig.in('opening')
  assert.ok(slot)
  rig.ready(slot)
  assert.is(high.slot, slot)
  assert.is(low.slot, undefined)
})

test('a shared connection reserved for a lease goes to the highest priority when it is free', () => {
  const rig = new Rig({ maxConnections: 1 })
  const slot = rig.idle()
  rig.request()
  const low = rig.lease(0)
  assert.ok(slot.reserved)
  const high = rig.request(7)
  assert.is(high.slot, undefined)
  rig.finish(slot)
  assert.is(high.slot, slot)
  assert.is(low.slot, undefined)
  rig.finish(slot)
  assert.is(low.slot, slot)
})

test.run()
