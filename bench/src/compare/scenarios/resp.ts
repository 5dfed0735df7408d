/** Pipelined GETs from a real Redis: Cenote beside ioredis and `@redis/client`, and `redis-benchmark` as the limit. */
import { VALUE_BYTES } from '../contenders/resp-gets.ts'
import { ALL_CPU, LOOP_DELAY, MAIN_CPU, MEMORY, THROUGHPUT } from '../measures.ts'
import { isMissing } from '../native.ts'
import { redisBenchmark } from '../redis-benchmark.ts'
import { counted, preparedRedis, redisEntrants } from '../redis-entrants.ts'
import type { Context, RatioAim, Scenario, Stage } from '../scenario.ts'

const CALLERS = 256

const RATIOS: readonly RatioAim[] = [
  aim('times the requests of ioredis with auto-pipelining', 'ioredis-auto', 3, 4),
  aim('times the requests of @redis/client', 'node-redis', 5, 8),
  aim('times the requests of redis-benchmark', 'redis-benchmark', 0.35, 0.8),
]

export const resp: Scenario = {
  name: 'resp',
  about: `pipelined GETs of ${VALUE_BYTES} bytes by ${CALLERS} callers from a real redis-server`,
  packages: ['ioredis', '@redis/client'],
  stages: [{ name: 'main', open }],
}

async function open(context: Context): Promise<Stage> {
  const redis = await preparedRedis(context)
  const limit = await redisBenchmark(redis.port)
  return {
    title: `GETs of ${VALUE_BYTES} bytes, ${CALLERS} callers, one connection each`,
    server: `redis-server ${redis.version}`,
    entrants: [...(await redisEntrants(context, redis, { callers: CALLERS })), ...(isMissing(limit) ? [] : [counted(limit, redis)])],
    missing: isMissing(limit) ? [limit] : [],
    measures: [THROUGHPUT, MAIN_CPU, ALL_CPU, LOOP_DELAY, MEMORY],
    ratios: RATIOS,
  }
}

function aim(text: string, over: string, reach: number, goal: number): RatioAim {
  return { text, measure: 'requestsPerSecond', of: 'cenote', over, bound: 'least', reach, goal }
}
