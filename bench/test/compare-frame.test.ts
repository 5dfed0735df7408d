/** The frame of the comparisons with entrants that only count: who works when, what is cleaned up, what the exit code says. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as assert from 'uvu/assert'
import { suite } from '../../packages/pool-worker/test/kit/kit.ts'
import { type CompareOptions, runAll } from '../src/compare/command.ts'
import type { Scenario, Stage } from '../src/compare/scenario.ts'
import { Cleanup } from '../src/process/cleanup.ts'
import { UsageError } from '../src/process/command.ts'
import { Progress } from '../src/report/terminal.ts'

const test = suite('the frame of the comparisons')
const folder = mkdtempSync(join(tmpdir(), 'cenote-frame-'))
const places = { entry: pathToFileURL('/nowhere.js'), out: pathToFileURL(`${folder}/`) }

test.after(() => rmSync(folder, { recursive: true, force: true }))

let log: string[] = []
let printed = ''

/** What it needs of a stream is `write`. */
const stream = {
  write(text: string) {
    printed += text
  },
} as unknown as NodeJS.WriteStream

test.before.each(() => {
  log = []
  printed = ''
})

/** Two entrants: the first makes ten times what the second makes. */
function counting(name: string, change: Partial<Stage> = {}): Scenario {
  const entrant = (id: string, speed: number) => ({
    id,
    name: `the ${id}`,
    round: async (roundMs: number) => {
      log.push(`${name}: ${id} ${roundMs}`)
      return { speed, extra: 1 }
    },
    close: async () => void log.push(`${name}: ${id} closed`),
  })
  const stage: Stage = {
    title: 'a race',
    server: 'no server',
    entrants: [entrant('hare', 10), entrant('tortoise', 1)],
    missing: [],
    measures: [{ key: 'speed', title: 'speed', unit: 'km/h', better: 'more' }],
    ratios: [{ text: 'as fast', measure: 'speed', of: 'hare', over: 'tortoise', bound: 'least', reach: 5, goal: 20 }],
    ...change,
  }
  const open: Scenario['stages'][number]['open'] = async ({ cleanup }) => {
    log.push(`${name}: opened`)
    cleanup.add(async () => void log.push(`${name}: cleaned up`))
    return stage
  }
  return { name, about: '', packages: [], stages: [{ name: 'main', open }] }
}

const impossible: Scenario = {
  ...counting('impossible'),
  stages: [{ name: 'main', open: () => Promise.reject(new UsageError('no server here')) }],
}

function run(scenarios: readonly Scenario[], options: Partial<CompareOptions> = {}): Promise<number> {
  const all = { scenarios, named: false, rounds: 2, roundMs: 7, assert: false, out: undefined, ...options }
  return runAll(all, places, new Progress(stream), new Cleanup())
}

test('a warm-up round that does not count, then rounds whose order is turned round; closed, cleaned up, then the next scenario', async () => {
  assert.is(await run([counting('one'), counting('two')]), 0)
  const rounds = ['hare 7', 'tortoise 7', 'tortoise 7', 'hare 7', 'hare 7', 'tortoise 7']
  const steps = ['opened', ...rounds, 'hare closed', 'tortoise closed', 'cleaned up']
  assert.equal(
    log,
    ['one', 'two'].flatMap((name) => steps.map((step) => `${name}: ${step}`)),
  )
  const { stages } = JSON.parse(readFileSync(join(folder, 'compare-one.json'), 'utf8'))
  assert.equal(stages[0].entrants[0].rounds, [
    { speed: 10, extra: 1 },
    { speed: 10, extra: 1 },
  ])
  assert.equal(stages[0].entrants[0].spreads, { speed: { median: 10, min: 10, max: 10 } })
  assert.equal([stages[0].ratios[0].median, stages[0].ratios[0].reached, stages[0].ratios[0].goalReached], [10, true, false])
})

test('a stage may warm up for longer than a round takes', async () => {
  assert.is(await run([counting('slow', { warmUp: 3 })], { rounds: 1 }), 0)
  assert.equal(log.slice(1, 5), ['slow: hare 21', 'slow: tortoise 21', 'slow: tortoise 7', 'slow: hare 7'])
})

test('with --assert a ratio that is missed ends with 1, a goal that is missed with 0', async () => {
  const ratios = [{ text: 'as fast', measure: 'speed', of: 'hare', over: 'tortoise', bound: 'least', reach: 11 }] as const
  assert.is(await run([counting('good')], { assert: true }), 0)
  assert.is(await run([counting('bad', { ratios })]), 0)
  assert.is(await run([counting('bad', { ratios }), counting('good')], { assert: true }), 1)
  assert.match(printed, /1 ratio missed/)
})

test('who is missing is named with the reason, as is the ratio that needs it, which fails nothing', async () => {
  const missing = [{ id: 'snail', name: 'the snail', why: 'it was not found' }]
  const ratios = [{ text: 'as far', measure: 'speed', of: 'hare', over: 'snail', bound: 'least', reach: 2 }] as const
  assert.is(await run([counting('alone', { missing, ratios })], { assert: true }), 0)
  assert.match(printed, /missing: the snail: it was not found/)
  assert.match(printed, /not measured: as far: the snail: it was not found/)
})

test('a scenario that cannot run is named and the others run; asked for by name it ends the command', async () => {
  assert.is(await run([impossible, counting('other')]), 0)
  assert.match(printed, /impossible: not measured: no server here/)
  assert.is(log.at(-1), 'other: cleaned up')
  let failure: unknown
  await run([impossible], { named: true }).catch((error: unknown) => {
    failure = error
  })
  assert.instance(failure, UsageError)
})

test('an entrant that fails ends the comparison with its error, cleaned up', async () => {
  const wrong = { id: 'hare', name: 'the hare', round: () => Promise.reject(new Error('a wrong reply')) }
  let failure: unknown
  await run([counting('wrong', { entrants: [wrong] }), counting('next')]).catch((error: unknown) => {
    failure = error
  })
  assert.match(String(failure), /a wrong reply/)
  assert.equal(log, ['wrong: opened', 'wrong: cleaned up'])
})

test.run()
