/** `compare stream`: bulk data over `lease.stream()` beside a bare socket, in both directions. */
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
import type { Direction, StreamRequest, StreamWay } from './stream-contender.ts'

const HELP = `Usage: npm run bench -- compare stream [options]

Writes of 64 KiB over one connection, through lease.stream() of a pool with one shard and through a bare
socket, to a peer in a process of its own and from it; the rounds are interleaved. What is counted is what
has arrived.

  --rounds <n>     rounds of each way and direction (default 7)
  --round-ms <n>   length of a round in milliseconds (default 500)
  --assert         exit with 1 unless lease.stream() has at least half of the bare socket's throughput, both ways
  --help           this text
`

const LEAST = 0.5
const MIB = 2 ** 20
const DIRECTIONS: readonly Direction[] = ['out', 'in']
const NAMES: Readonly<Record<Direction, string>> = { out: 'to the peer', in: 'from the peer' }

/** The two processes' entries. */
export interface StreamEntries {
  readonly contender: URL
  readonly peer: URL
}

interface Options {
  readonly rounds: number
  readonly roundMs: number
  readonly assert: boolean
}

interface Figures {
  readonly direction: Direction
  /** MiB per second. */
  readonly bare: Spread
  readonly cenote: Spread
  /** Cenote's median over the bare socket's. */
  readonly ratio: number
}

type Rounds = Readonly<Record<Direction, Readonly<Record<StreamWay, number[]>>>>

/** Runs the comparison; its exit code. */
export async function compareStream(args: readonly string[], entries: StreamEntries, out: URL, cleanup: Cleanup): Promise<number> {
  const options = readOptions(args)
  if (options === undefined) {
    process.stdout.write(HELP)
    return 0
  }
  const progress = new Progress()
  const peer: Child<{ readonly ask: 'listen' }, number> = startChild(entries.peer, 'the peer')
  cleanup.add(peer.stop)
  const contender: Child<StreamRequest, number> = startChild(entries.contender, 'the client')
  cleanup.add(contender.stop)
  await contender.ask({ ask: 'open', port: await peer.ask({ ask: 'listen' }) })
  const rounds = await measure(contender, options, progress)
  await contender.ask({ ask: 'close' })
  return await report(sumUp(rounds), rounds, options, out, progress)
}

function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parsed('npm run bench -- compare stream', () =>
    parseArgs({
      args: [...args],
      options: {
        rounds: { type: 'string', default: '7' },
        'round-ms': { type: 'string', default: '500' },
        assert: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }),
  )
  if (values.help) return undefined
  return { rounds: wholeNumber('rounds', values.rounds), roundMs: wholeNumber('round-ms', values['round-ms']), assert: values.assert }
}

/** MiB per second of each round; a first round of each is not counted. Who goes first changes from round to round. */
async function measure(contender: Child<StreamRequest, number>, { rounds, roundMs }: Options, progress: Progress): Promise<Rounds> {
  const all: Rounds = { out: { bare: [], cenote: [] }, in: { bare: [], cenote: [] } }
  for (let round = 0; round <= rounds; round++) {
    const name = round === 0 ? 'warm-up' : `round ${round}/${rounds}`
    for (const direction of DIRECTIONS) {
      const order: readonly StreamWay[] = round % 2 === 0 ? ['bare', 'cenote'] : ['cenote', 'bare']
      for (const way of order) {
        progress.update(`${name}: ${way}, ${NAMES[direction]}`)
        const speed = await contender.ask({ ask: 'round', way, direction, durationMs: roundMs })
        if (round > 0) all[direction][way].push(speed / MIB)
      }
    }
    progress.step(`${name} done`)
  }
  return all
}

function sumUp(rounds: Rounds): Figures[] {
  return DIRECTIONS.map((direction) => {
    const bare = spread(rounds[direction].bare)
    const cenote = spread(rounds[direction].cenote)
    return { direction, bare, cenote, ratio: cenote.median / bare.median }
  })
}

async function report(figures: readonly Figures[], rounds: Rounds, options: Options, out: URL, progress: Progress): Promise<number> {
  const heading = ['', 'bare socket, MiB/s', 'min', 'max', 'lease.stream(), MiB/s', 'min', 'max', 'ratio']
  const rows = figures.map(({ direction, bare, cenote, ratio }) => [
    NAMES[direction],
    ...[bare.median, bare.min, bare.max, cenote.median, cenote.min, cenote.max].map(readable),
    ratio.toFixed(2),
  ])
  const [first, ...lines] = table(heading, rows).split('\n')
  progress.print(`64 KiB writes over one connection, one shard; medians of ${options.rounds} rounds of ${options.roundMs} ms\n`)
  progress.print(`${bold(first ?? '')}\n${lines.join('\n')}\n`)
  const missed = figures.filter(({ ratio }) => ratio < LEAST)
  if (options.assert)
    for (const { direction, ratio } of missed)
      progress.print(`missed: ${ratio.toFixed(2)} of a bare socket ${NAMES[direction]}, at least ${LEAST} expected`)
  const environment = await describeEnvironment(['@cenote/pool-core', '@cenote/pool-worker'])
  const result = { schemaVersion: SCHEMA_VERSION, kind: 'compare-stream', environment, ...options, figures, rounds }
  const paths = await writeResults(out, 'compare-stream', result, draw(figures, options))
  progress.print(`Results: ${paths.join(', ')}`)
  return options.assert && missed.length > 0 ? 1 : 0
}

function draw(figures: readonly Figures[], options: Options): string {
  const values = figures.flatMap(({ bare, cenote }) => [bare.median, cenote.median])
  return chart(
    '64 KiB writes over one connection',
    `Node ${process.versions.node}, medians of ${options.rounds} rounds`,
    figures.flatMap(({ direction }) => [`bare, ${direction}`, `cenote, ${direction}`]),
    [{ title: 'Throughput', unit: 'MiB/s, more is better', values, print: readable }],
  )
}
