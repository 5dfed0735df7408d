import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { advise, loadBetween } from '../src/advise.ts'
import { Load, type LoadStats } from '../src/books/load.ts'

const test = suite('advise')

const sizes = { maxConnections: 10, minConnections: 0 }

/** So many calls a second, each holding a connection for so long, over ten seconds. */
function steady(perSecond: number, holdMs: number, more: Partial<LoadStats> = {}): LoadStats {
  const calls = perSecond * 10
  return { overMs: 10_000, calls, served: calls, usedMs: calls * holdMs, waitedMs: 0, ...more }
}

test('connections in use are arrival rate times hold time', () => {
  for (const [perSecond, holdMs, inUse] of [
    [100, 50, 5],
    [1_000, 2, 2],
    [20, 2_000, 40],
    [10, 10, 0.1],
  ] as const) {
    const { connections, callsPerSecond, holdMs: hold, utilization } = advise(steady(perSecond, holdMs), sizes)
    assert.equal([connections, callsPerSecond, hold, utilization], [inUse, perSecond, holdMs, inUse / 10])
  }
})

test('the most is the average and twice its square root, the least the average rounded down', () => {
  assert.equal(advise(steady(100, 90), sizes).sizes, { maxConnections: 15, minConnections: 9 })
  assert.equal(advise(steady(10, 10), sizes).sizes, { maxConnections: 1, minConnections: 0 })
  assert.equal(advise(steady(1_000_000, 1_000), sizes).sizes, { maxConnections: 65_536, minConnections: 65_536 }, 'as the options allow')
})

test('callers who were not served count as those who were', () => {
  const { connections, waiting, reasons } = advise(steady(100, 100, { served: 500, usedMs: 50_000, waitedMs: 40_000 }), sizes)
  assert.equal([connections, waiting], [10, 4])
  assert.ok(
    reasons.some((reason) => reason.startsWith('4 callers waited')),
    reasons.join('\n'),
  )
})

test('leases that outlast the time count for all of it', () => {
  const { connections, sizes: advised } = advise({ overMs: 1_000, calls: 0, served: 0, usedMs: 4_000, waitedMs: 0 }, sizes)
  assert.is(connections, 4)
  assert.equal(advised, { maxConnections: 8, minConnections: 4 })
})

test('when nothing was measured the sizes stay', () => {
  for (const overMs of [0, 1_000]) {
    const advice = advise({ overMs, calls: 0, served: 0, usedMs: 0, waitedMs: 0 }, sizes)
    assert.equal(advice.sizes, sizes)
    assert.equal([advice.connections, advice.holdMs, advice.callsPerSecond, advice.utilization, advice.waiting], [0, 0, 0, 0, 0])
  }
})

test('time in use and in the queue is added up as it passes', () => {
  const load = new Load()
  load.until(5_000, 0, 0)
  load.calls = 7
  load.left = 1
  load.until(5_100, 2, 0)
  load.until(5_150, 4, 3)
  assert.equal(load.stats(3), { overMs: 150, calls: 7, served: 3, usedMs: 400, waitedMs: 150 })
})

test('between two moments only what happened there counts', () => {
  const before = steady(100, 50)
  const after = { overMs: 20_000, calls: 1_500, served: 1_400, usedMs: 60_000, waitedMs: 10 }
  assert.equal(loadBetween(before, after), { overMs: 10_000, calls: 500, served: 400, usedMs: 10_000, waitedMs: 10 })
})

test.run()
