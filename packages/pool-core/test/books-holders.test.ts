import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { Rig } from './books-rig.ts'

const test = suite('books: who waits for those who hold a connection')

test('with every connection held alone a lease and a request depend on the holders', () => {
  const rig = new Rig({ maxConnections: 2 })
  rig.leased()
  const slot = rig.leased()
  const [lease, request] = [rig.lease(), rig.request()]
  assert.ok(rig.books.dependsOnHolders(lease))
  assert.ok(rig.books.dependsOnHolders(request))
  rig.reset(slot)
  assert.not.ok(rig.books.dependsOnHolders(lease), 'one is on its way to it')
  assert.ok(rig.books.dependsOnHolders(request), 'but that goes to the lease')
})

test('a connection that opens, is probed, or is on its way out, serves without any holder', () => {
  const rig = new Rig({ maxConnections: 3, probeAfterIdleMs: 10 })
  const [idle, closing] = [rig.leased(), rig.leased()]
  rig.leased()
  rig.release(idle)
  rig.close(closing, 'error')
  rig.now += 20
  const probing = rig.lease()
  assert.is(idle.state, 'probing')
  assert.not.ok(rig.books.dependsOnHolders(probing))
  const second = rig.lease()
  assert.not.ok(rig.books.dependsOnHolders(second), 'the permit of the one that closes comes back')
  assert.ok(rig.books.dependsOnHolders(rig.lease()), 'no third is left')
})

test('a connection that requests share serves without any holder, when their replies have come', () => {
  const rig = new Rig({ maxConnections: 2, pipelining: 1 })
  rig.leased()
  rig.idle()
  rig.request()
  const [request, lease] = [rig.request(), rig.lease()]
  assert.not.ok(rig.books.dependsOnHolders(request))
  assert.not.ok(rig.books.dependsOnHolders(lease))
})

test('those before it in the queue go first: by priority, then by age', () => {
  const rig = new Rig({ maxConnections: 2 })
  rig.leased()
  const first = rig.lease() // the second connection opens for it
  const behind = rig.lease()
  assert.not.ok(rig.books.dependsOnHolders(first))
  assert.ok(rig.books.dependsOnHolders(behind))
  const ahead = rig.lease(9)
  assert.not.ok(rig.books.dependsOnHolders(ahead))
  assert.ok(rig.books.dependsOnHolders(first))
})

test('during a pause everybody waits for its end, and for no holder', () => {
  const rig = new Rig({ maxConnections: 1 })
  rig.leased()
  rig.pause(true)
  const lease = rig.lease()
  assert.not.ok(rig.books.dependsOnHolders(lease))
  rig.pause(false)
  assert.ok(rig.books.dependsOnHolders(lease))
})

test.run()
