/** Callers who compute when they are answered: whether anything else of the application gets its turn. */
import { VALUE_BYTES } from '../contenders/resp-gets.ts'
import { LATENCY_P50, LATENCY_P99, LOOP_DELAY, LOOP_DELAY_P50, MAIN_CPU, THROUGHPUT } from '../measures.ts'
import { preparedRedis, redisEntrants } from '../redis-entrants.ts'
import type { Context, Scenario, Stage } from '../scenario.ts'

const CALLERS = 256
const COMPUTE_MICROSECONDS = 50

export const busy: Scenario = {
  name: 'busy',
  about: `the same GETs by ${CALLERS} callers, each of whom computes for ${COMPUTE_MICROSECONDS} µs when it is answered`,
  packages: ['ioredis', '@redis/client'],
  stages: [{ name: 'main', open }],
}

async function open(context: Context): Promise<Stage> {
  const redis = await preparedRedis(context)
  const aim = { of: 'cenote', over: 'ioredis-auto' } as const
  return {
    title: `GETs of ${VALUE_BYTES} bytes, ${CALLERS} callers, each computing for ${COMPUTE_MICROSECONDS} µs when it is answered`,
    server: `redis-server ${redis.version}`,
    entrants: await redisEntrants(context, redis, { callers: CALLERS, computeMicroseconds: COMPUTE_MICROSECONDS }),
    missing: [],
    measures: [LOOP_DELAY_P50, LOOP_DELAY, THROUGHPUT, MAIN_CPU, LATENCY_P50, LATENCY_P99],
    ratios: [
      { ...aim, text: "times ioredis' loop delay, median", measure: LOOP_DELAY_P50.key, bound: 'most', reach: 0.25 },
      { ...aim, text: "times ioredis' loop delay, p99", measure: LOOP_DELAY.key, bound: 'most', reach: 0.5 },
      { ...aim, text: 'times the requests of ioredis with auto-pipelining', measure: THROUGHPUT.key, bound: 'least', reach: 0.95 },
    ],
  }
}
