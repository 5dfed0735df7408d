/** Where shards pay and where they do not: by the size of replies, by how many are under way, by what is computed for each. */
import { startEchoServer } from '../../servers/echo.ts'
import { startContender } from '../contender.ts'
import type { Cell } from '../contenders/hop-cenote.ts'
import type { Context, Entrant, Figures, Measure, Scenario, Stage } from '../scenario.ts'

const SHARDS = [0, 1, 2]
const KIB = 1_024

const CELLS: readonly Cell[] = [
  ...[64, 4 * KIB, 64 * KIB].flatMap((payloadBytes) =>
    [1, 16, 256]
      .filter((callers) => payloadBytes * callers <= 4 * KIB * KIB)
      .map((callers) => cell(payloadBytes, callers, 0, 'application')),
  ),
  cell(64, 16, 20, 'application'),
  cell(64, 16, 200, 'application'),
  cell(64, 1, 200, 'handler'),
  cell(64, 16, 20, 'handler'),
  cell(64, 16, 200, 'handler'),
  cell(64 * KIB, 16, 200, 'handler'),
]

function cell(payloadBytes: number, callers: number, cpuMicroseconds: number, where: Cell['where']): Cell {
  return { payloadBytes, callers, cpuMicroseconds, where }
}

const MEASURES: readonly Measure[] = [
  ...SHARDS.map((shards) => measure(shards, 'requestsPerSecond', 'requests/s', 'more')),
  ...SHARDS.map((shards) => measure(shards, 'latencyP99Microseconds', 'p99, µs', 'less')),
  ...SHARDS.map((shards) => measure(shards, 'mainCpuMicrosecondsPerRequest', 'main CPU, µs', 'less')),
]

function measure(shards: number, key: string, unit: string, better: Measure['better']): Measure {
  return { key: `${shards}.${key}`, title: `${shards}: ${unit}`, unit, better }
}

export const hop: Scenario = {
  name: 'hop',
  about: 'where shards pay: small and large replies, few and many callers, CPU on the main thread or in handlers',
  packages: [],
  stages: [{ name: 'main', open }],
}

async function open(context: Context): Promise<Stage> {
  const server = await startEchoServer(context.cleanup)
  const handlers = new URL('./hop-handlers.js', context.entry).href
  const pools: Entrant[] = []
  for (const shards of SHARDS) {
    const setup = { port: server.port, shards, handlers, cells: CELLS }
    pools.push(await startContender(context, { id: String(shards), name: `shards: ${shards}` }, 'hop-cenote', setup))
  }
  const lines = new Lines(pools)
  return {
    title: 'shards: 0, 1 and 2, in the options of a pool whose other options have their defaults',
    server: server.name,
    entrants: CELLS.map((each, index) => ({ id: `cenote-${index}`, name: nameOf(each), round: (roundMs) => lines.read(index, roundMs) })),
    missing: [],
    measures: MEASURES,
    ratios: [],
  }
}

function nameOf({ payloadBytes, callers, cpuMicroseconds, where }: Cell): string {
  const payload = payloadBytes < KIB ? `${payloadBytes} B` : `${payloadBytes / KIB} KiB`
  const work = cpuMicroseconds === 0 ? '' : `, ${cpuMicroseconds} µs of CPU in ${where === 'handler' ? 'a handler' : 'the application'}`
  return `${payload}, ${callers} ${callers === 1 ? 'caller' : 'callers'}${work}`
}

/** The table's lines: measured for all at once by each pool, which is not started anew for each, and read one by one. */
class Lines {
  readonly #pools: readonly Entrant[]
  #round: Promise<Figures[]> | undefined
  #unread = new Set<number>()
  #rounds = 0

  constructor(pools: readonly Entrant[]) {
    this.#pools = pools
  }

  /** The figures of a line, with the number of shards before their names. Who asks first in a round has it measured. */
  async read(line: number, roundMs: number): Promise<Figures> {
    if (!this.#unread.delete(line)) {
      this.#unread = new Set(CELLS.keys())
      this.#unread.delete(line)
      this.#round = this.#measure((roundMs * CELLS.length) / SHARDS.length)
    }
    const all = (await this.#round) ?? []
    return Object.fromEntries(all.flatMap((figures, index) => ofLine(figures, line, SHARDS[index] ?? 0)))
  }

  /** Each pool in turn, the order turned round after each round. */
  async #measure(roundMs: number): Promise<Figures[]> {
    const order = [...this.#pools.entries()]
    if (this.#rounds++ % 2 === 1) order.reverse()
    const all: Figures[] = []
    for (const [index, pool] of order) all[index] = await pool.round(roundMs)
    return all
  }
}

function ofLine(figures: Figures, line: number, shards: number): [string, number][] {
  const prefix = `${line}.`
  return Object.entries(figures).flatMap(([key, value]): [string, number][] =>
    key.startsWith(prefix) ? [[`${shards}.${key.slice(prefix.length)}`, value]] : [],
  )
}
