/** Documents that are parsed and reduced: next to the sockets in two shards, or on the main thread. */
import { DOCUMENT_BYTES, DOCUMENTS, orderDocument } from '../../answers/documents.ts'
import { startAnswerServer } from '../../servers/answers.ts'
import { startContender } from '../contender.ts'
import { idleBeside } from '../idle.ts'
import { ALL_CPU, LATENCY_P50, LATENCY_P99, LOOP_DELAY, MAIN_CPU, THROUGHPUT } from '../measures.ts'
import type { Context, RatioAim, Scenario, Stage, StageMaker } from '../scenario.ts'

const CONNECTIONS = 16
const SHARDS = 2

const RATIOS: readonly RatioAim[] = [
  aim("times generic-pool's documents/s", THROUGHPUT.key, 'least', 1.6, 1.8),
  { ...aim("times generic-pool's loop delay", LOOP_DELAY.key, 'most', 1 / 8, 1 / 20), limit: 'idle' },
]

export const cpu: Scenario = {
  name: 'cpu',
  about: `JSON of ${DOCUMENT_BYTES / 1_000} KB parsed and reduced: by handlers in ${SHARDS} shards, and on the main thread`,
  packages: ['generic-pool'],
  stages: [16, 64].map(stage),
}

function aim(text: string, measure: string, bound: 'least' | 'most', reach: number, goal: number): RatioAim {
  return { text, measure, of: 'cenote', over: 'generic-pool', bound, reach, goal }
}

function stage(callers: number): StageMaker {
  return { name: `${callers}-in-flight`, open: (context) => open(context, callers) }
}

async function open(context: Context, callers: number): Promise<Stage> {
  const documents = Array.from({ length: DOCUMENTS }, (_, document) => orderDocument(document))
  const server = await startAnswerServer(context.cleanup, documents)
  const setup = { port: server.port, connections: CONNECTIONS, callers }
  const handlers = new URL('./order-handlers.js', context.entry).href
  const withShards = (shards: number) => ({ ...setup, handlers, shards })
  return {
    title: `JSON of ${DOCUMENT_BYTES / 1_000} KB parsed and reduced, ${callers} in flight over ${CONNECTIONS} connections`,
    server: server.name,
    entrants: [
      await startContender(context, { id: 'cenote', name: `Cenote, handlers in ${SHARDS} shards` }, 'cpu-cenote', withShards(SHARDS)),
      await startContender(context, { id: 'cenote-1', name: 'Cenote, handlers in 1 shard' }, 'cpu-cenote', withShards(1)),
      await startContender(context, { id: 'generic-pool', name: 'generic-pool, on the main thread' }, 'cpu-generic-pool', setup),
      await idleBeside(context, SHARDS),
    ],
    missing: [],
    measures: [THROUGHPUT, MAIN_CPU, ALL_CPU, LOOP_DELAY, LATENCY_P50, LATENCY_P99],
    ratios: RATIOS,
    warmUp: 3, // V8 compiles everything once for each thread that runs it
  }
}
