import * as assert from 'uvu/assert'
import { suite } from '../../packages/pool-worker/test/kit/kit.ts'
import { arrivals, parseRate, type Segment, seededRandom, segmentsOf } from '../src/load/schedule.ts'
import { refused } from './support/refused.ts'

const test = suite('the schedule of the load generator')
const SEED = 20_261_125

const constant = (segments: readonly Segment[]) => [...arrivals(segments, 'constant', seededRandom(SEED))]
const poisson = (segments: readonly Segment[], seed = SEED) => [...arrivals(segments, 'poisson', seededRandom(seed))]
const steady = (rate: number, durationMs: number): Segment => ({ from: rate, to: rate, durationMs })
const gaps = (times: readonly number[]) => times.slice(1).map((time, index) => time - (times[index] ?? 0))
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
const within = (times: readonly number[], from: number, to: number) => times.filter((time) => time >= from && time < to).length

test('a constant rate is evenly spaced, from the very start, and gives as many as it says', () => {
  const times = constant([steady(250, 2_000)])
  assert.is(times.length, 500)
  assert.is(times[0], 0)
  for (const gap of gaps(times)) near(gap, 4, 1e-6)
})

test('Poisson arrivals have the mean of the rate, and the spread of an exponential distribution', () => {
  const times = poisson([steady(1_000, 100_000)])
  near(times.length, 100_000, 1_000) // three standard deviations are 950
  const distances = gaps(times)
  const middle = mean(distances)
  near(middle, 1, 0.02)
  const deviation = Math.sqrt(mean(distances.map((gap) => (gap - middle) ** 2)))
  near(deviation, 1, 0.03)
  near(distances.filter((gap) => gap > 1).length / distances.length, Math.exp(-1), 0.01)
  near(distances.filter((gap) => gap > 3).length / distances.length, Math.exp(-3), 0.005)
})

test('the same seed gives the same moments, another one others', () => {
  const [first, again, other] = [SEED, SEED, SEED + 1].map((seed) => poisson([steady(100, 1_000)], seed))
  assert.equal(first, again)
  assert.not.equal(first, other)
})

test('on a ramp as many are due by each moment as the rate has asked for till then', () => {
  const ramp: Segment = { from: 1_000, to: 5_000, durationMs: 10_000 }
  for (const kind of ['constant', 'poisson'] as const) {
    const times = [...arrivals([ramp], kind, seededRandom(SEED))]
    for (const at of [1_000, 2_500, 5_000, 10_000]) {
      const integral = (at / 1_000) * 1_000 + (((5_000 - 1_000) / 10_000) * at * at) / 2 / 1_000
      near(within(times, 0, at), integral, kind === 'constant' ? 1 : 4 * Math.sqrt(integral))
    }
  }
})

test('a ramp may go down', () => {
  const times = constant([{ from: 2_000, to: 1, durationMs: 1_000 }])
  assert.ok(within(times, 0, 500) > 2 * within(times, 500, 1_000))
  near(times.length, 1_000, 1)
})

test('steps follow each other, each for its part of the time', () => {
  const times = constant(segmentsOf(parseRate('100,400,200'), 0, 3_000))
  assert.equal(
    [0, 1_000, 2_000].map((from) => within(times, from, from + 1_000)),
    [100, 400, 200],
  )
})

test('the warm-up runs at the first rate, and the plan begins after it', () => {
  assert.equal(segmentsOf(parseRate('100..300'), 500, 2_000), [steady(100, 500), { from: 100, to: 300, durationMs: 2_000 }])
  assert.equal(segmentsOf(parseRate('70'), 0, 2_000), [steady(70, 2_000)])
})

test('moments never go back', () => {
  for (const kind of ['constant', 'poisson'] as const) {
    const times = [...arrivals(segmentsOf(parseRate('10..9000'), 300, 700), kind, seededRandom(SEED))]
    assert.ok(
      gaps(times).every((gap) => gap >= 0),
      `seed ${SEED}`,
    )
    assert.ok(times.every((time) => time >= 0 && time <= 1_000))
  }
})

test('it is computed as it is needed: a plan of hours is not laid out ahead', () => {
  const schedule = arrivals([steady(10_000_000, 24 * 3_600_000)], 'constant', seededRandom(SEED))
  assert.equal(schedule.next(), { value: 0, done: false })
})

test('a rate that is none is refused with all forms', () => {
  for (const text of ['', 'fast', '0', '-5', '1..2..3', '1..', ',5', '5,0', '1e3', '99999999', 'NaN', 'Infinity', '5/s'])
    assert.match(
      refused(() => parseRate(text)),
      /^--rate must be requests a second.*5000 \(constant\), 1000\.\.20000.*1000,5000,20000/s,
    )
  assert.equal(parseRate('1.5'), { shape: 'constant', rates: [1.5] })
})

test.run()

function near(actual: number, wanted: number, tolerance: number): void {
  assert.ok(Math.abs(actual - wanted) <= tolerance, `${actual} is not within ${tolerance} of ${wanted}; seed ${SEED}`)
}
