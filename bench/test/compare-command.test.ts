import * as assert from 'uvu/assert'
import { suite } from '../../packages/pool-worker/test/kit/kit.ts'
import { readOptions } from '../src/compare/command.ts'
import { redisBenchmark, speedOf } from '../src/compare/redis-benchmark.ts'
import { entrantTable, ratioTable } from '../src/compare/report.ts'
import { SCENARIOS } from '../src/compare/scenarios/index.ts'

const test = suite('compare: the command')

test('without arguments all scenarios run, with the defaults', () => {
  const options = readOptions([])
  assert.equal([options?.scenarios, options?.named, options?.rounds, options?.roundMs, options?.assert], [SCENARIOS, false, 5, 1000, false])
})

test('scenarios are chosen by name, each once', () => {
  const options = readOptions(['stream', 'resp', 'stream', '--rounds', '3', '--round-ms', '20', '--assert'])
  assert.equal(
    options?.scenarios.map(({ name }) => name),
    ['stream', 'resp'],
  )
  assert.equal([options?.named, options?.rounds, options?.roundMs, options?.assert], [true, 3, 20, true])
})

test('names of scenarios are each used once', () => {
  const names = SCENARIOS.map(({ name }) => name)
  assert.is(new Set(names).size, names.length)
})

test('an unknown scenario is answered with the nearest and with all', () => {
  assert.throws(() => readOptions(['steam']), /no scenario "steam"\. Did you mean stream\? There are: .*resp, .*stream/)
  assert.throws(() => readOptions(['quicksort']), /no scenario "quicksort"\. There are: /)
})

test('bad options name themselves', () => {
  assert.throws(() => readOptions(['--rounds', '0']), /--rounds must be a whole number from 1/)
  assert.throws(() => readOptions(['--round-ms', 'long']), /--round-ms must be a whole number/)
  assert.throws(() => readOptions(['--loud']), /--loud/)
})

test('--help is no run', () => {
  assert.is(readOptions(['resp', '--help']), undefined)
})

test('the speed that redis-benchmark prints is read, and a missing one is an error', () => {
  const csv = '"test","rps","avg_latency_ms"\n"GET key:__rand_int__","1234567.90","0.103","0.040"\n'
  assert.is(speedOf(csv), 1_234_567.9)
  assert.throws(() => speedOf('"test","rps"\n'), /no speed/)
})

test('a redis-benchmark that is not there is missing, with how to get it', async () => {
  process.env.REDIS_BENCHMARK = '/nowhere/redis-benchmark'
  try {
    const missing = await redisBenchmark(1)
    assert.match('why' in missing ? missing.why : '', /not found.*apt-get install redis-tools/)
  } finally {
    delete process.env.REDIS_BENCHMARK
  }
})

test('tables show who has a figure and who has none, which bound is kept, and what was not measured', () => {
  const measures = [
    { key: 'speed', title: 'speed', unit: 'km/h', better: 'more' },
    { key: 'cpu', title: 'CPU', unit: 'µs', better: 'less' },
  ] as const
  const spread = { median: 2, min: 1, max: 3 }
  const entrants = [
    { id: 'hare', name: 'the hare', spreads: { speed: spread, cpu: spread }, rounds: [] },
    { id: 'tortoise', name: 'the tortoise', spreads: { speed: spread }, rounds: [] },
  ]
  const aim = { measure: 'speed', of: 'hare', over: 'tortoise', bound: 'least', reach: 1, goal: 4 } as const
  const ratios = [
    { ...aim, text: 'as fast', ...spread, reached: true, goalReached: false, limit: 'tortoise', limitMedian: 2.5 },
    { ...aim, text: 'as far', unmeasured: 'the snail: not found' },
  ]
  const result = { name: 'main', title: '', server: '', missing: [], measures, entrants, ratios }
  const lines = entrantTable(result).split('\n')
  assert.match(lines[0] ?? '', /speed, km\/h +min +max +CPU, µs/)
  assert.match(lines[2] ?? '', /the hare +2\.00 +1\.00 +3\.00 +2\.00/)
  assert.match(lines[3] ?? '', /the tortoise +2\.00 +1\.00 +3\.00 +-/)
  assert.match(ratioTable(result), /the hare: as fast +2\.00 +1\.00 +3\.00 +≥ 1 reached +≥ 4 missed +2\.50/)
  assert.match(ratioTable(result), /limit: the tortoise/)
  assert.match(ratioTable(result), /the hare: as far +- +≥ 1 +≥ 4\n/)
  assert.match(ratioTable(result), /not measured: as far: the snail: not found/)
})

test.run()
