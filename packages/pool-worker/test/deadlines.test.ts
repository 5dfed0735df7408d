import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { Deadlines, type Timed } from '../src/deadlines.ts'
import type { World } from '../src/world.ts'
import { ManualWorld } from './kit/clock.ts'
import { suite } from './kit/kit.ts'

const test = suite('Deadlines')

const LATE_MS = 16

interface Entry extends Timed {
  readonly name: string
}

function entry(deadline: number, name = `at ${deadline}`): Entry {
  return { name, deadline, wheelNext: undefined, wheelPrev: undefined, wheelBucket: -1 }
}

function wheel(world: World): { deadlines: Deadlines; fired: { name: string; at: number }[] } {
  const fired: { name: string; at: number }[] = []
  const deadlines = new Deadlines(world, (expired) => fired.push({ name: (expired as Entry).name, at: world.now() })) // only entries are added
  return { deadlines, fired }
}

test('a deadline fires once, never early, at most two ticks late, at any distance', () => {
  const times = fc.array(fc.double({ min: 0, max: 20_000, noNaN: true }), { minLength: 1, maxLength: 40 })
  return fc.assert(
    fc.property(fc.double({ min: 0, max: 1e7, noNaN: true }), times, (origin, distances) => {
      const world = new ManualWorld(origin)
      const { deadlines, fired } = wheel(world)
      for (const [i, distance] of distances.entries()) deadlines.add(entry(origin + distance, String(i)))
      world.pass(20_100)
      assert.is(fired.length, distances.length)
      assert.is(new Set(fired.map(({ name }) => name)).size, distances.length)
      for (const { name, at } of fired) {
        const late = at - (origin + (distances[Number(name)] ?? 0))
        assert.ok(late >= 0 && late <= LATE_MS + 1e-6, `late by ${late}`)
      }
      assert.is(deadlines.size, 0)
    }),
  )
})

test('a removed entry does not fire, and its neighbours do', () => {
  const world = new ManualWorld()
  const { deadlines, fired } = wheel(world)
  const entries = [entry(100, 'a'), entry(100, 'b'), entry(100, 'c'), entry(100, 'd')] as const
  for (const one of entries) deadlines.add(one)

  deadlines.remove(entries[1])
  deadlines.remove(entries[1])
  deadlines.remove(entries[3])
  world.pass(200)

  assert.equal(fired.map(({ name }) => name).sort(), ['a', 'c'])
})

test('Infinity is never added', () => {
  const world = new ManualWorld()
  const { deadlines } = wheel(world)
  deadlines.add(entry(Infinity))
  assert.is(deadlines.size, 0)
  assert.is(world.timers.length, 0)
})

test('an empty wheel has no timer', () => {
  const world = new ManualWorld()
  const { deadlines } = wheel(world)
  deadlines.add(entry(10))
  world.pass(100)
  assert.is(world.timers.length, 0)

  deadlines.add(entry(1_000))
  deadlines.clear()
  assert.is(world.timers.length, 0)
  assert.is(deadlines.size, 0)
})

test('after a long stall all that are due fire in one turn, and none twice', () => {
  const world = new ManualWorld()
  const { deadlines, fired } = wheel(world)
  for (let i = 0; i < 1_000; i++) deadlines.add(entry(i * 10, String(i)))
  world.stall(60_000)
  assert.is(fired.length, 1_000)
  assert.is(deadlines.size, 0)
})

test('while entries expire it is known how late the turn is, and at no other time', () => {
  const world = new ManualWorld()
  const seen: number[] = []
  const deadlines: Deadlines = new Deadlines(
    world,
    () => seen.push(deadlines.late),
    () => seen.push(deadlines.late),
  )
  deadlines.add(entry(100))
  world.pass(200)
  assert.equal(seen.splice(0), [0, 0])
  deadlines.add(entry(300))
  world.stall(1_508)
  assert.equal(seen.splice(0), [1_500, 1_500])
  assert.is(deadlines.late, 0)
  deadlines.add(entry(1_750))
  world.pass(100)
  assert.equal(seen, [0, 0])
})

