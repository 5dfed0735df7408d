import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { guard } from '../../../pool-worker/test/kit/children.ts'
import { suite } from '../../../pool-worker/test/kit/kit.ts'
import { freePort } from '../../../pool-worker/test/kit/servers.ts'
import { closing, startPeer } from '../support/peers.ts'

const test = suite('process-exit')
const kept = closing(test)

const PROGRAM = fileURLToPath(new URL('../fixtures/exit-program.js', import.meta.url))

/** Longer than any program takes; one that does not end by itself is killed. */
const LIFE_MS = 12_000

/** Echoes each line: `slow` after 300 ms, `never` not at all. */
async function startServer(): Promise<string> {
  const timers = new Set<NodeJS.Timeout>()
  await kept({
    close: async () => {
      for (const timer of timers) clearTimeout(timer)
    },
  })
  const peer = await kept(
    startPeer((socket) => {
      let rest = ''
      socket.setEncoding('latin1').on('data', (text: string) => {
        const lines = (rest + text).split('\n')
        rest = lines.pop() ?? ''
        for (const asked of lines) {
          if (asked === 'slow') timers.add(setTimeout(() => socket.write('slow\n'), 300))
          else if (asked === 'echo' || asked === 'ping') socket.write(`${asked}\n`)
        }
      })
      socket.once('end', () => socket.end())
    }),
  )
  return peer.endpoint
}

interface Ended {
  readonly lines: readonly string[]
  readonly errors: string
}

/** Runs a scenario to its end, which must be one by itself and with code 0. */
async function run(
  scenario: string,
  shards: number,
  endpoint: string,
  onLine?: (line: string, child: ChildProcess) => void,
): Promise<Ended> {
  const child = spawn(process.execPath, ['--enable-source-maps', PROGRAM, scenario, String(shards), endpoint], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  guard(child)
  const lines: string[] = []
  let rest = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop() ?? ''
    for (const line of parts) {
      lines.push(line)
      onLine?.(line, child)
    }
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), LIFE_MS)
  await new Promise((resolve) => child.once('close', resolve))
  clearTimeout(timer)
  assert.is(errors, '')
  assert.is(child.signalCode, null, `${scenario} did not end by itself: ${lines.join(', ')}`)
  assert.is(lines.at(-1), 'exit 0')
  return { lines: lines.slice(0, -1), errors }
}

/** Each scenario, what it promises, and what it says. */
const SCENARIOS: readonly (readonly [scenario: string, promise: string, lines: readonly string[]])[] = [
  ['unused', 'a pool that was never used lets the process exit', ['made']],
  ['idle', 'an idle pool lets the process exit', ['request: echo', 'handler: echo', 'idle: true']],
  ['beating', 'heart-beats, and looking for signs of life, let the process exit', ['request: echo']],
  ['request', 'a request keeps the process alive until its reply', ['reply: slow']],
  ['handler', 'a handler keeps the process alive until its result', ['result: slow']],
  ['lease', 'a lease keeps the process alive until it is released', ['released']],
  ['stream', 'a stream keeps the process alive until it is destroyed', ['data: slow']],
  ['stay', 'with allowExitOnIdle: false the process lives until close()', ['close: done']],
  [
    'close',
    'after close() no thread, port, timer, socket or descriptor is left',
    [
      'begin',
      'request: echo',
      'handler: echo',
      'same promise: true',
      'resources left: none',
      'descriptors left: none',
      'again: done',
      'late: POOL_CLOSED',
    ],
  ],
  ['closeConnecting', 'close() while connecting rejects who waits', ['acquire: POOL_CLOSED', 'close: done']],
  [
    'closeWaiting',
    'close() rejects who waits and lets a granted lease finish',
    ['waiting: POOL_CLOSED,POOL_CLOSED,POOL_CLOSED', 'lease: slow', 'close: done'],
  ],
  ['closeLeased', 'close() ends a lease at its deadline', ['owed: POOL_CLOSED', 'close: done', 'signal: POOL_CLOSED']],
  ['closeHanging', 'close() ends a handler that never ends at its deadline', ['handler: POOL_CLOSED', 'close: done']],
]

/** Of threads alone. */
const OF_THREADS: typeof SCENARIOS = [
  ['replaced', 'a request keeps the process alive while its shard is being replaced', ['died: SHARD_LOST', 'reply: echo']],
  ['closeSpinning', 'close() ends a handler that blocks its thread at its deadline', ['handler: POOL_CLOSED', 'close: done']],
  ['closeReplacing', 'close() during the pause of a dead shard ends at once', ['died: SHARD_LOST', 'acquire: POOL_CLOSED', 'close: done']],
  ['closeStarting', 'close() while a shard starts anew ends it', ['died: SHARD_LOST', 'request: POOL_CLOSED', 'close: done']],
  ['idleReplaced', 'an idle pool lets the process exit while its shard is being replaced', ['died: SHARD_LOST']],
  [
    'stayReplaced',
    'with allowExitOnIdle: false the process lives on while the only shard is being replaced',
    ['died: SHARD_LOST', 'close: done'],
  ],
]

for (const [scenario, promise, lines] of SCENARIOS) {
  test(`${promise}, with shards: 0, 1 and 2`, async () => {
    const endpoint = await startServer()
    const ended = await Promise.all([0, 1, 2].map((shards) => run(scenario, shards, endpoint)))
    for (const each of ended) assert.equal(each.lines, lines)
  })
}

for (const [scenario, promise, lines] of OF_THREADS) {
  test(promise, async () => {
    const endpoint = await startServer()
    assert.equal((await run(scenario, 1, endpoint)).lines, lines)
  })
}

test('a call that waits out the pauses between failed connects keeps the process alive', async () => {
  const endpoint = `tcp://127.0.0.1:${await freePort()}`
  const ended = await Promise.all([0, 1].map((shards) => run('refused', shards, endpoint)))
  for (const { lines } of ended) assert.equal(lines, ['request: CONNECT_FAILED'])
})

test('a pool that cannot reach its server, and for which nobody waits, lets the process exit', async () => {
  const endpoint = `tcp://127.0.0.1:${await freePort()}`
  const ended = await Promise.all([0, 1].map((shards) => run('unreachable', shards, endpoint)))
  for (const { lines } of ended) assert.equal(lines, ['request: CONNECT_FAILED'])
})

test('SIGTERM under load exits cleanly when the application calls close()', async () => {
  const endpoint = await startServer()
  for (const shards of [0, 2]) {
    const { lines } = await run('sigterm', shards, endpoint, (line, child) => {
      if (line === 'busy') child.kill('SIGTERM')
    })
    assert.equal([...lines].sort(), ['busy', 'close: done', 'outcomes: '])
  }
})

test.run()
