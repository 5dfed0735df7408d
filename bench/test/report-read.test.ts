import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as assert from 'uvu/assert'
import { suite } from '../../packages/pool-worker/test/kit/kit.ts'
import { headline } from '../src/summary/facts.ts'
import { verdictOf } from '../src/summary/model.ts'
import { readResults } from '../src/summary/read.ts'
import { CANCEL, compareFile, ENVIRONMENT, LOAD, MAIN_JOB, STAGE } from './support/results.ts'

const test = suite('reading the results of earlier measurements')

let folder = ''
test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cenote-results-'))
})
test.after.each(() => rm(folder, { recursive: true, force: true }))

const store = (name: string, value: unknown) => writeFile(join(folder, name), typeof value === 'string' ? value : JSON.stringify(value))
const read = (scenarios: readonly string[] = []) => readResults(pathToFileURL(`${folder}/`), scenarios)

test('a folder that is not there holds nothing', async () => {
  assert.equal(await readResults(pathToFileURL(`${folder}/none/`), []), { sections: [], leftOut: [] })
})

test('other files than results are not looked at', async () => {
  await store('report.html', '<p>')
  await store('compare-echo.svg', '<svg>')
  assert.equal(await read(), { sections: [], leftOut: [] })
})

test('what cannot be shown is left out by name, and the rest is shown', async () => {
  await store('a.json', '{')
  await store('b.json', { ...CANCEL, schemaVersion: 2 })
  await store('c.json', { ...CANCEL, kind: 'dance' })
  await store('d.json', [1, 2])
  await store('e.json', { ...compareFile('echo'), stages: undefined })
  await store('f.json', 'null')
  await store('g 100%.json', CANCEL)
  const { sections, leftOut } = await read()
  assert.equal(
    sections.map(({ id }) => id),
    ['g 100%'],
  )
  assert.equal(
    leftOut.map(({ file }) => file),
    ['a.json', 'b.json', 'c.json', 'd.json', 'e.json', 'f.json'],
  )
  const [broken, other, unknown, list, without] = leftOut.map(({ why }) => why)
  assert.match(broken ?? '', /JSON/)
  assert.match(other ?? '', 'of schema version 2, and this report reads 1: measure it again')
  assert.match(unknown ?? '', 'of an unknown kind: "dance"')
  assert.match(list ?? '', 'no result of a measurement')
  assert.ok((without ?? '').length > 0)
})

test('the main job comes first, then the comparisons in their order, those unknown by name last, then what is left', async () => {
  await store('cancel.json', CANCEL)
  await store('compare-echo.json', compareFile('echo'))
  await store('compare-gone.json', compareFile('gone'))
  await store('compare-resp.json', compareFile('resp'))
  await store('a-load.json', LOAD)
  await store('main-job.json', MAIN_JOB)
  const { sections } = await read(['resp', 'echo'])
  assert.equal(
    sections.map(({ title }) => title),
    ['main job', 'resp', 'echo', 'gone', 'cancel', 'load, open loop'],
  )
})

test('a comparison has a part for each stage, with all figures, who was missing, and what came of each aim', async () => {
  await store(
    'compare-echo.json',
    compareFile('echo', [
      { ...STAGE, name: '16' },
      { ...STAGE, name: '64', missing: [] },
    ]),
  )
  const [section] = (await read()).sections
  assert.equal(section?.environment, ENVIRONMENT)
  assert.equal(
    section?.parts.map(({ name }) => name),
    ['16', '64'],
  )
  const [part] = section?.parts ?? []
  assert.equal(part?.rows[0]?.cells, [
    { median: 41_600, min: 40_000, max: 43_000 },
    { median: 12.5, min: 12.5, max: 12.5 },
  ])
  assert.is(part?.rows[1]?.cells[1], undefined)
  assert.equal(
    part?.missing.map(({ name }) => name),
    ['Go channel pool'],
  )
  assert.equal(part?.aims.map(verdictOf), ['reached', 'not measured', 'missed'])
  const [ratio, unmeasured, absolute] = part?.aims ?? []
  assert.equal(ratio, {
    text: 'Cenote, 1 shard: times the requests of the C client',
    value: '0.25 ×',
    range: '0.21 – 0.31',
    reach: '≥ 0.2',
    reached: true,
    goal: '≥ 0.8',
    goalReached: false,
  })
  assert.is(unmeasured?.unmeasured, 'Go channel pool: go was not found')
  assert.equal([absolute?.value, absolute?.range, absolute?.reach], ['12.5 µs', '', '≤ 4'])
})

