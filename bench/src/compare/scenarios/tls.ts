/** TLS: what ciphering and hand-shakes cost the main thread, with the sockets in a shard and on it. */
import { startChild } from '../../process/child.ts'
import { type Certificate, makeCertificate } from '../../servers/certificate.ts'
import { startContender } from '../contender.ts'
import { framedEntrants } from '../framed-entrants.ts'
import { idleBeside } from '../idle.ts'
import { ALL_CPU, LATENCY_P50, LOOP_DELAY, MAIN_CPU, THROUGHPUT } from '../measures.ts'
import type { Context, Measure, RatioAim, Scenario, Stage } from '../scenario.ts'

const PAYLOAD_BYTES = 1_024
const CONNECTIONS = 16
const MANY_CALLERS = 256
const NEW_CONNECTIONS = 1_000

const HAND_SHAKES: Measure = { ...THROUGHPUT, title: 'connections/s', unit: 'connections/s' }
const CPU_EACH: Measure = { ...MAIN_CPU, title: 'main-thread CPU/connection' }

export const tls: Scenario = {
  name: 'tls',
  about: `TLS: echo of ${PAYLOAD_BYTES / 1_024} KiB over ${CONNECTIONS} connections, and ${NEW_CONNECTIONS.toLocaleString('en-US')} new connections`,
  packages: ['generic-pool'],
  stages: [
    { name: 'echo', open: (context) => openEcho(context, CONNECTIONS) },
    { name: 'echo-many', open: (context) => openEcho(context, MANY_CALLERS) },
    { name: 'connect', open: openConnect },
  ],
}

/** The aims of all stages, each with its limit. */
function aims(whose: string, cpuLimit: { readonly limit?: string }): RatioAim[] {
  const aim = { of: 'cenote', over: 'bare', bound: 'most' } as const
  return [
    { ...aim, text: `times ${whose} main-thread CPU`, measure: MAIN_CPU.key, reach: 0.2, ...cpuLimit },
    { ...aim, text: `times ${whose} loop delay`, measure: LOOP_DELAY.key, reach: 0.1, limit: 'idle' },
  ]
}

async function openEcho(context: Context, callers: number): Promise<Stage> {
  const target = await startServer(context)
  const thread = new URL('./rings-thread.js', context.entry).href
  const setup = { ...target, connections: CONNECTIONS, callers, work: { echo: PAYLOAD_BYTES }, loopDelay: true }
  return {
    title: `TLS: echo of ${PAYLOAD_BYTES / 1_024} KiB over ${CONNECTIONS} connections, ${callers} callers`,
    server: 'Node echo server, TLS',
    entrants: [
      ...(await framedEntrants(context, setup, 'bare TLS sockets in a stack')),
      await startContender(context, { id: 'rings', name: 'two threads and rings, no pool' }, 'framed-rings', { ...setup, thread }),
      await idleBeside(context, 2), // as a shard and the server are
    ],
    missing: [],
    measures: [THROUGHPUT, MAIN_CPU, ALL_CPU, LOOP_DELAY, LATENCY_P50],
    ratios: aims("bare TLS sockets'", { limit: 'rings' }),
  }
}

async function openConnect(context: Context): Promise<Stage> {
  const count = Math.min(NEW_CONNECTIONS, context.roundMs) // fewer in rounds that are too short to measure anything
  const setup = { ...(await startServer(context)), count }
  return {
    title: `TLS: ${count.toLocaleString('en-US')} new connections, each used once`,
    server: 'Node echo server, TLS',
    entrants: [
      await startContender(context, { id: 'cenote', name: 'Cenote, 1 shard' }, 'tls-cenote', { ...setup, shards: 1 }),
      await startContender(context, { id: 'bare', name: 'bare TLS sockets, sessions resumed' }, 'tls-bare', { ...setup, resume: true }),
      await startContender(context, { id: 'bare-full', name: 'bare TLS sockets, full hand-shakes' }, 'tls-bare', {
        ...setup,
        resume: false,
      }),
      await idleBeside(context, 2), // as a shard and the server are
    ],
    missing: [],
    measures: [HAND_SHAKES, CPU_EACH, ALL_CPU, LOOP_DELAY],
    ratios: aims("bare TLS sockets' (sessions resumed by both)", {}),
  }
}

/** The server as a process, and how to reach it. */
async function startServer({ cleanup, entry }: Context): Promise<{ port: number; ca: string }> {
  const certificate = await makeCertificate()
  const server = startChild<{ readonly ask: 'listen'; readonly certificate: Certificate }, number>(
    new URL('./tls-server.js', entry),
    'the TLS server',
  )
  cleanup.add(server.stop)
  return { port: await server.ask({ ask: 'listen', certificate }), ca: certificate.cert }
}
