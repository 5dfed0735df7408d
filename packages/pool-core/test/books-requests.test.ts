import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { Rig } from './books-rig.ts'

const test = suite('books: requests and reservations')

test('a dead shared connection takes no further request', () => {
  const rig = new Rig()
  const slot = rig.idle()
  rig.request()
  rig.die(slot)
  const request = rig.request()

  assert.is(request.slot, undefined)
  assert.equal(rig.take(), ['open 0/1'])
  rig.finish(slot)
  assert.is(slot.state, 'closing')
})

test('a shared connection that becomes idle above maxIdle is closed', () => {
  const rig = new Rig({ pipelining: 1, maxConnections: 3, maxIdle: 1 })
  const [a, b] = [rig.leased(), rig.leased()]
  rig.release(a)
  rig.request()
  rig.release(b)
  rig.finish(a)

  assert.equal(rig.take(), ['close 0/0 idle'])
  assert.is(rig.books.counts().idle, 1)
})

test('a request joins the connection with the fewest in flight', () => {
  const rig = new Rig({ pipelining: 16 })
  const [a, b] = [rig.leased(), rig.leased()]
  rig.release(a)
  rig.release(b)
  const requests = Array.from({ length: 6 }, () => rig.request())
  assert.equal([a.inFlight, b.inFlight], [3, 3])
  rig.finish(a)

  assert.is(rig.request().slot, a)
  assert.ok(requests.every(({ slot }) => slot !== undefined))
})

test('another connection opens when all hold a quarter of the limit, one at a time, and the request does not wait for it', () => {
  const rig = new Rig({ pipelining: 8, maxConnections: 3 })
  const slot = rig.idle()
  rig.request()
  rig.request()
  assert.equal(rig.take(), [])
  assert.is(rig.request().slot, slot)
  assert.equal(rig.take(), ['open 0/1'])
  assert.is(rig.request().slot, slot)
  assert.equal(rig.take(), [])
})

test('requests prefer shards in which no handler runs', () => {
  const rig = new Rig({ maxConnections: 4 }, 2)
  const [a, b, c] = [rig.leased(), rig.leased(), rig.leased()]
  rig.markHandler(a, true)
  rig.release(c)
  rig.release(b)
  rig.request()
  assert.is(rig.request().slot, b)
  rig.markHandler(a, false)

  assert.is(rig.request().slot, c)
})

test('a handler that runs on after its connection was closed still keeps requests away', () => {
  const rig = new Rig({ maxConnections: 4 }, 2)
  const [a, b, c] = [rig.leased(), rig.leased(), rig.leased()]
  rig.markHandler(a, true)
  rig.close(a, 'abort')
  rig.release(b)
  rig.release(c)
  rig.request()
  assert.is(rig.request().slot, b)
  rig.markHandler(a, false)
  assert.is(rig.request().slot, c)
})

test('requests that found every connection full share the one that becomes ready', () => {
  const rig = new Rig({ maxConnections: 1, pipelining: 4 })
  const requests = Array.from({ length: 6 }, () => rig.request())
  const [slot] = rig.in('opening')
  assert.ok(slot)
  rig.ready(slot)

  assert.equal(
    requests.map((request) => request.slot === slot),
    [true, true, true, true, false, false],
  )
  rig.finish(slot)
  assert.is(requests[4]?.slot, slot)
})

test('waiting requests open one connection for each quarter of the limit', () => {
  const rig = new Rig({ maxConnections: 10, pipelining: 8 })
  for (let count = 0; count < 5; count++) rig.request()

  assert.equal(rig.take(), ['open 0/0', 'open 0/1', 'open 0/2'])
})

test('exclusive requests open like leases and wait their turn', () => {
  const rig = new Rig({ maxConnections: 2, pipelining: 1 })
  const requests = [rig.request(), rig.request(), rig.request()]
  assert.equal(rig.take(), ['open 0/0', 'open 0/1'])
  for (const slot of rig.in('opening')) rig.ready(slot)
  const [first] = rig.in('shared')
  assert.ok(first)
  rig.finish(first)

  assert.is(requests[2]?.slot, first)
})

