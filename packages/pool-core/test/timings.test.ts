import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { Timings } from '../src/timings.ts'

const test = suite('timings')

test('without a time all is zero', () => {
  assert.equal(new Timings().summary, { count: 0, mean: 0, p50: 0, p90: 0, p99: 0, max: 0 })
})

test('count and mean are exact, the others to a hundredth', () => {
  const timings = new Timings()
  for (let ms = 1; ms <= 10_000; ms++) timings.record(ms)
  const { count, mean, max, ...percentiles } = timings.summary
  assert.equal([count, mean], [10_000, 5_000.5])
  for (const [is, ought] of [
    [max, 10_000],
    [percentiles.p50, 5_000],
    [percentiles.p90, 9_000],
    [percentiles.p99, 9_900],
  ] as const)
    assert.ok(Math.abs(is / ought - 1) <= 0.01, `${is}, not ${ought}`)
})

test('a time of nothing, and one of a month, are times', () => {
  const timings = new Timings()
  timings.record(0)
  timings.record(30 * 86_400_000)
  const { count, max, p50 } = timings.summary
  assert.is(count, 2)
  assert.ok(p50 > 0 && p50 < 0.01)
  assert.ok(Math.abs(max / (30 * 86_400_000) - 1) <= 0.01)
})

test('those of a microsecond or less count like all others', () => {
  const timings = new Timings()
  for (let time = 0; time < 60; time++) timings.record(0)
  assert.equal(timings.summary, { count: 60, mean: 0.001, p50: 0.001, p90: 0.001, p99: 0.001, max: 0.001 })
  for (let time = 0; time < 40; time++) timings.record(10)
  const { count, mean, p50, p90 } = timings.summary
  assert.is(count, 100)
  assert.ok(Math.abs(mean - 4.0006) < 1e-9, String(mean))
  assert.is(p50, 0.001)
  assert.ok(Math.abs(p90 / 10 - 1) <= 0.01, String(p90))
})

test.run()
