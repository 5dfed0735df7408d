import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { type Anchor, Anchors } from '../src/anchors.ts'
import type { Hold } from '../src/hold.ts'
import { collectAll, collectUntil } from './support/collecting.ts'

const test = suite('anchors')

/** As far as anchors look at it: not at all. */
const someHold = (): Hold => ({}) as Hold

/** Has a hold for a while, and remembers neither it nor its anchor. */
function withHold(act: (hold: Hold) => void): WeakRef<Hold> {
  const hold = someHold()
  act(hold)
  return new WeakRef(hold)
}

test('one that is given back is used again: it is registered once for all its leases', () => {
  const anchors = new Anchors(() => assert.unreachable())
  const one = anchors.take(someHold())
  const two = anchors.take(someHold())
  assert.is.not(one, two)
  anchors.giveBack(one)
  assert.is(anchors.take(someHold()), one)
})

test('one that is collected tells whose it was, once; one that is held or was given back tells nothing', async () => {
  const told: Hold[] = []
  const anchors = new Anchors((hold) => told.push(hold))
  const kept: Anchor[] = []
  withHold((hold) => kept.push(anchors.take(hold)))
  withHold((hold) => anchors.giveBack(anchors.take(hold)))
  const lost = someHold()
  withHold(() => void anchors.take(lost)) // takes the one that was given back
  await collectUntil(() => told.length > 0, 'it is told')
  await collectAll()
  assert.is(told.length, 1)
  assert.is(told[0], lost)
  assert.is(kept.length, 1)
})

test('one that was given back keeps no lease', async () => {
  const anchors = new Anchors(() => assert.unreachable())
  const hold = withHold((each) => anchors.giveBack(anchors.take(each)))
  await collectUntil(() => hold.deref() === undefined, 'it is collected')
  assert.ok(anchors.take(someHold()))
})

test.run()
