import * as assert from 'uvu/assert'
import { suite } from '../../packages/pool-worker/test/kit/kit.ts'
import type { Figures, RatioAim } from '../src/compare/scenario.ts'
import { entrantResults, limitNames, orderOf, ratioResults } from '../src/compare/verdict.ts'

const test = suite('the verdict of a comparison')

const SPEED = { key: 'speed', title: 'speed', unit: 'km/h', better: 'more' } as const
const CPU = { key: 'cpu', title: 'CPU', unit: 'µs', better: 'less' } as const
const AIM: RatioAim = { text: 'times', measure: 'speed', of: 'hare', over: 'tortoise', bound: 'least', reach: 2, goal: 3 }

function results(rounds: Readonly<Record<string, readonly Figures[]>>) {
  const entrants = Object.keys(rounds).map((id) => ({ id, name: id, round: async () => ({}) }))
  return entrantResults({ entrants, measures: [SPEED, CPU] }, Object.values(rounds))
}

const speeds = (...values: number[]): Figures[] => values.map((speed) => ({ speed }))

test('each entrant has median, least and greatest of the measures that it has, and all its figures', () => {
  const [hare] = results({ hare: [{ speed: 3, other: 1 }, { speed: 1 }, { speed: 2 }] })
  assert.equal(hare?.spreads, { speed: { median: 2, min: 1, max: 3 } })
  assert.equal(hare?.rounds, [{ speed: 3, other: 1 }, { speed: 1 }, { speed: 2 }])
})

test('a ratio is the median of the ratios of each round, not the ratio of the medians', () => {
  const entrants = results({ hare: speeds(10, 100, 30), tortoise: speeds(1, 50, 20) })
  const [ratio] = ratioResults({ ratios: [AIM], missing: [] }, entrants)
  assert.equal([ratio?.median, ratio?.min, ratio?.max], [2, 1.5, 10])
  assert.equal([ratio?.reached, ratio?.goalReached], [true, false])
})

test('a difference, a figure alone, and an upper bound', () => {
  const entrants = results({ hare: speeds(5, 6), tortoise: speeds(1, 4) })
  const difference: RatioAim = { ...AIM, by: 'difference', bound: 'most', reach: 3, goal: 2.9 }
  const { over: _, ...alone } = { ...AIM, bound: 'most' as const, reach: 5 }
  const [first, second] = ratioResults({ ratios: [difference, alone], missing: [] }, entrants)
  assert.equal([first?.median, first?.reached, first?.goalReached], [3, true, false])
  assert.equal([second?.median, second?.reached], [5.5, false])
})

test('a limit is what comes of another entrant in the same rounds; a bound is beyond it that both miss', () => {
  const entrants = results({
    hare: speeds(10, 100, 30),
    tortoise: speeds(1, 50, 20),
    cheetah: speeds(2, 200, 100),
    snail: speeds(1, 1, 2),
  })
  const ratio = (aim: Partial<RatioAim>) => ratioResults({ ratios: [{ ...AIM, ...aim }], missing: [] }, entrants)[0]
  const told = (aim: Partial<RatioAim>) => [ratio(aim)?.median, ratio(aim)?.limitMedian, ratio(aim)?.beyondLimit]
  assert.equal(told({ limit: 'cheetah' }), [2, 4, false]) // reached
  assert.equal(told({ limit: 'cheetah', reach: 3 }), [2, 4, false]) // missed, the limit would not
  assert.equal(told({ limit: 'cheetah', reach: 5 }), [2, 4, true])
  assert.equal(told({ limit: 'snail', reach: 5 }), [2, 0.1, false]) // who is always worse is no limit
  assert.equal(told({ limit: 'cheetah', bound: 'most', reach: 1 }), [2, 4, true]) // worse in the median, not always
  assert.equal(told({ limit: 'unicorn', reach: 5 }), [2, undefined, undefined])
  assert.equal(told({}), [2, undefined, undefined])
  const { reach: _, ...goal } = AIM
  const [without] = ratioResults({ ratios: [{ ...goal, limit: 'cheetah' }], missing: [] }, entrants)
  assert.equal([without?.limitMedian, without?.beyondLimit], [4, undefined])
  const ratios = ratioResults({ ratios: [{ ...AIM, limit: 'cheetah' }, AIM, { ...AIM, limit: 'unicorn' }], missing: [] }, entrants)
  assert.equal(limitNames(ratios, entrants), ['cheetah'])
})

test('a goal without a bound demands nothing', () => {
  const { reach: _, ...goal } = AIM
  const [ratio] = ratioResults({ ratios: [goal], missing: [] }, results({ hare: speeds(1), tortoise: speeds(2) }))
  assert.equal([ratio?.reached, ratio?.goalReached], [undefined, false])
})

test('a ratio with one who is missing says why it was not measured, and is neither reached nor missed', () => {
  const missing = [{ id: 'tortoise', name: 'the tortoise', why: 'it was not found' }]
  const [ratio] = ratioResults({ ratios: [AIM], missing }, results({ hare: speeds(1) }))
  assert.is(ratio?.unmeasured, 'the tortoise: it was not found')
  assert.is(ratio?.reached, undefined)
  const [other] = ratioResults({ ratios: [{ ...AIM, measure: 'cpu' }], missing: [] }, results({ hare: speeds(1), tortoise: speeds(1) }))
  assert.is(other?.unmeasured, 'cpu was not measured of both')
})

test('the order is turned round after each round', () => {
  assert.equal(
    [orderOf(0, 3), orderOf(1, 3), orderOf(2, 3)],
    [
      [0, 1, 2],
      [2, 1, 0],
      [0, 1, 2],
    ],
  )
})

test.run()
