import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { Rig } from './books-rig.ts'

const test = suite('books with suspect shards')

/** Two shards with two idle connections each. */
function two(limits: ConstructorParameters<typeof Rig>[0] = {}): Rig {
  const rig = new Rig({ maxConnections: 4, ...limits }, 2)
  const slots = Array.from({ length: 4 }, () => rig.leased())
  for (const slot of slots) rig.release(slot)
  rig.take()
  return rig
}

test('leases and requests pass over a suspect shard, until it is one no more', () => {
  const rig = two()
  rig.suspect(0, true)
  const leases = [rig.lease(), rig.lease()]
  assert.equal(
    leases.map(({ slot }) => slot?.shard),
    [1, 1],
  )
  const waiting = [rig.lease(), rig.request()]
  assert.equal(
    waiting.map(({ slot }) => slot),
    [undefined, undefined],
  )
  assert.is(rig.tryLease(), undefined)
  rig.suspect(0, false)
  assert.equal(
    waiting.map(({ slot }) => slot?.shard),
    [0, 0],
  )
})

test('a request does not join a connection of a suspect shard', () => {
  const rig = two({ pipelining: 4 })
  const first = rig.request()
  const shard = first.slot?.shard ?? -1
  rig.suspect(shard, true)
  for (let count = 0; count < 4; count++) assert.is(rig.request().slot?.shard, 1 - shard)
})

test('new connections open on the others, also for those whose connection was coming on the suspect shard', () => {
  const rig = new Rig({ maxConnections: 4 }, 2)
  const caller = rig.lease()
  assert.equal(rig.take(), ['open 0/0'])
  rig.suspect(0, true)
  assert.equal(rig.take(), ['open 1/0'])
  const [, second] = rig.in('opening')
  assert.ok(second !== undefined)
  rig.ready(second)
  assert.is(caller.slot, second)
  rig.take()
  rig.lease()
  rig.lease()
  assert.equal(rig.take(), ['open 1/1', 'open 1/2'])
})

test('a reservation on a suspect shard goes over to another', () => {
  const rig = new Rig({ maxConnections: 2, pipelining: 2 }, 2)
  const requests = Array.from({ length: 4 }, () => rig.request())
  for (const slot of rig.in('opening')) rig.ready(slot)
  assert.ok(requests.every(({ slot }) => slot !== undefined))
  const lease = rig.lease()
  const [reserved] = rig.in('shared').filter((slot) => slot.reserved)
  assert.ok(reserved !== undefined)
  rig.suspect(reserved.shard, true)
  const [other] = rig.in('shared').filter((slot) => slot.reserved)
  assert.ok(other !== undefined)
  assert.is(other.shard, 1 - reserved.shard)
  rig.finish(other)
  rig.finish(other)
  assert.is(lease.slot, other)
})

test('when all are suspect they are used all the same', () => {
  const rig = two()
  rig.suspect(0, true)
  rig.suspect(1, true)
  const leases = Array.from({ length: 4 }, () => rig.lease())
  assert.ok(leases.every(({ slot }) => slot !== undefined))
})

test('when the others have no connection and no permit is left, a suspect shard is used', () => {
  const rig = new Rig({ maxConnections: 2 }, 2)
  rig.suspend(1)
  const slots = [rig.leased(), rig.leased()]
  for (const slot of slots) rig.release(slot)
  rig.restart(1)
  rig.suspect(0, true)
  const caller = rig.lease()
  assert.is(caller.slot?.shard, 0)
  const other = slots.find((slot) => slot !== caller.slot)
  assert.ok(other !== undefined)
  rig.close(other, 'idle')
  for (const slot of rig.in('closing')) rig.gone(slot)
  const next = rig.lease()
  assert.is(next.slot, undefined)
  assert.match(String(rig.take().at(-1)), /^open 1/)
})

test('a shard that dies while it is suspect is a new one when it is back', () => {
  const rig = two()
  rig.suspect(0, true)
  rig.suspend(0)
  assert.equal(
    rig.books.counts().perShard.map(({ live, suspect }) => [live, suspect]),
    [
      [false, false],
      [true, false],
    ],
  )
  rig.suspect(0, true)
  rig.restart(0)
  assert.is(rig.books.counts().perShard[0]?.suspect, false)
  assert.is(rig.lease().slot?.shard, 1)
})

test('what is on a suspect shard goes on, ends and closes as ever', () => {
  const rig = two()
  const leases = [rig.lease(), rig.lease(), rig.lease(), rig.lease()]
  rig.suspect(0, true)
  for (const { slot } of leases) if (slot !== undefined) rig.release(slot)
  assert.is(rig.in('idle').length, 4)
  rig.now += 30_000
  rig.step(() => rig.books.sweep(rig.now))
  assert.is(rig.in('closing').length, 4)
})

test.run()
