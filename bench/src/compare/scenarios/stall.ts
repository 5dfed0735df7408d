/** The application computes for a second, and meanwhile the peer closes a quarter of the idle connections. */
import { startChild } from '../../process/child.ts'
import { startContender } from '../contender.ts'
import type { Context, Measure, RatioAim, Scenario, Stage } from '../scenario.ts'

const CONNECTIONS = 64
const CLOSED = 16
const STALL_MS = 1_000
const REQUESTS = 1_000
const CALLERS = 32
const SETUP = { connections: CONNECTIONS, closed: CLOSED, requests: REQUESTS, callers: CALLERS }

const FAILURES: Measure = { key: 'failures', title: 'failures', unit: 'failures', better: 'less' }
const WAITS: Measure = { key: 'waits', title: 'callers who waited', unit: 'callers', better: 'less' }
const CONNECTS: Measure = { key: 'connects', title: 'connects', unit: 'connects', better: 'less' }
const SLOWEST: Measure = { key: 'latencyMaxMicroseconds', title: 'slowest', unit: 'µs', better: 'less' }
const ELAPSED: Measure = { key: 'elapsedMs', title: 'all of them', unit: 'ms', better: 'less' }

const RATIOS: readonly RatioAim[] = ['cenote', 'cenote-leases'].flatMap((of) => [
  { text: 'failures', measure: FAILURES.key, of, bound: 'most', reach: 0 },
  { text: 'callers in whose way was a connect', measure: WAITS.key, of, bound: 'most', reach: 0 },
])

export const stall: Scenario = {
  name: 'stall',
  about: `main thread blocked for ${STALL_MS / 1_000} s while ${CLOSED} of ${CONNECTIONS} idle connections are closed; then ${REQUESTS.toLocaleString('en-US')} requests`,
  packages: ['generic-pool'],
  stages: [{ name: 'main', open }],
}

async function open(context: Context): Promise<Stage> {
  const server = startChild<{ readonly ask: 'listen' }, number>(new URL('./closing-server.js', context.entry), 'the server')
  context.cleanup.add(server.stop)
  const setup = async () => ({ ...SETUP, stallMs: Math.min(STALL_MS, context.roundMs), port: await server.ask({ ask: 'listen' }) }) // a port for each, so that its own connections are closed
  const cenote = async (shards: number, leases: boolean) => ({ ...(await setup()), shards, leases })
  const genericPool = async (check: boolean) => ({ ...(await setup()), check })
  return {
    title: `${REQUESTS.toLocaleString('en-US')} requests by ${CALLERS} callers, after a stall in which ${CLOSED} of ${CONNECTIONS} idle connections were closed`,
    server: 'Node echo server',
    entrants: [
      await startContender(context, { id: 'cenote', name: 'Cenote, requests, 1 shard' }, 'stall-cenote', await cenote(1, false)),
      await startContender(context, { id: 'cenote-leases', name: 'Cenote, leases, 1 shard' }, 'stall-cenote', await cenote(1, true)),
      await startContender(context, { id: 'cenote-0', name: 'Cenote, requests, shards: 0' }, 'stall-cenote', await cenote(0, false)),
      await startContender(context, { id: 'generic-pool', name: 'generic-pool' }, 'stall-generic-pool', await genericPool(false)),
      await startContender(
        context,
        { id: 'generic-pool-check', name: 'generic-pool, testOnBorrow' },
        'stall-generic-pool',
        await genericPool(true),
      ),
    ],
    missing: [],
    measures: [FAILURES, WAITS, CONNECTS, SLOWEST, ELAPSED],
    ratios: RATIOS,
  }
}
