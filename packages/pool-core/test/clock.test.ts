import { setImmediate } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { ManualWorld } from '../../pool-worker/test/kit/clock.ts'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { Clock, timesMatter } from '../src/clock.ts'
import type { Language } from '../src/language.ts'
import { readOptions } from '../src/options.ts'

const test = suite('clock')

/** Reads it often, each time so many ms after the last. Returns how often it was behind the world's. */
function behind(clock: Clock, world: ManualWorld, readings: number, ms: number): number {
  let count = 0
  for (let reading = 0; reading < readings; reading++) {
    world.pass(ms)
    if (clock.justNow() < world.time) count++
  }
  return count
}

test('readings that do not follow each other quickly are exact', () => {
  const world = new ManualWorld(1_000)
  assert.is(behind(new Clock(world, false), world, 1_000, 0.02), 0)
})

test('of many in quick succession, most repeat the last', () => {
  const world = new ManualWorld(1_000)
  const clock = new Clock(world, false)
  assert.is(behind(clock, world, 16, 0.001), 0)
  assert.ok(behind(clock, world, 1_600, 0.001) >= 1_500)
})

test('after some that were behind it is right, and stays so for those that come slowly', () => {
  const world = new ManualWorld(1_000)
  const clock = new Clock(world, false)
  behind(clock, world, 100, 0.001)
  assert.ok(behind(clock, world, 32, 50) < 32)
  assert.is(behind(clock, world, 100, 50), 0)
})

test('the next turn of the event loop has a time of its own', async () => {
  const world = new ManualWorld(1_000)
  const clock = new Clock(world, false)
  behind(clock, world, 17, 0.001)
  world.pass(500)
  assert.ok(clock.justNow() < world.time)
  await setImmediate()
  assert.is(clock.justNow(), world.time)
})

test('it never goes back behind what was read exactly', () => {
  const world = new ManualWorld(1_000)
  const clock = new Clock(world, false)
  behind(clock, world, 18, 0.001)
  world.pass(500)
  assert.is(clock.now(), world.time)
  assert.is(clock.justNow(), world.time)
})

test('where somebody decides by it, it is exact from the beginning, or from then on', () => {
  const world = new ManualWorld(1_000)
  assert.is(behind(new Clock(world, true), world, 100, 0.001), 0)
  const clock = new Clock(world, false)
  behind(clock, world, 18, 0.001)
  clock.insist()
  assert.is(behind(clock, world, 100, 0.001), 0)
})

test('a probe, a leak or a longest lease are decided by it', () => {
  const settings = readOptions({ endpoint: 'tcp://127.0.0.1:1' })
  const [probed, unprobed] = [true, false].map((hasProbe) => ({ hasProbe }) as Language) // that alone is read
  assert.is(timesMatter(settings, unprobed as Language), false)
  assert.is(timesMatter(settings, probed as Language), true)
  assert.is(timesMatter({ ...settings, probeAfterIdleMs: Number.POSITIVE_INFINITY }, probed as Language), false)
  assert.is(timesMatter({ ...settings, leakDetectionMs: 5_000 }, unprobed as Language), true)
  assert.is(timesMatter({ ...settings, maxLeaseMs: 5_000 }, unprobed as Language), true)
})

test.run()
