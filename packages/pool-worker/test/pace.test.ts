/** When results of handlers may be told together. */
import * as assert from 'uvu/assert'
import { Pace } from '../src/pace.ts'
import { suite } from './kit/kit.ts'

const test = suite('pace')

/** A handler that holds the thread for so many ms, from 1,000 on. */
function run(pace: Pace, ms: number): void {
  pace.begun(1_000)
  pace.ended(1_000 + ms)
}

/** After eight that were quick. */
function even(): Pace {
  const pace = new Pace()
  for (let quick = 0; quick < 8; quick++) run(pace, 0.5)
  return pace
}

test('results may wait for others only when eight handlers in a row gave the thread back quickly', () => {
  const pace = new Pace()
  pace.hold(1_000)
  for (let quick = 0; quick < 8; quick++) {
    assert.is(pace.mayHold(4, 1_000), false)
    run(pace, 0.5)
  }
  assert.is(pace.mayHold(4, 1_000), true)
})

test('one that holds the thread for longer ends that at once, until eight were quick again', () => {
  const pace = even()
  run(pace, 0.51)
  for (let quick = 0; quick < 8; quick++) {
    assert.is(pace.even, false)
    run(pace, 0.1)
  }
  assert.is(pace.even, true)
})

test('as many are held as fewer than the handlers still to end: half of them', () => {
  const pace = even()
  const told: number[] = []
  for (let live = 7; live >= 0; live--) {
    pace.hold(1_000)
    if (pace.mayHold(live, 1_000)) continue
    pace.told()
    told.push(live)
  }
  assert.equal(told, [4, 2, 1, 0])
})

test('none waits longer than a millisecond', () => {
  const pace = even()
  pace.hold(1_000)
  pace.hold(1_000.9)
  assert.is(pace.mayHold(8, 1_000.99), true)
  assert.is(pace.mayHold(8, 1_001), false)
  pace.told()
  pace.hold(1_001)
  assert.is(pace.mayHold(8, 1_001.5), true)
})

test('anything that waits is late after a millisecond, until the caller has been told', () => {
  const pace = even()
  assert.is(pace.late(9_000), false)
  pace.wait(1_000)
  pace.hold(1_000.5)
  assert.is(pace.late(1_000.99), false)
  assert.is(pace.late(1_001), true)
  assert.is(pace.mayHold(8, 1_001), false)
  pace.told()
  assert.is(pace.late(9_000), false)
})

test('a turn that brings no result ends the waiting: those still to end wait for something', () => {
  const pace = even()
  pace.hold(1_000)
  assert.is(pace.mayHoldOn(8, 1_000.1), true)
  pace.hold(1_000.2)
  assert.is(pace.mayHoldOn(8, 1_000.3), true)
  assert.is(pace.mayHoldOn(8, 1_000.4), false)
})

test.run()
