/** The same echo with the health check on: Cenote watches idle connections and probes old ones, the Go pool reads for 10 ms at each `Get`. */
import { startEchoServer } from '../../servers/echo.ts'
import { startContender } from '../contender.ts'
import type { EchoSetup } from '../contenders/echo.ts'
import { LATENCY_P50, LATENCY_P99, MAIN_CPU, THROUGHPUT } from '../measures.ts'
import { goChannelPool, isMissing } from '../native.ts'
import type { Context, RatioAim, Scenario, Stage } from '../scenario.ts'

const CONNECTIONS = 16
const CALLERS = 32
const PAYLOAD_BYTES = 64

const RATIOS: readonly RatioAim[] = [
  {
    text: 'times the requests of the Go channel pool with its read probe',
    measure: THROUGHPUT.key,
    of: 'cenote',
    over: 'go-probe',
    bound: 'least',
    reach: 40,
  },
]

export const health: Scenario = {
  name: 'health',
  about: `the same echo with the health check on, ${CONNECTIONS} connections: the Go channel pool with its read probe`,
  packages: [],
  stages: [{ name: 'main', open }],
}

async function open(context: Context): Promise<Stage> {
  const server = await startEchoServer(context.cleanup)
  const setup: EchoSetup = { port: server.port, connections: CONNECTIONS, callers: CALLERS, payloadBytes: PAYLOAD_BYTES }
  const cenote = await startContender(context, { id: 'cenote', name: 'Cenote, 1 shard, watch and probe' }, 'echo-cenote', {
    ...setup,
    shards: 1,
    probe: true,
  })
  const go = await goChannelPool(context.cleanup, setup, { probe: true })
  return {
    title: `Echo of ${PAYLOAD_BYTES} bytes with the health check on, ${CONNECTIONS} connections, ${CALLERS} callers`,
    server: server.name,
    entrants: isMissing(go) ? [cenote] : [cenote, go],
    missing: isMissing(go) ? [go] : [],
    measures: [THROUGHPUT, LATENCY_P50, LATENCY_P99, MAIN_CPU],
    ratios: RATIOS,
  }
}
