import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { isStillborn } from '../src/books/admission.ts'
import type { Slot } from '../src/books/slots.ts'
import { Rig } from './books-rig.ts'

const test = suite('books: connecting')

/** The one connection that is being opened. */
function opening(rig: Rig): Slot {
  const [slot, ...others] = rig.in('opening')
  assert.ok(slot)
  assert.is(others.length, 0)
  return slot
}

test('no more than maxConnecting are opened at a time, on whatever shard; each that has opened lets the next begin', () => {
  const rig = new Rig({ maxConnections: 10, maxConnecting: 2 }, 2)
  for (let caller = 0; caller < 5; caller++) rig.lease()
  assert.equal(rig.take(), ['open 0/0', 'open 1/0'])
  const [first] = rig.in('opening')
  assert.ok(first)
  rig.ready(first)
  assert.equal(rig.take(), ['grant 0/0', 'open 0/1'])
})

test('minConnections and minIdle keep to maxConnecting too', () => {
  const rig = new Rig({ maxConnections: 10, minConnections: 5, minIdle: 4, maxConnecting: 2 })
  assert.equal(rig.take(), ['open 0/0', 'open 0/1'])
  const [first] = rig.in('opening')
  assert.ok(first)
  rig.ready(first)
  rig.step(() => rig.books.refill(rig.now))
  assert.is(rig.in('opening').length, 2)
})

test('after a failure nothing opens until the back-off is over; then one, then twice as many with each success', () => {
  const rig = new Rig({ maxConnections: 20, maxConnecting: 8 })
  for (let caller = 0; caller < 20; caller++) rig.lease()
  assert.is(rig.in('opening').length, 8)
  for (const slot of rig.in('opening')) rig.fail(slot)
  assert.is(rig.in('opening').length, 0)
  rig.rested()
  const admitted = [rig.in('opening').length]
  for (let success = 0; success < 4; success++) {
    const [slot] = rig.in('opening')
    assert.ok(slot)
    rig.ready(slot)
    admitted.push(rig.in('opening').length)
  }
  assert.equal(admitted, [1, 2, 4, 8, 8])
})

test('while it is down one connect is under way after each back-off, though nobody waits', () => {
  const rig = new Rig({ maxConnections: 4, failFastAfter: 2 }, 2)
  const caller = rig.lease()
  rig.fail(opening(rig))
  rig.rested()
  rig.fail(opening(rig))
  assert.ok(rig.site().admission.down)
  rig.cancel(caller)
  for (let round = 0; round < 5; round++) {
    rig.rested()
    rig.fail(opening(rig))
  }
  rig.rested()
  const slot = opening(rig)
  rig.ready(slot)
  assert.not(rig.site().admission.down)
  assert.is(slot.state, 'idle')
  assert.is(rig.in('opening').length, 0)
})

test('the one who tries again moves on when its shard dies', () => {
  const rig = new Rig({ failFastAfter: 1 }, 2)
  const caller = rig.lease()
  rig.fail(opening(rig))
  rig.cancel(caller)
  rig.rested()
  const { shard } = opening(rig)
  rig.suspend(shard)
  assert.is(opening(rig).shard, 1 - shard)
  rig.suspend(1 - shard)
  assert.is(rig.in('opening').length, 0)
  rig.restart(shard)
  assert.is(opening(rig).shard, shard)
})

test('connects of a shard that stands still hold nobody up while another could connect, and count no more when they end', () => {
  const rig = new Rig({ maxConnections: 4, failFastAfter: 1 }, 2)
  const caller = rig.lease()
  rig.fail(opening(rig))
  rig.cancel(caller)
  rig.rested()
  const slow = opening(rig)
  rig.suspect(slow.shard, true)
  const [, quick, ...others] = rig.in('opening')
  assert.equal([quick?.shard, others.length], [1 - slow.shard, 0])
  assert.ok(quick)
  rig.suspect(quick.shard, true) // now it makes no difference where
  assert.is(rig.in('opening').length, 2)
  rig.suspect(slow.shard, false)
  assert.is(rig.site().admission.connecting, 1) // the slow one, which may be heard of again
  rig.fail(slow)
  assert.is(rig.site().admission.connecting, 0)
  rig.rested()
  assert.is(rig.in('opening').length, 2)
  rig.fail(quick)
  assert.is(rig.site().admission.connecting, 1)
})

