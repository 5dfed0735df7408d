/** `cancel`: a hundred thousand callers wait for one connection, and all of them give up at once. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { parseArgs } from 'node:util'
import { createPool, line, type Pool } from '@cenote/pool-core'
import { readable, type Spread, spread } from './measure/numbers.ts'
import type { Cleanup } from './process/cleanup.ts'
import { parsed, wholeNumber } from './process/command.ts'
import { chart } from './report/chart.ts'
import { describeEnvironment, SCHEMA_VERSION } from './report/environment.ts'
import { writeResults } from './report/output.ts'
import { table } from './report/table.ts'
import { bold, Progress } from './report/terminal.ts'

const HELP = `Usage: npm run bench -- cancel [options]

100,000 callers wait for the one connection of a pool, and all of them give up at once: how long it takes
until each has been told, by the clock.

  --rounds <n>   rounds of each way to give up (default 5)
  --assert       exit with 1 unless each takes less than a second, in the median; of a signal each, what
                 so many signals with a listener take without a pool does not count
  --help         this text
`

const MANY = 100_000
const LIMIT_MS = 1_000
/** Callers come meanwhile. */
const DEADLINE_MS = 3_000

type EchoPool = Pool<string, string>

/** Who waits, and how long it took until each was told. */
type Way = (pool: EchoPool) => Promise<number>

const EACH = 'a signal each'
const ALONE = 'the same without a pool'

const WAYS: readonly (readonly [name: string, way: Way])[] = [
  [
    'one signal for all',
    async (pool) => {
      const controller = new AbortController()
      const told = all(() => pool.acquire({ signal: controller.signal }))
      return timed(() => controller.abort('enough'), told)
    },
  ],
  [
    EACH,
    async (pool) => {
      const controllers = manySignals()
      const told = Promise.all(controllers.map(({ signal }) => refused(pool.acquire({ signal }))))
      return timed(() => abortAll(controllers), told)
    },
  ],
  [
    ALONE,
    async () => {
      const controllers = manySignals()
      for (const { signal } of controllers) signal.addEventListener('abort', () => undefined)
      return timed(() => abortAll(controllers), Promise.resolve())
    },
  ],
  [
    'one deadline',
    async (pool) => {
      const deadline = performance.now() + DEADLINE_MS
      await all(() => pool.acquire({ timeoutMs: Math.max(1, deadline - performance.now()) }))
      return performance.now() - deadline
    },
  ],
  [
    'close()',
    async (pool) => {
      const told = all(() => pool.acquire())
      return timed(() => void pool.close(), told)
    },
  ],
]

const manySignals = (): AbortController[] => Array.from({ length: MANY }, () => new AbortController())

function abortAll(controllers: readonly AbortController[]): void {
  for (const controller of controllers) controller.abort('enough') // without a reason each would make an error, with its stack
}

const refused = (waiting: Promise<unknown>): Promise<void> =>
  waiting.then(
    () => {
      throw new Error('a caller was served')
    },
    () => undefined,
  )

const all = (acquire: () => Promise<unknown>): Promise<unknown> => Promise.all(Array.from({ length: MANY }, () => refused(acquire())))

async function timed(giveUp: () => void, told: Promise<unknown>): Promise<number> {
  const start = performance.now()
  giveUp()
  await told
  return performance.now() - start
}

/** Runs the benchmark; its exit code. */
export async function cancel(args: readonly string[], out: URL, cleanup: Cleanup): Promise<number> {
  const { values } = parsed('npm run bench -- cancel', () =>
    parseArgs({
      args: [...args],
      options: {
        rounds: { type: 'string', default: '5' },
        assert: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }),
  )
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  const rounds = wholeNumber('rounds', values.rounds)
  const server = createServer((socket) => socket.resume())
  cleanup.add(async () => void server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const progress = new Progress()
  const figures = new Map(WAYS.map(([name]) => [name, [] as number[]]))
  for (let round = 0; round <= rounds; round++)
    for (const [name, way] of WAYS) {
      progress.update(`${round === 0 ? 'warm-up' : `round ${round}/${rounds}`}: ${name}`)
      const took = await measure(server, way)
      if (round > 0) figures.get(name)?.push(took)
    }
  return await report(figures, rounds, values.assert, out, progress)
}

/** One connection, held while they wait for it. */
async function measure(server: Server, way: Way): Promise<number> {
  const { port } = server.address() as { port: number } // it listens
  const pool = await createPool({
    endpoint: `tcp://127.0.0.1:${port}`,
    shards: 1,
    maxConnections: 1,
    maxPending: MANY,
    acquireTimeoutMs: 60_000,
    protocol: line(),
  })
  const lease = await pool.acquire()
  const took = await way(pool)
  lease.release()
  await pool.close()
  return took
}

async function report(
  figures: ReadonlyMap<string, readonly number[]>,
  rounds: number,
  demanded: boolean,
  out: URL,
  progress: Progress,
): Promise<number> {
  const spreads = [...figures].map(([name, times]): [string, Spread] => [name, spread(times)])
  const rows = spreads.map(([name, { median, min, max }]) => [name, ...[median, min, max].map(readable)])
  const [first, ...lines] = table(['', 'ms', 'min', 'max'], rows).split('\n')
  progress.print(`${MANY.toLocaleString('en-US')} callers give up at once; medians of ${rounds} rounds\n`)
  progress.print(`${bold(first ?? '')}\n${lines.join('\n')}\n`)
  const alone = spreads.find(([name]) => name === ALONE)?.[1].median ?? 0
  const checks = spreads
    .filter(([name]) => name !== ALONE)
    .map(([name, { median }]) => ({ name: name === EACH ? `${name}, less ${ALONE}` : name, ms: median - (name === EACH ? alone : 0) }))
    .map((check) => ({ ...check, most: LIMIT_MS, kept: check.ms < LIMIT_MS }))
  const missed = checks.filter(({ kept }) => !kept)
  if (demanded)
    for (const { name, ms } of missed) progress.print(`missed: ${name} takes ${readable(ms)} ms, less than ${LIMIT_MS} expected`)
  const environment = await describeEnvironment(['@cenote/pool-core', '@cenote/pool-worker'])
  const result = {
    schemaVersion: SCHEMA_VERSION,
    kind: 'cancel',
    environment,
    rounds,
    callers: MANY,
    figures: Object.fromEntries(figures),
    checks,
  }
  const values = spreads.map(([, { median }]) => median)
  const svg = chart(
    `${MANY.toLocaleString('en-US')} callers give up at once`,
    `Node ${process.versions.node}, medians of ${rounds} rounds`,
    spreads.map(([name]) => name),
    [{ title: 'Until each was told', unit: 'ms, less is better', values, print: readable }],
  )
  const paths = await writeResults(out, 'cancel', result, { cancel: svg })
  progress.print(`Results: ${paths.join(', ')}`)
  return demanded && missed.length > 0 ? 1 : 0
}
