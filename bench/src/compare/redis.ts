/** `compare redis`: pipelined small GETs against a real redis-server, beside ioredis and @redis/client. */
import { parseArgs } from 'node:util'
import { readable, type Spread, spread } from '../measure/numbers.ts'
import { type Child, startChild } from '../process/child.ts'
import type { Cleanup } from '../process/cleanup.ts'
import { parsed, wholeNumber } from '../process/command.ts'
import { chart } from '../report/chart.ts'
import { describeEnvironment, SCHEMA_VERSION } from '../report/environment.ts'
import { writeResults } from '../report/output.ts'
import { table } from '../report/table.ts'
import { bold, Progress } from '../report/terminal.ts'
import { type RedisServer, startRedis } from '../servers/redis.ts'
import type { ClientName } from './clients.ts'
import type { ContenderRequest, RoundReport } from './contender.ts'

const HELP = `Usage: npm run bench -- compare redis [options]

Pipelined GETs of 64 bytes from a real redis-server, which is started for this and stopped again. Each
client in a process of its own, with one connection (Cenote: in one shard), strings on all sides, every
value verified; the rounds of the clients are interleaved.

  --callers <n>    callers, each with one request in flight (default 256)
  --rounds <n>     rounds of each client (default 7)
  --round-ms <n>   length of a round in milliseconds (default 1000)
  --assert         exit with 1 unless Cenote makes 1.5 times ioredis' and 3 times @redis/client's requests
  --help           this text

REDIS_SERVER names another redis-server than the one on the PATH.
`

const CLIENTS: readonly ClientName[] = ['cenote', 'ioredis', 'node-redis']
const NAMES: Readonly<Record<ClientName, string>> = {
  cenote: 'Cenote, 1 shard',
  ioredis: 'ioredis, auto-pipelining',
  'node-redis': '@redis/client',
}
const LEAST: Readonly<Record<ClientName, number>> = { cenote: 1, ioredis: 1.5, 'node-redis': 3 }

interface Options {
  readonly callers: number
  readonly rounds: number
  readonly roundMs: number
  readonly assert: boolean
}

interface Figures {
  readonly client: ClientName
  readonly requestsPerSecond: Spread
  readonly mainCpuMicrosecondsPerRequest: Spread
  /** Cenote's median over this client's. */
  readonly ratio: number
}

type ContenderChild = Child<ContenderRequest, RoundReport | undefined>

/** Runs the comparison; its exit code. `entry` is the contender's process, `out` the folder for the results. */
export async function compareRedis(args: readonly string[], entry: URL, out: URL, cleanup: Cleanup): Promise<number> {
  const options = readOptions(args)
  if (options === undefined) {
    process.stdout.write(HELP)
    return 0
  }
  const progress = new Progress()
  const redis = await startRedis()
  cleanup.add(redis.stop)
  const children: ContenderChild[] = []
  for (const client of CLIENTS) {
    const child: ContenderChild = startChild(entry, client)
    cleanup.add(child.stop)
    children.push(child)
    await child.ask({ ask: 'open', client, port: redis.port, callers: options.callers })
  }
  const rounds = await measure(children, options, redis, progress)
  for (const child of children) await child.ask({ ask: 'close' })
  return await report(sumUp(rounds), rounds, redis.version, options, out, progress)
}

function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parsed('npm run bench -- compare redis', () =>
    parseArgs({
      args: [...args],
      options: {
        callers: { type: 'string', default: '256' },
        rounds: { type: 'string', default: '7' },
        'round-ms': { type: 'string', default: '1000' },
        assert: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }),
  )
  if (values.help) return undefined
  return {
    callers: wholeNumber('callers', values.callers),
    rounds: wholeNumber('rounds', values.rounds),
    roundMs: wholeNumber('round-ms', values['round-ms']),
    assert: values.assert,
  }
}

/**
 * The rounds of each client, in the order of `CLIENTS`; a first round of each is not counted. What a client says that it
 * did must be what the server has counted.
 */
