import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as assert from 'uvu/assert'
import { suite } from '../../packages/pool-worker/test/kit/kit.ts'
import { report } from '../src/summary/command.ts'
import { htmlReport } from '../src/summary/html.ts'
import { markdownReport } from '../src/summary/markdown.ts'
import { readResults } from '../src/summary/read.ts'
import { CANCEL, compareFile, ENVIRONMENT, LOAD, MAIN_JOB, STAGE } from './support/results.ts'

const test = suite('the report')

let folder = ''
test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cenote-report-'))
})
test.after.each(() => rm(folder, { recursive: true, force: true }))

const places = () => ({ out: pathToFileURL(`${folder}/`), record: pathToFileURL(join(folder, 'RESULTS.md')) })
const store = (name: string, value: object) => writeFile(join(folder, name), JSON.stringify(value))
const results = () => readResults(places().out, [])
const count = (text: string, part: string) => text.split(part).length - 1

test('a page says of every scenario what was measured, reached, missed and who was missing', async () => {
  await store('compare-echo.json', compareFile('echo'))
  await store('cancel.json', CANCEL)
  const html = htmlReport(await results())
  assert.match(html, 'Of 5 bounds 2 reached, 2 missed, 1 not measured.')
  assert.match(html, 'Some Processor, 2 cores, 8 GiB of memory, linux x64, Node 20.20.2')
  assert.match(html, 'Measured 2026-11-25 12:34 UTC, commit abcdef123456: @cenote/pool-core 0.1.0.')
  assert.match(html, 'Missing: Go channel pool: go was not found.')
  assert.match(html, /<td data-is="measured">0\.25 × <span class="soft">0\.21 – 0\.31<\/span><\/td>\s*<td data-is="to reach">≥ 0\.2<\/td>/)
  assert.is(count(html, 'class="missed"'), 4) // in the summary, and in the scenario
  assert.is(count(html, '<td data-is="measured">not measured'), 2)
  assert.match(html, /<td>41,600<span class="soft">40,000 – 43,000<\/span><\/td>/)
  assert.match(html, /C epoll client<\/th><td>166,000<span[^>]*>[^<]*<\/span><\/td><td>–<\/td>/)
})

test('a page has a chart for each figure, in the colours of the page, light or dark', async () => {
  await store('compare-echo.json', compareFile('echo'))
  const html = htmlReport(await results())
  assert.is(count(html, '<svg '), 2)
  assert.match(html, 'aria-label="requests/s: Cenote, 1 shard: 41,600; C epoll client: 166,000"')
  assert.match(html, 'aria-label="main-thread CPU, µs: Cenote, 1 shard: 12.5"')
  assert.is(count(html, 'fill="var(--own)"'), 2)
  assert.is(count(html, 'fill="var(--other)"'), 1)
  assert.match(html, '@media (prefers-color-scheme: dark)')
  assert.is(count(html, '<style'), 1) // a drawing's own would hold for the whole page
})

test('a page needs no other file, and no network', async () => {
  await store('compare-echo.json', compareFile('echo'))
  await store('main-job.json', MAIN_JOB)
  const html = htmlReport(await results())
  for (const reference of html.matchAll(/(?:href|src|url\()=?"?([^"\s>)]*)/g)) assert.match(reference[1] ?? '', /^(#|data:)/)
  assert.not.match(html, '<script')
})