test('a lease at the cap reserves the least loaded shared connection and gets it when its last reply has come', () => {
  const rig = new Rig({ maxConnections: 2, pipelining: 4 })
  const [a, b] = [rig.leased(), rig.leased()]
  rig.release(a)
  rig.release(b)
  for (let count = 0; count < 5; count++) rig.request()
  const light = a.inFlight < b.inFlight ? a : b
  const heavy = light === a ? b : a
  const lease = rig.lease()
  assert.ok(light.reserved)
  assert.is(rig.request().slot, heavy)
  rig.finish(light)
  rig.finish(light)

  assert.is(lease.slot, light)
  assert.is(light.state, 'leased')
})

test('a reservation is lifted when its lease gives up, and requests that wait use the room', () => {
  const rig = new Rig({ maxConnections: 1, pipelining: 4 })
  const slot = rig.idle()
  rig.request()
  const lease = rig.lease()
  const request = rig.request()
  assert.ok(slot.reserved)
  assert.ok(request.queued)
  rig.cancel(lease)

  assert.not(slot.reserved)
  assert.is(request.slot, slot)
})

test('those who give up together do so before anybody is served for it, them included', () => {
  const rig = new Rig({ maxConnections: 1, pipelining: 4 })
  const slot = rig.idle()
  rig.request()
  const lease = rig.lease()
  const [gone, stays] = [rig.request(), rig.request()]
  assert.ok(rig.cancel(lease, gone))

  assert.is(gone.slot, undefined)
  assert.is(stays.slot, slot)
})

test('a reservation is lifted when its lease is served elsewhere', () => {
  const rig = new Rig({ maxConnections: 2, pipelining: 4 })
  const [a, b] = [rig.leased(), rig.leased()]
  rig.release(a)
  rig.request()
  const lease = rig.lease()
  assert.ok(a.reserved)
  rig.release(b)

  assert.is(lease.slot, b)
  assert.not(a.reserved)
})

test('a lease takes a permit that comes free rather than wait for a reserved connection', () => {
  const rig = new Rig({ maxConnections: 2, pipelining: 4 })
  const [a, b] = [rig.leased(), rig.leased()]
  rig.release(a)
  rig.request()
  rig.lease()
  assert.ok(a.reserved)
  rig.gone(b)

  assert.equal(rig.take(), ['open 0/1'])
  assert.not(a.reserved)
})

test('requests and leases that come by turns are served by turns', () => {
  const rig = new Rig({ maxConnections: 1, pipelining: 4 })
  const slot = rig.leased()
  const [r1, r2, lease, r3] = [rig.request(), rig.request(), rig.lease(), rig.request()]
  rig.release(slot)
  assert.equal(
    [r1, r2, lease, r3].map((waiter) => waiter.slot === slot),
    [true, true, false, false],
  )
  assert.ok(slot.reserved)
  rig.finish(slot)
  rig.finish(slot)
  assert.equal([lease.slot, r3.slot], [slot, undefined])
  rig.release(slot)
  assert.is(r3.slot, slot)
})

test('a request joins a connection with room while the leases before it are sure of another', () => {
  const rig = new Rig({ maxConnections: 2, pipelining: 4 })
  const slot = rig.idle()
  rig.request()
  rig.lease()
  assert.equal(rig.take(), ['open 0/1'])

  assert.is(rig.request().slot, slot)
})

test('a connection whose oldest reply was abandoned takes no request until it has come', () => {
  const rig = new Rig({ maxConnections: 1, pipelining: 4 })
  const slot = rig.idle()
  rig.request()
  rig.request()
  rig.block(slot, true)
  const request = rig.request()
  assert.ok(request.queued)
  rig.finish(slot)
  assert.ok(request.queued)
  rig.block(slot, false)

  assert.is(request.slot, slot)
})

test('a connection that owes nothing any more is no longer held back', () => {
  const rig = new Rig({ maxConnections: 1, pipelining: 4 })
  const slot = rig.idle()
  rig.request()
  rig.block(slot, true)
  rig.request()
  rig.finish(slot)
  assert.not(slot.blocked)

  assert.is(rig.request().slot, slot)
})

test('a request would rather share a busy connection than wait for a probe, until all hold a quarter', () => {
  const rig = new Rig({ pipelining: 8, probeAfterIdleMs: 10 })
  const [a, b] = [rig.leased(), rig.leased()]
  rig.release(a)
  rig.now += 10
  rig.release(b)
  assert.is(rig.request().slot, b)
  assert.is(rig.request().slot, b)
  assert.equal(rig.take(), [])
  assert.is(rig.request().slot, b)

  assert.equal(rig.take(), ['probe 0/0'])
})

test.run()
