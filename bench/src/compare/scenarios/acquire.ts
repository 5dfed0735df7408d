/** Taking an idle connection and giving it back: what a pool itself costs, with nothing sent. */
import { startEchoServer } from '../../servers/echo.ts'
import { startContender } from '../contender.ts'
import type { AcquireSetup } from '../contenders/acquire.ts'
import type { Context, Measure, RatioAim, Scenario, Stage } from '../scenario.ts'

const CONNECTIONS = 16

const TIME: Measure = { key: 'nanosecondsPerPair', title: 'time of a pair', unit: 'ns', better: 'less' }
const MAIN_CPU: Measure = { key: 'mainCpuNanosecondsPerPair', title: 'main-thread CPU', unit: 'ns', better: 'less' }
const ALL_CPU: Measure = { key: 'cpuNanosecondsPerPair', title: 'total CPU', unit: 'ns', better: 'less' }

const AIM = { measure: TIME.key, over: 'generic-pool', bound: 'most' } as const
const RATIOS: readonly RatioAim[] = [
  { ...AIM, text: 'times the time of generic-pool', of: 'cenote', reach: 0.35, goal: 0.25 },
  { ...AIM, text: 'times the time of generic-pool', of: 'cenote-try', reach: 0.15, goal: 0.05 },
]

export const acquire: Scenario = {
  name: 'acquire',
  about: 'acquire and release of an idle connection, one pair after the other, nothing sent',
  packages: ['generic-pool', 'tarn'],
  stages: [{ name: 'main', open }],
}

async function open(context: Context): Promise<Stage> {
  const server = await startEchoServer(context.cleanup)
  const setup: AcquireSetup = { port: server.port, connections: CONNECTIONS }
  const cenote = { ...setup, shards: 1 }
  return {
    title: `Acquire and release of an idle connection, one of ${CONNECTIONS}`,
    server: server.name,
    entrants: [
      await startContender(context, { id: 'cenote', name: 'Cenote, acquire' }, 'acquire-cenote', { ...cenote, how: 'acquire' }),
      await startContender(context, { id: 'cenote-try', name: 'Cenote, tryAcquire' }, 'acquire-cenote', { ...cenote, how: 'tryAcquire' }),
      await startContender(context, { id: 'generic-pool', name: 'generic-pool' }, 'acquire-generic-pool', setup),
      await startContender(context, { id: 'tarn', name: 'tarn' }, 'acquire-tarn', setup),
    ],
    missing: [],
    measures: [TIME, MAIN_CPU, ALL_CPU],
    ratios: RATIOS,
  }
}
