import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import type { Slot } from '../src/books/slots.ts'
import { Rig } from './books-rig.ts'

const test = suite('books: room for an endpoint without any connection')

/** All connections of one endpoint are leased, others wait for them, and a second endpoint is listed and chosen. */
function crowded(maxConnections: number): { readonly rig: Rig; readonly leased: readonly Slot[] } {
  const rig = new Rig({ maxConnections }, { weights: [1] })
  const leased = Array.from({ length: maxConnections }, () => rig.leased())
  for (let waiting = 0; waiting < maxConnections; waiting++) rig.lease()
  rig.list(1, 1)
  for (let request = 0; request < 3; request++) rig.request()
  rig.take()
  return { rig, leased }
}

/** The connections of each endpoint. */
const spread = (rig: Rig): number[] => [rig.site(0).connections, rig.site(1).connections]

test('with all in use it gets the place of the first that comes back, whoever keeps his for long, and one only', () => {
  const { rig, leased } = crowded(3)
  const [, , third] = leased as [Slot, Slot, Slot]
  rig.release(third)
  assert.equal(rig.take(), ['close 0/2 balance'])
  const [, second] = leased as [Slot, Slot]
  rig.release(second)
  assert.equal(rig.take(), ['grant 0/1'])
  rig.gone(third)
  const [slot] = rig.in('opening')
  assert.is(slot?.site, rig.site(1))
  rig.release(second)
  assert.is(second.state, 'leased', 'no other is given up')
})

test('the place is its own, though a connect to it has failed before and others wait', () => {
  const { rig, leased } = crowded(3)
  const [first, second] = leased as [Slot, Slot]
  rig.release(first)
  rig.gone(first)
  const [failing] = rig.in('opening')
  if (failing === undefined) throw new Error('nothing opens')
  const site = rig.site(1)
  assert.is(failing.site, site)
  rig.fail(failing)
  assert.equal(spread(rig), [3, 0], 'whoever waits has the place while it rests')
  rig.ready(rig.in('opening')[0] as Slot)
  rig.rested(site)
  rig.take()
  for (let request = 0; request < 3; request++) rig.request()
  rig.release(second)
  assert.equal(rig.take(), ['close 0/1 balance'])
  rig.gone(second)
  assert.is(rig.in('opening')[0]?.site, site)
  rig.ready(rig.in('opening')[0] as Slot)
  assert.equal(spread(rig), [2, 1])
})

test('the last connection of an endpoint is not given up', () => {
  const { rig, leased } = crowded(1)
  rig.release(leased[0] as Slot)
  assert.equal(rig.take(), ['grant 0/0'])
})

test('of shared ones, which may never be free, one takes no more requests', () => {
  const rig = new Rig({ maxConnections: 2, pipelining: 2 }, { weights: [1] })
  const requests = Array.from({ length: 4 }, () => rig.request())
  for (let [slot] = rig.in('opening'); slot !== undefined; [slot] = rig.in('opening')) rig.ready(slot)
  assert.ok(requests.every(({ slot }) => slot !== undefined))
  rig.list(1, 1)
  for (let request = 0; request < 6; request++) rig.request()
  const worn = rig.in('shared').filter((slot) => slot.worn === 'balance')
  assert.is(worn.length, 1)
  const [slot] = worn as [Slot]
  rig.finish(slot)
  rig.finish(slot)
  rig.gone(slot)
  assert.is(rig.in('opening')[0]?.site, rig.site(1))
})

test('when nobody waits, what comes back makes room all the same', () => {
  const rig = new Rig({ maxConnections: 2, pipelining: 2 }, { weights: [1] })
  const held = [rig.leased(), rig.leased()]
  rig.list(1, 1)
  const caller = rig.request()
  rig.release(held[1] as Slot)
  assert.is((held[1] as Slot).state, 'closing')
  rig.gone(held[1] as Slot)
  assert.is(rig.in('opening')[0]?.site, rig.site(1))
  rig.ready(rig.in('opening')[0] as Slot)
  assert.is(caller.slot?.site, rig.site(1))
})

test.run()
