/**
 * The test runner: `run.mjs [--coverage] [part of a file name …]`. Each test file is a process of its own, two at a time.
 *
 * A file fails when a test of it fails, but also when it holds no test, ends with another code than 0, takes too
 * long, or does not end by itself: uvu alone would call some of these a success. The last line is the sum.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { install, root } from './install.mjs'

const FILE_TIMEOUT_MS = Number(process.env.CENOTE_FILE_TIMEOUT_MS ?? 120_000)
const AT_ONCE = 2
const EXIT_GRACE_MS = 5_000 // the kit itself reports and ends after 3 s

const children = new Set()

/**
 * Runs one bundled test file.
 * @returns Its counts; `problems` is empty when all is well.
 */
export async function runFile(bundle, { timeoutMs = FILE_TIMEOUT_MS, graceMs = EXIT_GRACE_MS } = {}) {
  const args = ['--enable-source-maps', '--expose-gc', bundle]
  const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0', CENOTE_RUNNER: '1' }
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  children.add(child)
  const problems = []
  const kill = (why) => {
    problems.push(why)
    killGroup(child)
  }
  let output = ''
  let errors = ''
  let grace
  const timer = setTimeout(() => kill(`took longer than ${timeoutMs} ms`), timeoutMs)
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
    if (grace === undefined && /^ {2}Duration:/m.test(output)) {
      grace = setTimeout(() => kill(`did not end by itself within ${graceMs} ms after its last test`), graceMs)
    }
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text
  })
  const { code, signal } = await ended(child)
  clearTimeout(timer)
  clearTimeout(grace)
  killGroup(child) // what the file started and left behind
  children.delete(child)
  return judge(stripVTControlCharacters(output), stripVTControlCharacters(errors), code, signal, problems)
}

/** Resolves when the process has ended and its output is read; a child of its own that holds the pipes open does not keep us. */
function ended(child) {
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      const done = () => resolve({ code, signal })
      child.on('close', done)
      setTimeout(done, 500).unref()
    })
  })
}

function killGroup(child) {
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // No process of the group is left.
  }
}

/** The kit says on stderr which test it begins, so that one that blocks its process can be named. */
const RUNNING = /^\[running\] (.*)\n/gm

function judge(output, stderr, code, signal, problems) {
  const begun = [...stderr.matchAll(RUNNING)].at(-1)?.[1]
  const errors = stderr.replace(RUNNING, '')
  const last = (word) => Number([...output.matchAll(new RegExp(`^ {2}${word}: +(\\d+)`, 'gm'))].at(-1)?.[1] ?? Number.NaN)
  const total = last('Total')
  const passed = last('Passed')
  const skipped = last('Skipped')
  if (Number.isNaN(total)) problems.push(`ended before its tests did${begun === undefined ? '' : `, in "${begun}"`}`)
  else if (total === 0 && skipped === 0) problems.push('holds no test')
  else if (passed < total) problems.push(`${total - passed} of ${total} tests failed`)
  if (code !== 0 && problems.length === 0) problems.push(signal === null ? `ended with code ${code}` : `was ended by ${signal}`)
  const failed = Math.max(total - passed || 0, problems.length > 0 ? 1 : 0)
  return { passed: passed || 0, failed, skipped: skipped || 0, problems, output, errors }
}

/** Runs all files, `AT_ONCE` at a time, and prints a line for each. */
async function runAll(tests) {
  const sum = { passed: 0, failed: 0, skipped: 0 }
  const waiting = [...tests]
  const worker = async () => {
    for (let test = waiting.shift(); test !== undefined; test = waiting.shift()) {
      const started = performance.now()
      const result = await runFile(join(root, test.bundle))
      for (const key of Object.keys(sum)) sum[key] += result[key]
      print(test.source, result, performance.now() - started)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return sum
}

function print(source, { passed, failed, skipped, problems, output, errors }, ms) {
  const counts = [`${passed} passed`, ...(failed > 0 ? [`${failed} failed`] : []), ...(skipped > 0 ? [`${skipped} skipped`] : [])]
  const reasons = [...new Set(output.match(/^SKIPPED: .*$/gm) ?? [])]
  console.log(`${problems.length > 0 ? 'FAIL' : 'ok  '} ${source} (${counts.join(', ')}, ${(ms / 1000).toFixed(1)} s)`)
  for (const reason of reasons) console.log(`     ${reason}`)
  if (problems.length === 0) return
  console.log(`     ${problems.join('; ')}`)
  for (const text of [output, errors]) if (text.trim() !== '') console.log(text.replace(/^/gm, '     | ').trimEnd())
}

/** Runs this file again under c8. Worker threads are counted; the bundles are mapped back to the sources. */
async function coverage(args) {
  const flags = ['--all', '--src', 'packages/pool-core/src', '--src', 'packages/pool-worker/src', '--exclude-after-remap']
  const reports = ['--reporter', 'text', '--reporter', 'lcov']
  const command = [join(root, 'node_modules/c8/bin/c8.js'), ...flags, ...reports, process.execPath, fileURLToPath(import.meta.url), ...args]
  const child = spawn(process.execPath, command, { cwd: root, stdio: 'inherit' })
  const { code } = await ended(child)
  process.exitCode = code ?? 1
}

async function main(args) {
  install()
  if (args.includes('--coverage')) return coverage(args.filter((arg) => arg !== '--coverage'))
  const { buildPackages, buildTests, findTests } = await import(pathToFileURL(join(root, 'esbuild.mjs')).href)
  const tests = findTests(args)
  const unbuilt = await buildPackages()
  const broken = new Set(await buildTests(tests))
  const sum = await runAll(tests.filter((test) => !broken.has(test.source) && existsSync(join(root, test.bundle))))
  for (const name of [...unbuilt, ...broken]) console.log(`FAIL ${name}: did not build`)
  sum.failed += unbuilt.length + broken.size
  if (sum.passed + sum.failed + sum.skipped === 0) console.log('no test was run')
  if (sum.failed > 0 || sum.passed + sum.skipped === 0) process.exitCode = 1
  const skipped = sum.skipped > 0 ? `, ${sum.skipped} skipped` : ''
  console.log(`${sum.passed} passed, ${sum.failed} failed${skipped}`)
}

process.on('exit', () => children.forEach(killGroup))
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))
if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2))
