/** One request at a time, nothing else in flight: what the way to a worker thread and back adds. */

import { startEchoServer } from '../../servers/echo.ts'
import { startContender } from '../contender.ts'
import type { FramedSetup } from '../contenders/framed-work.ts'
import { framedEntrants } from '../framed-entrants.ts'
import { ALL_CPU, LATENCY_P50, LATENCY_P99, MAIN_CPU, THROUGHPUT } from '../measures.ts'
import type { Context, RatioAim, Scenario, Stage } from '../scenario.ts'

const PAYLOAD_BYTES = 64

const RATIOS: readonly RatioAim[] = [added('cenote', 80, 30), { ...added('cenote-0', 10, 4), limit: 'poll-first' }]

export const lone: Scenario = {
  name: 'lone',
  about: `one request of ${PAYLOAD_BYTES} bytes at a time: what is added to a bare socket's latency`,
  packages: ['generic-pool'],
  stages: [{ name: 'main', open }],
}

function added(of: string, reach: number, goal: number): RatioAim {
  const text = "p50 added to a bare socket's"
  return { text, measure: LATENCY_P50.key, of, over: 'bare', by: 'difference', bound: 'most', reach, goal }
}

async function open(context: Context): Promise<Stage> {
  const server = await startEchoServer(context.cleanup)
  const setup: FramedSetup = { port: server.port, connections: 1, callers: 1, work: { echo: PAYLOAD_BYTES }, loopDelay: false }
  return {
    title: `Echo of ${PAYLOAD_BYTES} bytes, one request at a time`,
    server: server.name,
    entrants: [
      ...(await framedEntrants(context, setup, 'a bare socket')),
      await startContender(context, { id: 'poll-first', name: 'a bare socket, polled before it is written to' }, 'framed-bare', {
        ...setup,
        pollFirst: true,
      }),
    ],
    missing: [],
    measures: [LATENCY_P50, LATENCY_P99, THROUGHPUT, MAIN_CPU, ALL_CPU],
    ratios: RATIOS,
  }
}
