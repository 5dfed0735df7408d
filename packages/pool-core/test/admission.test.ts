import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { Admission } from '../src/books/admission.ts'

const test = suite('admission')
const backoff = { initialMs: 100, maxMs: 1_000, factor: 2 }

function admission(maxConnecting = 16, failFastAfter = 3): Admission {
  return new Admission({ maxConnecting, failFastAfter, backoff })
}

/** Fails with nothing live, and rests. */
function failAndRest(state: Admission, times = 1): void {
  for (let time = 0; time < times; time++) {
    state.failed(false, false, 0, 0)
    state.rested()
  }
}

test('it admits maxConnecting connects at a time', () => {
  const state = admission(2)
  assert.ok(state.open)
  state.connecting = 1
  assert.ok(state.open)
  state.connecting = 2
  assert.not(state.open)
})

test('after a failure it admits none until the back-off is over, then one, and with each success twice as many up to maxConnecting', () => {
  const state = admission(5)
  state.failed(true, false, 0, 0)
  assert.not(state.open)
  state.rested()
  const admitted = [state.limit]
  for (let success = 0; success < 4; success++) {
    state.succeeded()
    admitted.push(state.limit)
  }
  assert.equal(admitted, [1, 2, 4, 5, 5])
})

test('a failure on the way up begins anew at one', () => {
  const state = admission()
  failAndRest(state)
  state.succeeded()
  state.succeeded()
  assert.is(state.limit, 4)
  failAndRest(state)
  assert.is(state.limit, 1)
})

test('without a limit it still admits one at a time after a failure', () => {
  const state = admission(Number.POSITIVE_INFINITY)
  state.connecting = 1_000
  assert.ok(state.open)
  failAndRest(state)
  assert.is(state.limit, 1)
})

test('the back-off is a random part of a bound that grows with each failure in a row, up to maxMs; a success begins anew', () => {
  const state = admission()
  const bounds: (number | undefined)[] = []
  for (let time = 0; time < 6; time++) {
    bounds.push(state.failed(false, false, 1, 0))
    state.rested()
  }
  assert.equal(bounds, [100, 200, 400, 800, 1_000, 1_000])
  assert.is(state.failed(false, false, 0, 0), 0)
  state.rested()
  assert.is(state.failed(false, false, 0.25, 0), 250)
  state.rested()
  state.succeeded()
  assert.is(state.failed(false, false, 0.5, 0), 50)
})

test('connects that fail together are one failure and one back-off', () => {
  const state = admission()
  assert.is(state.failed(false, false, 0.5, 0), 50)
  for (let time = 0; time < 15; time++) assert.is(state.failed(false, false, 0.5, 0), undefined)
  assert.is(state.failures, 1)
  assert.not(state.down)
})

test('it is down after failFastAfter failures in a row, and up with the first success', () => {
  const state = admission()
  failAndRest(state, 2)
  assert.not(state.down)
  failAndRest(state)
  assert.ok(state.down)
  failAndRest(state, 5)
  assert.ok(state.down)
  state.succeeded()
  assert.not(state.down)
  failAndRest(state, 2)
  assert.not(state.down)
})

test('it is not down while a connection lives, but with the next failure after the last has gone', () => {
  const state = admission()
  for (let time = 0; time < 10; time++) {
    state.failed(true, false, 0, 0)
    state.rested()
  }
  assert.not(state.down)
  failAndRest(state)
  assert.ok(state.down)
})

test('a failure that trying again does not cure is enough at once, also during a back-off', () => {
  const state = admission()
  state.failed(false, false, 0, 0)
  state.failed(true, true, 0, 0)
  assert.not(state.down)
  state.failed(false, true, 0, 0)
  assert.ok(state.down)
})

test('one that seemed to succeed counts on from the failures before it', () => {
  const state = admission()
  failAndRest(state, 2)
  assert.is(state.succeeded(), 2)
  assert.is(state.failed(false, false, 1, 2), 400)
  assert.is(state.failures, 3)
  assert.ok(state.down)
  state.succeeded() // one that was under way
  assert.is(state.failures, 0)
  assert.is(state.failed(false, false, 1, 3), undefined)
  assert.is(state.failures, 4)
  assert.ok(state.down)
})

test('with failFastAfter Infinity it is never down', () => {
  const state = admission(16, Number.POSITIVE_INFINITY)
  failAndRest(state, 100)
  state.failed(false, true, 0, 0)
  assert.not(state.down)
})

test.run()