test('nothing that a result file holds becomes markup', async () => {
  const evil = `<script>alert("1")</script>'&|*\`\n## x`
  const stage = {
    ...STAGE,
    title: evil,
    server: evil,
    measures: STAGE.measures.map((measure) => ({ ...measure, title: evil, unit: evil })),
    entrants: STAGE.entrants.map((entrant) => ({ ...entrant, name: evil })),
    missing: [{ id: evil, name: evil, why: evil }],
    ratios: STAGE.ratios.map((ratio) => ({ ...ratio, text: evil })),
  }
  await store('compare-echo.json', {
    ...compareFile(evil, [{ ...stage, name: evil }, stage]),
    environment: { ...ENVIRONMENT, cpu: evil, commit: evil, packages: { [evil]: evil } },
  })
  await store('x"><script>.json', CANCEL)
  await store('<script>.json', {})
  const [html, markdown] = [htmlReport(await results()), markdownReport(await results())]
  assert.not.match(html, /<script/i)
  assert.not.match(html, /aria-label="[^"]*"[^>\s]/)
  assert.ok(count(html, '&lt;script&gt;') > 10)
  assert.not.match(markdown, /<script/i)
  assert.not.match(markdown, /^## x/m)
  for (const line of markdown.split('\n').filter((each) => each.startsWith('|')))
    assert.ok([3, 4, 7].includes(count(line.replaceAll('\\|', ''), '|')), line)
})

test('a drawing is a picture of its own: what is in it cannot act on the page', async () => {
  await store('load-1.json', LOAD)
  const svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
  await writeFile(join(folder, 'load-1.timeline.svg'), svg)
  const html = htmlReport(await results())
  const source = /<img alt="The run over time" src="data:image\/svg\+xml;base64,([^"]*)">/.exec(html)?.[1] ?? ''
  assert.is(Buffer.from(source, 'base64').toString(), svg)
  assert.not.match(html, '<script')
})

test('the same in Markdown', async () => {
  await store('compare-echo.json', compareFile('echo'))
  const markdown = markdownReport(await results())
  assert.match(
    markdown,
    '| echo: Cenote, 1 shard: times the requests of the C client | 0.25 × (0.21 – 0.31) | ≥ 0.2 | reached | ≥ 0.8, not reached |',
  )
  assert.match(markdown, '| Cenote, 1 shard | 41,600 (40,000 – 43,000) | 12.5 |')
  assert.match(markdown, '| Cenote, 1 shard: main-thread CPU | 12.5 µs | ≤ 4 | missed | – |')
  assert.match(markdown, '- Missing: Go channel pool: go was not found.')
})

test('measured with changes that no commit holds: both say so', async () => {
  await store('compare-echo.json', { ...compareFile('echo'), environment: { ...ENVIRONMENT, commit: 'abc+' } })
  assert.match(htmlReport(await results()), 'changes that the commit does not hold')
  assert.match(markdownReport(await results()), 'hanges that the commit does not hold')
})

test('the command writes both, and the record only when asked; that one names no machine and no place on it', async () => {
  await store('compare-echo.json', compareFile('echo'))
  await store('main-job.json', MAIN_JOB)
  assert.is(await report([], places()), 0)
  assert.equal((await readdir(folder)).sort(), ['compare-echo.json', 'main-job.json', 'report.html', 'report.md'])
  assert.is(await report(['--record'], places()), 0)
  const record = await readFile(join(folder, 'RESULTS.md'), 'utf8')
  for (const secret of [folder, 'redis.example']) assert.not.ok(record.includes(secret), secret)
  assert.match(record, '## echo')
})

test('--from reads another folder, and the report goes there', async () => {
  await store('cancel.json', CANCEL)
  const elsewhere = pathToFileURL(join(folder, 'none/'))
  assert.is(await report(['--from', folder], { ...places(), out: elsewhere }), 0)
  assert.ok((await readdir(folder)).includes('report.html'))
})

test('nothing to report, or a flag that is none, is said in one line', async () => {
  const messageOf = (args: readonly string[]) => report(args, places()).then(String, (error: Error) => `${error.name}: ${error.message}`)
  assert.match(await messageOf([]), /^UsageError: there is nothing to report in .*: first run npm run bench -- compare/)
  assert.match(await messageOf(['--recrod']), /^UsageError: Unknown option '--recrod'[\s\S]*npm run bench -- report --help/)
  assert.equal(await readdir(folder), [])
})

test.run()