test('on a single shard the limit holds while it stands still', () => {
  const rig = new Rig({ maxConnections: 4, maxConnecting: 1 })
  rig.lease()
  rig.lease()
  rig.suspect(0, true)
  assert.equal(rig.take(), ['open 0/0'])
})

test('a lease that lives keeps the endpoint up: others wait for it', () => {
  const rig = new Rig({ failFastAfter: 1 })
  const slot = rig.leased()
  const waiter = rig.lease()
  rig.fail(opening(rig), true)
  assert.not(rig.site().admission.down)
  rig.release(slot)
  assert.is(waiter.slot, slot)
})

test('a connection that its server ends as soon as it is open, and unused, is one that did not come', () => {
  const rig = new Rig({ maxConnections: 4, minConnections: 2, failFastAfter: 3 })
  rig.step(() => rig.books.refill(rig.now))
  const [first, second] = rig.in('opening')
  assert.ok(first && second)
  rig.ready(first)
  rig.ready(second)
  assert.not(isStillborn(first, rig.now + 1_000))
  assert.ok(isStillborn(first, rig.now + 999))
  assert.equal([rig.fail(first), rig.fail(second)], [rig.chance * 100, undefined])
  assert.is(rig.site().admission.failures, 1)
  for (let failures = 2; failures <= 4; failures++) {
    rig.rested()
    const slot = opening(rig)
    rig.ready(slot)
    assert.is(rig.site().admission.failures, 0)
    rig.fail(slot)
    assert.is(rig.site().admission.failures, failures)
    assert.is(rig.site().admission.down, failures >= 3)
    for (const other of rig.in('opening')) rig.gone(other) // that the success had let begin
  }
})

test('one that is found dead when it is to be lent is the same; one that we close is not', () => {
  const rig = new Rig({ maxConnections: 4, minConnections: 2 })
  rig.now = 5_000
  rig.lease()
  const slot = opening(rig)
  rig.die(slot)
  rig.ready(slot)
  assert.is(slot.state, 'closing')
  assert.ok(isStillborn(slot, rig.now))
  for (const other of rig.in('opening')) rig.ready(other)
  rig.step(() => rig.books.refill(rig.now))
  const unused = opening(rig)
  rig.ready(unused)
  assert.ok(isStillborn(unused, rig.now))
  rig.close(unused, 'recycle')
  assert.not(isStillborn(unused, rig.now))
})

test('a connection that somebody has used is none such, nor one that others live beside', () => {
  const rig = new Rig({ maxConnections: 4, failFastAfter: 1 })
  const slot = rig.idle()
  assert.not(isStillborn(slot, rig.now))
  const other = rig.lease()
  assert.is(other.slot, slot)
  assert.not(isStillborn(slot, rig.now))
  rig.step(() => rig.books.resize(4, 2, rig.now))
  rig.step(() => rig.books.refill(rig.now))
  const fresh = opening(rig)
  rig.ready(fresh)
  assert.ok(isStillborn(fresh, rig.now))
  rig.fail(fresh)
  assert.not(rig.site().admission.down)
})

test('a connect that was given up counts neither as a success nor as a failure', () => {
  const rig = new Rig({ failFastAfter: 1, maxConnecting: 1 })
  rig.lease()
  const slot = opening(rig)
  rig.close(slot, 'recycle')
  assert.is(opening(rig).serial === slot.serial, false) // the next may begin
  rig.gone(slot)
  assert.is(rig.site().admission.failures, 0)
})

test.run()
