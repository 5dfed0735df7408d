import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { beatMs, every, Silence } from '../src/beats.ts'
import { ManualWorld } from './kit/clock.ts'
import { suite } from './kit/kit.ts'

const test = suite('signs of life')

test('silence is counted from look to look, and a beat ends it', () => {
  const silence = new Silence(7, 1_000, 500)
  assert.is(silence.look(7, 1_500), 500)
  assert.is(silence.look(7, 2_100), 1_100)
  assert.is(silence.ms, 1_100)
  assert.is(silence.look(8, 2_600), 0)
  assert.is(silence.look(8, 3_000), 400)
  assert.is(silence.look(-8, 3_001), 0)
})

test('a stall of the one who looks is no silence of the other: one look adds no more than twice the usual time', () => {
  const silence = new Silence(1, 0, 500)
  assert.is(silence.look(1, 60_000), 1_000)
  assert.is(silence.look(1, 60_500), 1_500)
  assert.is(silence.look(2, 99_000), 0)
})

test('both stopped and woken, neither takes the other for dead, whoever looks first', () => {
  const most = fc.integer({ min: 100, max: 60_000 })
  return fc.assert(
    fc.property(most, fc.double({ min: 0, max: 1e6, noNaN: true }), fc.boolean(), (stallMs, stopped, beatsFirst) => {
      const usual = beatMs(stallMs)
      let now = 0
      let count = 0
      const silence = new Silence(count, now, usual)
      for (let turn = 0; turn < 5; turn++) {
        now += usual
        assert.ok(silence.look(++count, now) < stallMs)
      }
      now += stopped
      if (beatsFirst) count++
      assert.ok(silence.look(count, now) < stallMs)
      now += usual
      assert.is(silence.look(++count, now), 0)
    }),
  )
})

test('of any two limits, a silence of the shorter is seen', () => {
  assert.is(beatMs(2_000, 60_000), 500)
  assert.is(beatMs(Number.POSITIVE_INFINITY, 100), 25)
  assert.is(beatMs(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY)
})

test('every() goes on until it is stopped, by itself too, and keeps no process alive', () => {
  const world = new ManualWorld()
  let turns = 0
  const stop = every(world, 10, () => {
    if (++turns === 5) stop()
  })
  assert.is(world.timers[0]?.ref, false)
  world.pass(35)
  assert.is(turns, 3)
  world.pass(1_000)
  assert.is(turns, 5)
  assert.is(world.timers.length, 0)
  every(world, 10, () => assert.unreachable())()
  world.pass(100)
})

test.run()
