/** Ten thousand connections: what a request costs then, and what one that is idle weighs. */

import { descriptorLimit } from '../../measure/descriptors.ts'
import { startEchoServer } from '../../servers/echo.ts'
import { startContender } from '../contender.ts'
import type { FramedSetup } from '../contenders/framed-work.ts'
import { freshContender } from '../fresh.ts'
import { ALL_CPU, LATENCY_P50, LATENCY_P99, MAIN_CPU, THROUGHPUT } from '../measures.ts'
import type { Context, Entrant, Measure, RatioAim, Scenario, Stage } from '../scenario.ts'

const FEW = 10
const WANTED = 10_000
const PER_MS = 10 // connections for each millisecond of a round: all of them from a second up
const SPARE_DESCRIPTORS = 500
const PAYLOAD_BYTES = 64

const MEMORY: Measure = { key: 'kibPerConnection', title: 'heaps/connection', unit: 'KiB', better: 'less' }
const RSS: Measure = { key: 'rssKibPerConnection', title: 'RSS/connection', unit: 'KiB', better: 'less' }
const OPENING: Measure = { key: 'openMs', title: 'to open them', unit: 'ms', better: 'less' }

export const scale: Scenario = {
  name: 'scale',
  about: `what a request costs at ${shown(WANTED)} connections, and what an idle one weighs`,
  packages: [],
  stages: [
    { name: 'requests', open: openRequests },
    { name: 'memory', open: openMemory },
  ],
}

function shown(count: number): string {
  return count.toLocaleString('en-US')
}

/** As many as are wanted, or as a process may have open; fewer if the rounds are short, which then measure little anyway. */
function many({ roundMs }: Context): { many: number; limited: string } {
  const count = Math.min(WANTED, descriptorLimit() - SPARE_DESCRIPTORS)
  const limited = count < WANTED ? ` (as many as ulimit -n allows, instead of ${shown(WANTED)})` : ''
  return { many: Math.min(count, PER_MS * roundMs), limited }
}

async function openRequests(context: Context): Promise<Stage> {
  const { many: connections, limited } = many(context)
  const servers = new Set<string>()
  const entrant = async (whose: 'cenote' | 'bare', size: 'few' | 'many', scheduling: 'lifo' | 'fifo'): Promise<Entrant> => {
    const count = size === 'few' ? FEW : connections
    const { port, name: kind } = await startEchoServer(context.cleanup) // one for each: its descriptors are limited too
    servers.add(kind)
    const setup: FramedSetup = {
      port,
      shards: 1,
      connections: count,
      scheduling,
      callers: FEW,
      work: { echo: PAYLOAD_BYTES },
      loopDelay: false,
    }
    const id = `${whose}-${size}-${scheduling}`
    const name = `${whose === 'bare' ? 'bare sockets: ' : ''}${shown(count)} connections, ${scheduling}`
    return startContender(context, { id, name }, whose === 'bare' ? 'framed-bare' : 'scale-cenote', setup)
  }
  const aim = (measure: Measure, scheduling: string): RatioAim => {
    const text = `times ${measure === MAIN_CPU ? 'the main-thread CPU' : measure === ALL_CPU ? 'the CPU of all threads' : 'the latency'} at ${FEW}`
    return {
      text,
      measure: measure.key,
      of: `cenote-many-${scheduling}`,
      over: `cenote-few-${scheduling}`,
      bound: 'most',
      reach: 1.3,
      goal: 1.1,
    }
  }
  const entrants = [
    await entrant('cenote', 'many', 'lifo'),
    await entrant('cenote', 'few', 'lifo'),
    await entrant('cenote', 'many', 'fifo'),
    await entrant('cenote', 'few', 'fifo'),
    await entrant('bare', 'many', 'fifo'),
    await entrant('bare', 'few', 'fifo'),
  ]
  return {
    title: `Echo of ${PAYLOAD_BYTES} bytes by ${FEW} callers, over ${FEW} and over ${shown(connections)} connections${limited}, 1 shard`,
    server: `${[...servers].join(', ')}, one for each`,
    entrants,
    missing: [],
    measures: [ALL_CPU, MAIN_CPU, LATENCY_P50, LATENCY_P99, THROUGHPUT],
    ratios: ['lifo', 'fifo'].flatMap((scheduling) => [ALL_CPU, MAIN_CPU, LATENCY_P50].map((measure) => aim(measure, scheduling))),
  }
}

async function openMemory(context: Context): Promise<Stage> {
  const { many: connections, limited } = many(context)
  const server = await startEchoServer(context.cleanup)
  const setup = { port: server.port, connections }
  const handlers = new URL('./memory-handlers.js', context.entry).href
  const flags = ['--expose-gc']
  return {
    title: `${shown(connections)} idle connections${limited}`,
    server: server.name,
    entrants: [
      freshContender(context, { id: 'cenote', name: 'Cenote, 1 shard' }, 'memory-cenote', { ...setup, handlers, shards: 1 }, flags),
      freshContender(context, { id: 'cenote-0', name: 'Cenote, shards: 0' }, 'memory-cenote', { ...setup, handlers, shards: 0 }, flags),
      freshContender(context, { id: 'bare', name: 'bare sockets' }, 'memory-bare', setup, flags),
    ],
    missing: [],
    measures: [MEMORY, RSS, OPENING],
    ratios: [
      { text: "beyond a bare socket's memory", measure: MEMORY.key, of: 'cenote', over: 'bare', by: 'difference', bound: 'most', reach: 4 },
    ],
  }
}
