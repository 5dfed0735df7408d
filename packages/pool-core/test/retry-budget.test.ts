import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { RetryBudget } from '../src/retry-budget.ts'

const test = suite('retry budget')

/** How many retries there are at this moment; takes them all. */
function drained(budget: RetryBudget, now: number): number {
  let taken = 0
  while (taken < 10_000 && budget.take(now)) taken++
  return taken
}

test('minPerSecond is there from the start, for ten seconds at once', () => {
  assert.is(drained(new RetryBudget({ ratio: 0, minPerSecond: 10 }), 0), 100)
  assert.is(drained(new RetryBudget({ ratio: 0.2, minPerSecond: 0.1 }), 123_456.7), 1)
})

test('each call adds its ratio, and a part of a retry is none', () => {
  const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 0 })
  for (let call = 0; call < 4; call++) budget.called(5_000)
  assert.is(drained(budget, 5_000), 0)
  budget.called(5_000)
  assert.is(drained(budget, 5_000), 1)
  for (let call = 0; call < 50; call++) budget.called(6_000)
  assert.is(drained(budget, 6_500), 10)
})

test('what was put in or taken out is forgotten after ten seconds', () => {
  const budget = new RetryBudget({ ratio: 1, minPerSecond: 0.3 })
  for (let call = 0; call < 7; call++) budget.called(1_000)
  assert.is(drained(budget, 2_000), 10)
  assert.is(drained(budget, 10_999), 0)
  // The calls have gone, the retries that they paid for not yet.
  assert.is(drained(budget, 11_000), 0)
  assert.is(drained(budget, 12_000), 3)
})

test('after a long silence all is as at the start', () => {
  const budget = new RetryBudget({ ratio: 0.5, minPerSecond: 1 })
  for (let call = 0; call < 100; call++) budget.called(call * 10)
  assert.is(drained(budget, 1_000), 60)
  assert.is(drained(budget, 1e9), 10)
})

test('without limit it allows all, with nothing it allows none', () => {
  assert.is(drained(new RetryBudget({ ratio: 0, minPerSecond: Number.POSITIVE_INFINITY }), 1), 10_000)
  assert.is(drained(new RetryBudget({ ratio: 0, minPerSecond: 0 }), 1), 0)
})

test('in any ten seconds no more is retried than the calls of that time and the minimum allow', () => {
  const step = fc.record({ ms: fc.nat(4_000), calls: fc.nat(30), tries: fc.nat(30) })
  return fc.assert(
    fc.property(fc.nat(100_000), fc.array(step, { maxLength: 60 }), (origin, steps) => {
      const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 0.5 })
      const log: { at: number; calls: number; retries: number }[] = []
      let now = origin
      for (const { ms, calls, tries } of steps) {
        now += ms
        for (let call = 0; call < calls; call++) budget.called(now)
        let retries = 0
        for (let attempt = 0; attempt < tries; attempt++) if (budget.take(now)) retries++
        log.push({ at: now, calls, retries })
        const recent = log.filter(({ at }) => Math.floor(at / 1_000) > Math.floor(now / 1_000) - 10)
        const sum = (key: 'calls' | 'retries') => recent.reduce((total, each) => total + each[key], 0)
        if (retries > 0) assert.ok(sum('retries') <= 0.2 * sum('calls') + 5)
        if (retries < tries) assert.ok(sum('retries') + 1 > 0.2 * sum('calls') + 5)
      }
    }),
  )
})

test.run()
