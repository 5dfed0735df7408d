/**
 * What every test file uses instead of uvu's own `suite`: the same shape, and what uvu lets pass fails here. A test that
 * takes too long, a hook that throws, anything thrown that is no Error, a process that does not end by itself.
 */
import { inspect } from 'node:util'
import { type Callback, type Test, suite as uvuSuite } from 'uvu'
import * as assert from 'uvu/assert'
import { PoolError, type PoolErrorCode } from '../../src/errors.ts'
import { haveProgram } from './children.ts'

const TEST_TIMEOUT_MS = 20_000
const EXIT_GRACE_MS = 3_000

/** Server programs that some tests need, and how to get them. */
const SERVERS = {
  'redis-server': 'apt-get install redis-server',
  openssl: 'apt-get install openssl',
} as const

export interface SuiteOptions {
  /** Longest time of one test or hook, in ms. Default 20_000. */
  readonly timeoutMs?: number
}

let missing: string | undefined
let running = 0
let current = ''
let hookFailed = false
const unrun = new Set<string>()
const everyTest = { before: [] as Callback[], after: [] as Callback[] }

/**
 * Runs around every test of this file, whatever its suite: `before` ahead of the suite's own `before.each`, `after` when its
 * `after.each` have cleaned up. Each has the time limit of a test, and fails the test when it throws.
 */
export function aroundEveryTest(before: Callback, after: Callback): void {
  everyTest.before.push(before)
  everyTest.after.push(after)
}

/**
 * Skips all tests of this file when a program is absent, and says how to get it. Call it first. With CI=true a missing program is an
 * error.
 */
export function skipUnless(server: keyof typeof SERVERS): void {
  if (haveProgram(server, server === 'openssl' ? 'version' : '--version')) return
  const reason = `needs ${server}, which is not installed: ${SERVERS[server]}`
  if (process.env.CI === 'true') throw new Error(reason)
  missing = reason
  console.log(`SKIPPED: ${reason}`)
}

/** uvu's `suite`, with a time limit for each test and hook. */
export function suite(name: string, { timeoutMs = TEST_TIMEOUT_MS }: SuiteOptions = {}): Test {
  const inner = uvuSuite(name)
  unrun.add(name)
  const each = { before: [] as Callback[], after: [] as Callback[] }
  let broken: unknown

  const wrap = (title: string, handler: Callback): Callback => {
    return async (context) => {
      if (broken !== undefined) throw new Error('a before hook of this suite failed', { cause: broken })
      current = `${name}: ${title}`
      if (process.env.CENOTE_RUNNER !== undefined) process.stderr.write(`[running] ${current}\n`)
      const errors: Error[] = []
      const step = async (action: Callback): Promise<void> => {
        await limited(() => action(context), timeoutMs).catch((thrown: unknown) => errors.push(toError(thrown)))
      }
      for (const hook of [...everyTest.before, ...each.before]) await step(hook)
      if (errors.length === 0) await step(handler)
      for (const hook of [...each.after, ...everyTest.after]) await step(hook)
      current = ''
      if (errors.length > 0) throw joined(errors)
    }
  }

  const hook = (kind: 'before' | 'after', handler: Callback): Callback => {
    return async (context) => {
      try {
        await limited(() => handler(context), timeoutMs)
      } catch (thrown) {
        if (kind === 'before') broken = thrown
        hookFailed = true
        console.error(`\n  FAIL  ${name}: a hook (${kind}) failed: ${inspect(thrown)}`)
      }
    }
  }

  const test = ((title: string, handler: Callback): void => {
    if (missing !== undefined) inner.skip(title)
    else inner(title, wrap(title, handler))
  }) as Test // its members are set below
  test.only = (title, handler) => {
    if (process.env.CI === 'true') throw new Error(`only() left in: ${title}`)
    inner.only(title, wrap(title, handler))
  }
  test.skip = inner.skip
  test.before = eachHook((handler) => missing ?? inner.before(hook('before', handler)), each.before)
  test.after = eachHook((handler) => missing ?? inner.after(hook('after', handler)), each.after)
  test.run = () => {
    running++
    unrun.delete(name)
    inner.after(() => {
      running--
      if (running === 0) watchExit()
    })
    inner.run()
  }
  return test
}

function eachHook(add: (handler: Callback) => unknown, each: Callback[]): Test['before'] {
  const register = (handler: Callback): void => void add(handler)
  return Object.assign(register, { each: (handler: Callback): void => void each.push(handler) })
}

async function limited(action: () => Promise<void> | void, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`took longer than ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    await Promise.race([(async () => action())(), late])
  } finally {
    clearTimeout(timer)
  }
}

/** uvu takes `throw null` for success, and prints no cause. */
function toError(thrown: unknown): Error {
  if (!(thrown instanceof Error)) return new Error(`something was thrown that is no Error: ${inspect(thrown)}`)
  const { stack } = thrown // read before the message changes: it is made when it is first read
  if (thrown.cause !== undefined) {
    thrown.message += `\n    cause: ${inspect(thrown.cause, { depth: 4 })}`
    Object.defineProperty(thrown, 'stack', { value: stack })
  }
  return thrown
}

function joined(errors: Error[]): Error {
  const [first] = errors
  if (errors.length === 1 && first !== undefined) return first
  return new Error(errors.map((error) => error.stack ?? error.message).join('\n'))
}

/** A process that stays after its last test has leaked a handle: say which, and end it. */
function watchExit(): void {
  const timer = setTimeout(() => {
    console.error(`the process did not end within ${EXIT_GRACE_MS} ms after its last test: ${process.getActiveResourcesInfo().join(', ')}`)
    process.exit(7)
  }, EXIT_GRACE_MS)
  timer.unref()
}

process.on('exit', (code) => {
  if (current !== '') console.error(`the process ended during the test "${current}"`)
  for (const name of unrun) console.error(`run() was not called: ${name}`)
  if ((hookFailed || unrun.size > 0) && code === 0) process.exitCode = 1
})

/**
 * Asserts that a promise rejects with a PoolError of this code.
 * @returns The error.
 */
export async function rejects(promise: Promise<unknown>, code: PoolErrorCode): Promise<PoolError> {
  let value: unknown
  try {
    value = await promise
  } catch (error) {
    if (!PoolError.is(error)) throw new Error(`rejected, but with no PoolError: ${inspect(error)}`, { cause: error })
    if (error.code !== code) assert.unreachable(`rejected with ${error.code} instead of ${code}: ${inspect(error)}`)
    return error
  }
  throw new Error(`resolved with ${inspect(value)} instead of rejecting with ${code}`)
}

/** Waits until `condition` holds, looking every few milliseconds. For what comes from another thread or process. */
export async function until(condition: () => boolean, what: string, timeoutMs = 5_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
