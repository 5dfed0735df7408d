/** Pipelined GETs from a real Redis: Cenote beside ioredis and `@redis/client`, and `redis-benchmark` as the limit. */
import { Redis } from 'ioredis'
import { type RedisServer, startRedis } from '../../servers/redis.ts'
import { startContender } from '../contender.ts'
import { KEYS, keyAt, VALUE_BYTES, valueAt } from '../contenders/resp-gets.ts'
import { ALL_CPU, LOOP_DELAY, MAIN_CPU, MEMORY, THROUGHPUT } from '../measures.ts'
import { isMissing } from '../native.ts'
import { redisBenchmark } from '../redis-benchmark.ts'
import type { Context, Entrant, RatioAim, Scenario, Stage } from '../scenario.ts'

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
  const redis = await startRedis()
  context.cleanup.add(redis.stop)
  await prepare(redis.port)
  const setup = { port: redis.port, callers: CALLERS }
  const entrants = [
    await startContender(context, { id: 'cenote', name: 'Cenote, 1 shard' }, 'resp-cenote', setup),
    await startContender(context, { id: 'ioredis', name: 'ioredis' }, 'resp-ioredis', { ...setup, autoPipelining: false }),
    await startContender(context, { id: 'ioredis-auto', name: 'ioredis, auto-pipelining' }, 'resp-ioredis', {
      ...setup,
      autoPipelining: true,
    }),
    await startContender(context, { id: 'node-redis', name: '@redis/client' }, 'resp-node-redis', { ...setup, pool: false }),
    await startContender(context, { id: 'node-redis-pool', name: "@redis/client's pool" }, 'resp-node-redis', { ...setup, pool: true }),
  ]
  const limit = await redisBenchmark(redis.port)
  return {
    title: `GETs of ${VALUE_BYTES} bytes, ${CALLERS} callers, one connection each`,
    server: `redis-server ${redis.version}`,
    entrants: [...entrants, ...(isMissing(limit) ? [] : [limit])].map((entrant) => counted(entrant, redis)),
    missing: isMissing(limit) ? [limit] : [],
    measures: [THROUGHPUT, MAIN_CPU, ALL_CPU, LOOP_DELAY, MEMORY],
    ratios: RATIOS,
  }
}

function aim(text: string, over: string, reach: number, goal: number): RatioAim {
  return { text, measure: 'requestsPerSecond', of: 'cenote', over, bound: 'least', reach, goal }
}

async function prepare(port: number): Promise<void> {
  const client = new Redis({ host: '127.0.0.1', port })
  try {
    await client.mset(Array.from({ length: KEYS }, (_, index) => [keyAt(index), valueAt(index)]).flat())
  } finally {
    client.disconnect()
  }
}

/** What an entrant says that it did must be what the server has counted. */
function counted(entrant: Entrant, redis: RedisServer): Entrant {
  return {
    ...entrant,
    async round(roundMs) {
      const before = await redis.countGets()
      const figures = await entrant.round(roundMs)
      const gets = (await redis.countGets()) - before
      if (figures.requests !== gets) throw new Error(`${entrant.name} reports ${figures.requests} GETs, the server counted ${gets}`)
      return figures
    },
  }
}
