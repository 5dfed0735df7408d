import { PoolError } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { type Anchor, Anchors } from '../src/anchors.ts'
import { Hold } from '../src/hold.ts'
import type { Leasing } from '../src/leasing.ts'
import type { Line } from '../src/line.ts'
import { collectAll, collectUntil } from './support/collecting.ts'

const test = suite('anchors')

/** As far as anchors and holds look at it: not at all. */
const someLine = (): Line => ({}) as Line

const someHold = (): Hold => new Hold({} as Leasing)

/** A lease begins. */
function begin(anchors: Anchors, line = someLine()): Anchor {
  const anchor = anchors.take()
  anchor.mark.hold.begin(line, 1, 0, 0)
  return anchor
}

/** It is released. */
function end(anchors: Anchors, anchor: Anchor): void {
  anchor.mark.hold.end()
  anchors.giveBack(anchor)
}

/** Does it in a frame of its own, so that nothing of it is remembered. */
function forget<T>(act: () => T): T {
  return act()
}

test('one that is given back is used again: it is registered once for all its leases', () => {
  const anchors = new Anchors(someHold, () => assert.unreachable())
  const one = begin(anchors)
  const two = begin(anchors)
  assert.is.not(one, two)
  end(anchors, one)
  assert.is(begin(anchors), one)
})

test('one that is collected tells whose it was, once; one that is held or was given back tells nothing', async () => {
  const told: Hold[] = []
  const anchors = new Anchors(someHold, (hold) => told.push(hold))
  const kept: Anchor[] = []
  forget(() => kept.push(begin(anchors)))
  forget(() => end(anchors, begin(anchors)))
  const lost = forget(() => begin(anchors).mark.hold) // takes the one that was given back
  await collectUntil(() => told.length > 0, 'it is told')
  await collectAll()
  assert.is(told.length, 1)
  assert.is(told[0], lost)
  assert.is(kept.length, 1)
})

test('one that was given back keeps no connection', async () => {
  const anchors = new Anchors(someHold, () => assert.unreachable())
  const line = forget(() => {
    const each = someLine()
    end(anchors, begin(anchors, each))
    return new WeakRef(each)
  })
  await collectUntil(() => line.deref() === undefined, 'it is collected')
  assert.ok(anchors.take())
})

test('a hold is used again only if nobody else knew of it, and nobody ever looks at one that is over', () => {
  const anchors = new Anchors(someHold, () => assert.unreachable())
  const one = begin(anchors)
  const plain = one.mark.hold
  end(anchors, one)
  assert.is(begin(anchors).mark.hold, plain)
  assert.not(plain.released)
  plain.lost(new PoolError('CONNECTION_LOST', 'it has died'))
  end(anchors, one)
  const next = begin(anchors).mark.hold
  assert.is.not(next, plain)
  assert.is(next.lostBy, undefined)
  next.listen(() => undefined, {})
  end(anchors, one)
  assert.is.not(begin(anchors).mark.hold, next)
  const shared = one.mark.hold
  shared.share()
  end(anchors, one)
  assert.is.not(begin(anchors).mark.hold, shared)
  const watched = new Anchors(someHold, () => assert.unreachable(), true)
  const other = begin(watched)
  const { hold } = other.mark
  end(watched, other)
  assert.is.not(begin(watched).mark.hold, hold)
  assert.ok(hold.released)
})

test.run()
