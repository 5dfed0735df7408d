import * as assert from 'uvu/assert'
import { type Beating, Heartbeats } from '../src/heartbeats.ts'
import { ManualWorld } from './kit/clock.ts'
import { suite } from './kit/kit.ts'

const test = suite('Heartbeats')

class One implements Beating {
  beatAt = 0
  deserted = false
  readonly beats: number[] = []
  readonly #world: ManualWorld

  constructor(world: ManualWorld) {
    this.#world = world
  }

  heartbeat(): void {
    this.beats.push(this.#world.now())
  }
}

test('each connection is probed every heartbeatMs, less up to a tenth by chance', () => {
  for (const chance of [0, 0.5, 0.999]) {
    const world = new ManualWorld(500)
    world.chance = chance
    const heartbeats = new Heartbeats(world, 1_000)
    const one = new One(world)
    heartbeats.add(one)
    world.pass(20_000)
    const gaps = one.beats.map((at, index) => at - (one.beats[index - 1] ?? 500))
    assert.ok(gaps.length >= 20 - 1 && gaps.length <= 22, String(gaps))
    for (const gap of gaps) {
      const late = gap - 1_000 * (1 - 0.1 * chance)
      assert.ok(late > -1e-6 && late < 10 + 1e-6, String(gap))
    }
  }
})

test('one timer serves all of them, and none is left when the last has gone', () => {
  const world = new ManualWorld()
  const heartbeats = new Heartbeats(world, 1_000)
  const ones = Array.from({ length: 50 }, () => new One(world))
  for (const [index, one] of ones.entries()) {
    world.chance = (index % 10) / 10
    heartbeats.add(one)
    world.pass(7)
    assert.is(world.timers.length, 1)
    assert.is(world.timers[0]?.ref, false)
  }
  world.pass(10_000)
  for (const one of ones) assert.ok(one.beats.length >= 9, String(one.beats.length))
  for (const one of ones) heartbeats.remove(one)
  heartbeats.remove(new One(world))
  assert.is(world.timers.length, 0)
  const [first] = ones
  if (first !== undefined) heartbeats.add(first)
  assert.is(world.timers.length, 1)
  heartbeats.stop()
  assert.is(world.timers.length, 0)
})

test('one that comes later but is due earlier is not late', () => {
  const world = new ManualWorld()
  const heartbeats = new Heartbeats(world, 1_000)
  const slow = new One(world)
  heartbeats.add(slow)
  world.pass(10)
  world.chance = 0.99
  const fast = new One(world)
  heartbeats.add(fast)
  world.pass(905)
  assert.is(fast.beats.length, 1)
  assert.is(slow.beats.length, 0)
})

test('a deserted connection is not probed, and is probed at once when its caller is back', () => {
  const world = new ManualWorld()
  const heartbeats = new Heartbeats(world, 1_000)
  const deserted = new One(world)
  const other = new One(world)
  heartbeats.add(deserted)
  heartbeats.add(other)
  deserted.deserted = true
  world.pass(5_500)
  assert.is(deserted.beats.length, 0)
  assert.is(other.beats.length, 5)
  deserted.deserted = false
  world.pass(20)
  assert.is(deserted.beats.length, 1)
})

test('with Infinity there is nothing', () => {
  const world = new ManualWorld()
  const heartbeats = new Heartbeats(world, Number.POSITIVE_INFINITY)
  heartbeats.add(new One(world))
  assert.is(world.timers.length, 0)
})

test.run()
