/** How long a process waits for its first reply. */
import { startEchoServer } from '../../servers/echo.ts'
import { freshContender } from '../fresh.ts'
import type { Context, Measure, RatioAim, Scenario, Stage } from '../scenario.ts'

const SHARDS = 2

const FIRST_REPLY: Measure = { key: 'firstReplyMs', title: 'to the first reply', unit: 'ms', better: 'less' }
const IMPORT: Measure = { key: 'importMs', title: 'loading the package', unit: 'ms', better: 'less' }
const TOTAL: Measure = { key: 'totalMs', title: 'both', unit: 'ms', better: 'less' }

const RATIOS: readonly RatioAim[] = [
  {
    text: "to the first reply, beyond a bare socket's",
    measure: FIRST_REPLY.key,
    of: 'cenote',
    over: 'bare',
    by: 'difference',
    bound: 'most',
    reach: 150,
  },
]

export const start: Scenario = {
  name: 'start',
  about: `createPool with ${SHARDS} shards to the first reply, in a fresh process`,
  packages: [],
  stages: [{ name: 'main', open }],
}

async function open(context: Context): Promise<Stage> {
  const { port, name } = await startEchoServer(context.cleanup)
  return {
    title: 'A fresh process to its first reply',
    server: name,
    entrants: [
      freshContender(context, { id: 'cenote', name: `Cenote, ${SHARDS} shards` }, 'start-cenote', { port, shards: SHARDS }),
      freshContender(context, { id: 'cenote-0', name: 'Cenote, shards: 0' }, 'start-cenote', { port, shards: 0 }),
      freshContender(context, { id: 'bare', name: 'a bare socket' }, 'start-bare', { port }),
    ],
    missing: [],
    measures: [FIRST_REPLY, IMPORT, TOTAL],
    ratios: RATIOS,
  }
}
