import * as assert from 'uvu/assert'
import { haveProgram } from './children.ts'
import { suite, until } from './kit.ts'

interface Result {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly problems: string[]
  readonly output: string
  readonly errors: string
}

interface Runner {
  runFile(bundle: string, options?: { timeoutMs?: number; graceMs?: number }): Promise<Result>
}

const test = suite('runner')

// Not bundled: the runner finds the repository by its own place. The cast: it is plain JavaScript, with this function.
const runner = (await import(new URL('../../test/kit/run.mjs', import.meta.url).href)) as Runner

function run(fixture: string, timeoutMs = 15_000): Promise<Result> {
  return runner.runFile(new URL(`./fixtures/${fixture}.js`, import.meta.url).pathname, { timeoutMs })
}

async function fails(fixture: string, problem: RegExp, output: RegExp): Promise<void> {
  const { failed, problems, output: out, errors } = await run(fixture)
  assert.ok(failed >= 1, fixture)
  assert.match(problems.join('; '), problem)
  assert.match(out + errors, output)
}

test('a file whose tests pass has no problem', async () => {
  const { passed, failed, skipped, problems } = await run('passes')
  assert.equal({ passed, failed, skipped, problems }, { passed: 1, failed: 0, skipped: 1, problems: [] })
})

test('a failing test is counted, and shown with its cause', async () => {
  const { passed, failed, output } = await run('fails')
  assert.equal({ passed, failed }, { passed: 1, failed: 1 })
  assert.match(output, /outside[\s\S]*cause: Error: inside/)
  assert.is(output.split('cause: Error: inside').length, 2)
})

for (const hook of ['before', 'after', 'before-each', 'after-each']) {
  test(`a hook that throws fails its file: ${hook}`, () => fails(`throws-in-${hook}`, /failed|ended with code/, /the hook broke/))
}

test('what is around every test runs outside the hooks of each suite, and fails its test', async () => {
  const { output, failed } = await run('around-every-test')
  assert.match(output, 'before before each of one one after each of one after')
  assert.match(output, 'before before each of two two after each of two after')
  assert.match(output, /FAIL +last +"a test that leaves something"[\s\S]*something was left behind/)
  assert.is(failed, 1)
})

test('throwing null fails', () => fails('throws-null', /1 of 1 tests failed/, /thrown that is no Error: null/))

test('a test that never settles fails after its time', () => fails('hangs-in-test', /1 of 1 tests failed/, /took longer than 100 ms/))

test('a file that blocks is killed after its time', async () => {
  const { failed, problems } = await run('hangs-for-ever', 1_000)
  assert.is(failed, 1)
  assert.match(problems.join('; '), /took longer than 1000 ms.*in "fixture: one"/)
})

test('a leaked handle fails, by name', () => fails('leaks', /ended with code 7/, /did not end within 3000 ms[\s\S]*TCPServerWrap/))

test('a file without tests fails', () => fails('holds-no-test', /holds no test/, /Total: +0/))

test('a file that forgets run() fails', () => fails('forgets-run', /ended before its tests did/, /run\(\) was not called: fixture/))

test('an unhandled rejection fails', () => fails('rejects-unhandled', /ended before its tests did/, /nobody caught this/))

test('a file that exits with 0 in mid-test fails', () => fails('exits-early', /ended before its tests did/, /during the test/))

if (haveProgram('redis-server')) {
  test('a server dies with its test process, even if that is killed', async () => {
    const { output, failed } = await run('leaves-redis')
    const pid = Number(/pid of redis: (\d+)/.exec(output)?.[1])
    assert.is(failed, 1)
    assert.ok(pid > 0)
    await until(() => !alive(pid), 'redis is gone')
  })
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test.run()
