/** Replies of 1 MiB: how fast they come, and what they cost the main thread. */
import { patterned } from '../../framed/bodies.ts'
import { startAnswerServer } from '../../servers/answers.ts'
import type { FramedSetup } from '../contenders/framed-work.ts'
import { framedEntrants } from '../framed-entrants.ts'
import { LOOP_DELAY, MEMORY } from '../measures.ts'
import type { Context, Measure, RatioAim, Scenario, Stage } from '../scenario.ts'

const REPLY_BYTES = 2 ** 20
const SEED = 3
const CONNECTIONS = 16

const THROUGHPUT: Measure = { key: 'mibPerSecond', title: 'MiB/s', unit: 'MiB/s', better: 'more' }
const MAIN_CPU: Measure = { key: 'mainCpuMicrosecondsPerMib', title: 'main-thread CPU/MiB', unit: 'µs', better: 'less' }
const ALL_CPU: Measure = { key: 'cpuMicrosecondsPerMib', title: 'all threads', unit: 'µs', better: 'less' }

const RATIOS: readonly RatioAim[] = [
  { text: "times bare sockets' MiB/s", measure: THROUGHPUT.key, of: 'cenote', over: 'bare', bound: 'least', reach: 0.9, goal: 1.2 },
  { text: "times bare sockets' main-thread CPU", measure: MAIN_CPU.key, of: 'cenote', over: 'bare', bound: 'most', reach: 0.5 },
]

export const large: Scenario = {
  name: 'large',
  about: `replies of 1 MiB over ${CONNECTIONS} connections, each handed out as one Buffer`,
  packages: ['generic-pool'],
  stages: [{ name: 'main', open }],
}

async function open(context: Context): Promise<Stage> {
  const server = await startAnswerServer(context.cleanup, [patterned(REPLY_BYTES, SEED)])
  const work = { answer: REPLY_BYTES, seed: SEED }
  const setup: FramedSetup = { port: server.port, connections: CONNECTIONS, callers: CONNECTIONS, work, loopDelay: true }
  return {
    title: `Replies of 1 MiB over ${CONNECTIONS} connections, ${CONNECTIONS} callers`,
    server: server.name,
    entrants: await framedEntrants(context, setup, 'bare sockets in a stack'),
    missing: [],
    measures: [THROUGHPUT, MAIN_CPU, ALL_CPU, LOOP_DELAY, MEMORY],
    ratios: RATIOS,
  }
}