async function measure(
  children: readonly ContenderChild[],
  { rounds, roundMs }: Options,
  redis: RedisServer,
  progress: Progress,
): Promise<RoundReport[][]> {
  const reports: RoundReport[][] = children.map(() => [])
  for (let round = 0; round <= rounds; round++) {
    const name = round === 0 ? 'warm-up' : `round ${round}/${rounds}`
    for (let turn = 0; turn < children.length; turn++) {
      const index = (turn + round) % children.length // each client is first, second and last in turn
      progress.update(`${name}: ${CLIENTS[index]}`)
      const before = await redis.countGets()
      const report = await children[index]?.ask({ ask: 'round', durationMs: roundMs })
      const counted = (await redis.countGets()) - before
      if (report?.requests !== counted) throw new Error(`${CLIENTS[index]} reports ${report?.requests} GETs, the server counted ${counted}`)
      if (round > 0) reports[index]?.push(report)
    }
    progress.step(`${name} done`)
  }
  return reports
}

function sumUp(rounds: readonly (readonly RoundReport[])[]): Figures[] {
  const speeds = rounds.map((reports) => spread(reports.map(({ requestsPerSecond }) => requestsPerSecond)))
  return CLIENTS.map((client, index) => {
    const requestsPerSecond = speeds[index] ?? spread([])
    const mainCpuMicrosecondsPerRequest = spread((rounds[index] ?? []).map((report) => report.mainCpuMicrosecondsPerRequest))
    return { client, requestsPerSecond, mainCpuMicrosecondsPerRequest, ratio: (speeds[0]?.median ?? 0) / requestsPerSecond.median }
  })
}

async function report(
  figures: readonly Figures[],
  rounds: readonly (readonly RoundReport[])[],
  version: string,
  options: Options,
  out: URL,
  progress: Progress,
): Promise<number> {
  const heading = ['', 'requests/s', 'min', 'max', 'main-thread CPU/request', 'Cenote makes']
  const rows = figures.map(({ client, requestsPerSecond: speed, mainCpuMicrosecondsPerRequest: cpu, ratio }) => [
    NAMES[client],
    readable(speed.median),
    readable(speed.min),
    readable(speed.max),
    `${readable(cpu.median)} µs`,
    client === 'cenote' ? '' : `${ratio.toFixed(2)} times`,
  ])
  const [first, ...lines] = table(heading, rows).split('\n')
  progress.print(
    `GETs of 64 bytes, ${options.callers} callers, one connection each, redis-server ${version}; medians of ${options.rounds} rounds of ${options.roundMs} ms\n`,
  )
  progress.print(`${bold(first ?? '')}\n${lines.join('\n')}\n`)
  const missed = figures.filter(({ client, ratio }) => ratio < LEAST[client])
  if (options.assert)
    for (const { client, ratio } of missed)
      progress.print(`missed: ${ratio.toFixed(2)} times ${NAMES[client]}, at least ${LEAST[client]} expected`)
  const environment = await describeEnvironment(['@cenote/pool-core', '@cenote/pool-worker', 'ioredis', '@redis/client'])
  const result = {
    schemaVersion: SCHEMA_VERSION,
    kind: 'compare-redis',
    environment,
    redis: version,
    ...options,
    figures,
    rounds: Object.fromEntries(CLIENTS.map((client, index) => [client, rounds[index]])),
  }
  const paths = await writeResults(out, 'compare-redis', result, draw(figures, version, options))
  progress.print(`Results: ${paths.join(', ')}`)
  return options.assert && missed.length > 0 ? 1 : 0
}

function draw(figures: readonly Figures[], version: string, options: Options): string {
  const labels = figures.map(({ client }) => client)
  return chart(
    `GETs of 64 bytes, ${options.callers} callers, one connection`,
    `redis-server ${version}, Node ${process.versions.node}, medians of ${options.rounds} rounds`,
    labels,
    [
      {
        title: 'Throughput',
        unit: 'requests/s, more is better',
        values: figures.map(({ requestsPerSecond }) => requestsPerSecond.median),
        print: readable,
      },
      {
        title: 'Main-thread CPU per request',
        unit: 'µs, less is better',
        values: figures.map((each) => each.mainCpuMicrosecondsPerRequest.median),
        print: readable,
      },
    ],
  )
}
