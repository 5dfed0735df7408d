/** Each scenario once, with rounds as short as they can be: that it runs, and what it leaves behind. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { guard } from '../../packages/pool-worker/test/kit/children.ts'
import { suite } from '../../packages/pool-worker/test/kit/kit.ts'
import { haveRedis } from '../../packages/pool-worker/test/kit/servers.ts'
import { SCENARIOS } from '../src/compare/scenarios/index.ts'

const test = suite('compare: every scenario runs', { timeoutMs: 120_000 }) // the first one may have to compile peers in C and Go
const PROGRAM = fileURLToPath(new URL('../dist/main.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'cenote-compare-'))
const NEEDS_REDIS = ['resp', 'busy'] // with CI=true it must be there

test.after(() => rmSync(folder, { recursive: true, force: true }))

function run(...args: string[]): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn(process.execPath, [PROGRAM, 'compare', ...args, '--out', folder], { stdio: ['ignore', 'pipe', 'pipe'] })
  guard(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })))
}

for (const { name, stages } of SCENARIOS) {
  if (NEEDS_REDIS.includes(name) && process.env.CI !== 'true' && !haveRedis()) {
    console.log(`SKIPPED: ${name} needs redis-server, which is not installed: apt-get install redis-server`)
    continue
  }
  test(`${name}: every entrant has figures in every round, and every ratio is measured or says why not`, async () => {
    const { code, output } = await run(name, '--rounds', '1', '--round-ms', '20')
    assert.is(code, 0, output)
    const result = JSON.parse(readFileSync(join(folder, `compare-${name}.json`), 'utf8'))
    assert.equal([result.kind, result.scenario, result.options], ['compare', name, { rounds: 1, roundMs: 20 }])
    assert.is(result.stages.length, stages.length)
    for (const stage of result.stages) {
      assert.is(stage.entrants[0].id.startsWith('cenote'), true)
      for (const entrant of stage.entrants) {
        assert.is(entrant.rounds.length, 1)
        const own = stage.measures.find(({ key }: { key: string }) => entrant.spreads[key])
        assert.ok(own === stage.measures[0] || (own && entrant.id === 'idle'), `${entrant.id} has its first figure`) // the idle one answers nobody
      }
      for (const { name: peer, why } of stage.missing) assert.ok(peer && why)
      for (const ratio of stage.ratios) {
        assert.ok(Number.isFinite(ratio.median) || ratio.unmeasured, ratio.text)
        assert.is(ratio.limit === undefined || ratio.unmeasured !== undefined, ratio.limitMedian === undefined, ratio.text)
      }
      const chart = stages.length === 1 ? `compare-${name}.svg` : `compare-${name}-${stage.name}.svg`
      assert.match(readFileSync(join(folder, chart), 'utf8'), /^<svg/)
    }
  })
}

test('an unknown scenario ends with exit code 2 and one line', async () => {
  const { code, output } = await run('steam')
  assert.is(code, 2)
  assert.match(output, /^npm run bench: no scenario "steam"[^\n]*\n$/)
})

test.run()