test('what arrived before the turn is looked at first, once, and only if something is due', () => {
  const world = new ManualWorld()
  const log: string[] = []
  const answered = entry(100, 'answered')
  const deadlines: Deadlines = new Deadlines(
    world,
    (expired) => log.push((expired as Entry).name), // only entries are added
    () => {
      log.push('before')
      deadlines.remove(answered)
    },
  )
  deadlines.add(answered)
  deadlines.add(entry(100, 'late'))
  deadlines.add(entry(104, 'late too'))
  world.pass(80)
  assert.equal(log, [])
  world.stall(100)
  assert.equal(log, ['before', 'late', 'late too'])
})

test('a deadline added while others expire fires in time, even one that has passed already', () => {
  const world = new ManualWorld()
  const fired: [string, number][] = []
  const deadlines: Deadlines = new Deadlines(world, (expired) => {
    fired.push([(expired as Entry).name, world.now()]) // only entries are added
    if ((expired as Entry).name !== 'first') return
    deadlines.add(entry(10, 'passed already'))
    deadlines.add(entry(world.now() + 20, 'to come'))
  })
  deadlines.add(entry(90, 'first'))
  deadlines.add(entry(10_000, 'keeps the wheel filled'))
  world.stall(100)
  world.pass(50)
  assert.equal(
    fired.map(([name]) => name),
    ['first', 'passed already', 'to come'],
  )
  for (const [, at] of fired) assert.ok(at <= 120 + LATE_MS)
})

test('the timer is ref’d as the wheel was told', () => {
  const world = new ManualWorld()
  const { deadlines } = wheel(world)
  deadlines.add(entry(1_000))
  assert.is(world.timers[0]?.ref, false)

  deadlines.setRef(true)
  assert.is(world.timers.length, 1)
  assert.is(world.timers[0]?.ref, true)

  deadlines.setRef(false)
  world.pass(8)
  assert.is(world.timers[0]?.ref, false)
})

test('callers who come and go faster than the timer do not starve it', () => {
  const world = new ManualWorld()
  const { deadlines, fired } = wheel(world)
  deadlines.add(entry(100))
  for (let i = 0; i < 200; i++) {
    deadlines.setRef(i % 2 === 0)
    world.pass(1)
  }
  assert.is(fired.length, 1)
  assert.ok((fired[0]?.at ?? Infinity) <= 100 + 2 * LATE_MS)
})

test('random adds, removes, stalls and expiries agree with a list', () => {
  const operation = fc.oneof(
    fc.record({ type: fc.constant('add' as const), distance: fc.integer({ min: -50, max: 9_000 }) }),
    fc.record({ type: fc.constant('remove' as const), which: fc.nat(30) }),
    fc.record({ type: fc.constantFrom('pass' as const, 'stall' as const), ms: fc.nat(3_000) }),
  )
  return fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const world = new ManualWorld(1_000)
      /** With when each was added. */
      const alive = new Map<Timed, number>()
      const deadlines = new Deadlines(world, (expired) => {
        assert.ok(expired.deadline <= world.now())
        assert.ok(alive.delete(expired), 'fired once, and was in')
      })
      for (const one of operations) {
        if (one.type === 'add') {
          const added = entry(world.now() + one.distance)
          alive.set(added, world.now())
          deadlines.add(added)
        } else if (one.type === 'remove') {
          const removed = [...alive.keys()][one.which]
          if (removed === undefined) continue
          alive.delete(removed)
          deadlines.remove(removed)
        } else if (one.type === 'pass') world.pass(one.ms)
        else world.stall(one.ms)
        assert.is(deadlines.size, alive.size)
        if (one.type === 'pass' || one.type === 'stall') {
          for (const [left, since] of alive) {
            assert.ok(Math.max(left.deadline, since) > world.now() - LATE_MS - (one.type === 'stall' ? 8 : 0))
          }
        }
      }
    }),
    { numRuns: 300 },
  )
})

test.run()
