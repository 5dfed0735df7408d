/** Echo over exclusive leases: Cenote beside the pools of Node, bare sockets, the pool in Go that it grew from, and the limit in C. */
import { startEchoServer } from '../../servers/echo.ts'
import { startContender } from '../contender.ts'
import type { EchoSetup } from '../contenders/echo.ts'
import { ALL_CPU, LATENCY_P50, LATENCY_P99, LOOP_DELAY, MAIN_CPU, MEMORY, THROUGHPUT } from '../measures.ts'
import { cEpollClient, goChannelPool, isMissing } from '../native.ts'
import type { Context, Entrant, RatioAim, Scenario, Stage } from '../scenario.ts'

const PAYLOAD_BYTES = 64
const CALLERS_EACH = 2

const THROUGHPUT_AIM = { measure: THROUGHPUT.key, of: 'cenote', bound: 'least', limit: 'rings' } as const
const RATIOS: readonly RatioAim[] = [
  { ...THROUGHPUT_AIM, text: 'times the requests of generic-pool', over: 'generic-pool', reach: 1.1 },
  { ...THROUGHPUT_AIM, text: 'times the requests of the Go channel pool', over: 'go', reach: 0.75, goal: 1.1 },
  { ...THROUGHPUT_AIM, text: 'times the requests of the C client', over: 'c', goal: 0.8 },
  {
    text: 'times the main-thread CPU per request of generic-pool',
    measure: MAIN_CPU.key,
    of: 'cenote',
    over: 'generic-pool',
    bound: 'most',
    reach: 0.25,
    limit: 'rings',
  },
]

export const echo: Scenario = {
  name: 'echo',
  about: `echo of ${PAYLOAD_BYTES} bytes over exclusive leases, 16 and 64 connections, ${CALLERS_EACH} callers each`,
  packages: ['generic-pool', 'tarn'],
  stages: [16, 64].map((connections) => ({ name: String(connections), open: (context) => open(context, connections) })),
}

async function open(context: Context, connections: number): Promise<Stage> {
  const server = await startEchoServer(context.cleanup)
  const setup: EchoSetup = { port: server.port, connections, callers: connections * CALLERS_EACH, payloadBytes: PAYLOAD_BYTES }
  const natives = [await goChannelPool(context.cleanup, setup, { probe: false }), await cEpollClient(context.cleanup, setup)]
  return {
    title: `Echo of ${PAYLOAD_BYTES} bytes over exclusive leases, ${connections} connections, ${setup.callers} callers`,
    server: server.name,
    entrants: [
      await startContender(context, { id: 'cenote', name: 'Cenote, 1 shard' }, 'echo-cenote', { ...setup, shards: 1 }),
      await startContender(context, { id: 'cenote-0', name: 'Cenote, shards: 0' }, 'echo-cenote', { ...setup, shards: 0 }),
      await startContender(context, { id: 'generic-pool', name: 'generic-pool over node:net' }, 'echo-generic-pool', setup),
      await startContender(context, { id: 'tarn', name: 'tarn over node:net' }, 'echo-tarn', setup),
      await startContender(context, { id: 'stack', name: 'bare node:net in a stack' }, 'echo-stack', setup),
      await startContender(context, { id: 'rings', name: 'two threads and rings, no pool' }, 'echo-rings', {
        ...setup,
        thread: new URL('./rings-thread.js', context.entry).href,
      }),
      ...natives.filter((native): native is Entrant => !isMissing(native)),
    ],
    missing: natives.filter(isMissing),
    measures: [THROUGHPUT, LATENCY_P50, LATENCY_P99, MAIN_CPU, ALL_CPU, LOOP_DELAY, MEMORY],
    ratios: RATIOS,
  }
}
