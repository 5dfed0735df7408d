import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { type EjectionLimits, Faults } from '../src/books/faults.ts'

const test = suite('faults')

const record = (ejection: Partial<EjectionLimits['ejection']> = {}): Faults =>
  new Faults({ ejection: { afterFailures: 3, baseMs: 100, maxMs: 500, maxEjected: 0.5, ...ejection } })

test('so many of a kind in a row are enough, and a good reply begins the row anew', () => {
  const faults = record()
  assert.equal([faults.failed('reply'), faults.failed('reply')], [false, false])
  faults.replied()
  assert.equal([faults.failed('reply'), faults.failed('reply'), faults.failed('reply')], [false, false, true])
})

test('a connect that succeeds makes good for connects alone: a server may take connections and never answer', () => {
  const faults = record()
  for (let turn = 0; turn < 2; turn++) {
    assert.not(faults.failed('connect'))
    assert.not(faults.failed('reply'))
  }
  faults.connected()
  assert.not(faults.failed('connect'))
  assert.ok(faults.failed('reply'))
})

test('with afterFailures Infinity no row is long enough', () => {
  const faults = record({ afterFailures: Number.POSITIVE_INFINITY })
  for (let turn = 0; turn < 1_000; turn++) assert.not(faults.failed('reply'))
})

test('each time is longer than the one before, up to the longest', () => {
  const faults = record()
  const times: number[] = []
  for (let now = 0; times.length < 7; now = faults.until + 1) {
    if (times.length > 0) faults.readmit(now)
    faults.eject(now)
    times.push(faults.until - now)
  }
  assert.equal(times, [100, 200, 300, 400, 500, 500, 500])
})

test('each good time as long as the first takes one back, those beyond the longest time not counted', () => {
  const faults = record()
  let now = 0
  const ejectAfter = (goodMs: number): number => {
    faults.readmit(now)
    now += goodMs
    faults.eject(now)
    const ms = faults.until - now
    now = faults.until
    return ms
  }
  for (let turn = 0; turn < 20; turn++) ejectAfter(0)
  assert.equal([ejectAfter(99), ejectAfter(250), ejectAfter(100), ejectAfter(10_000)], [500, 400, 400, 100])
})

test('how long it is for is told as it was meant, whatever the clock says', () => {
  const faults = record()
  faults.eject(1_234.567_891_23)
  assert.is(faults.forMs, 100)
})

test('one that comes back begins with an empty record', () => {
  const faults = record()
  for (let turn = 0; turn < 3; turn++) faults.failed('reply')
  faults.eject(0)
  faults.readmit(faults.until)
  assert.equal([faults.failed('reply'), faults.failed('reply'), faults.failed('reply')], [false, false, true])
})

test.run()