test('a limit stands beside its aim, by name below it, and a bound that it misses too is counted', async () => {
  const ratios = STAGE.ratios.map((ratio) => ({ ...ratio, limit: 'c', limitMedian: 5, beyondLimit: ratio.reached === false }))
  await store('compare-echo.json', compareFile('echo', [{ ...STAGE, ratios }]))
  const { sections } = await read()
  const part = sections[0]?.parts[0]
  assert.equal(
    part?.aims.map(({ limit, beyond }) => [limit, beyond]),
    [
      ['5.00', undefined],
      [undefined, undefined],
      ['5.00 µs', true],
    ],
  )
  assert.ok(part?.notes.includes('Limit: what comes of C epoll client.'))
  assert.is(headline(sections), 'Of 3 bounds 1 reached, 1 missed (1 of them by the limit too), 1 not measured.')
})

test('a goal with nothing to reach is neither kept nor missed', async () => {
  const ratios = STAGE.ratios.slice(0, 1).map(({ reach: _, reached: __, ...ratio }) => ratio)
  await store('compare-echo.json', compareFile('echo', [{ ...STAGE, ratios }]))
  const aim = (await read()).sections[0]?.parts[0]?.aims[0]
  assert.is(aim && verdictOf(aim), 'goal only')
})

test('the main job gives medians over its runs, and does not tell the address of a server that was given', async () => {
  await store('main-job.json', MAIN_JOB)
  const [section] = (await read()).sections
  const [part] = section?.parts ?? []
  assert.equal(
    part?.rows.map(({ cells }) => cells[0]),
    [0, 1, 2].map((more) => ({ median: 200 + more, min: 100 + more, max: 300 + more })),
  )
  assert.equal(part?.aims[0]?.reach, '≥ 1')
  assert.not.match(JSON.stringify(section), 'redis.example')
})

test('of cancel each way to give up is a row, and each that took too long is missed', async () => {
  await store('cancel.json', CANCEL)
  const part = (await read()).sections[0]?.parts[0]
  assert.equal(
    part?.rows.map(({ cells }) => cells[0]?.median),
    [45, 1_200],
  )
  assert.equal(part?.aims.map(verdictOf), ['reached', 'missed'])
})

test('of load there are the times, what failed and the charts that were drawn; not the address of the server', async () => {
  await store('load-1.json', LOAD)
  await store('load-1.latency.svg', '<svg>latency</svg>')
  const [section] = (await read()).sections
  const [part] = section?.parts ?? []
  assert.equal(
    part?.rows.map(({ name, cells }) => [name.split(':')[0], cells.map((cell) => cell?.median)]),
    [
      ['response', [10, 11, 12, 13, 14, 15]],
      ['wait', [undefined, undefined, undefined, undefined, undefined, undefined]],
      ['service', [8, 9, 10, 11, 12, 13]],
      ['failure', [5_000, 5_001, 5_002, 5_003, 5_004, 5_005]],
    ],
  )
  assert.equal(part?.drawings, [{ title: 'Latency by percentile', svg: '<svg>latency</svg>' }])
  const text = JSON.stringify(section)
  for (const fact of [
    '4,570 requests/s',
    'Interrupted',
    '1 failed (REQUEST_TIMEOUT 1), 2 unanswered',
    '3 began late, by 4.50 ms',
    'shard 1 10 %',
  ])
    assert.ok(text.includes(fact), fact)
  assert.not.match(text, 'server.example')
})

test.run()
