/** Who takes part where a real Redis answers GETs: Cenote, ioredis, `@redis/client`. */
import { Redis } from 'ioredis'
import { type RedisServer, startRedis } from '../servers/redis.ts'
import { startContender } from './contender.ts'
import { KEYS, keyAt, type RespSetup, valueAt } from './contenders/resp-gets.ts'
import type { Context, Entrant } from './scenario.ts'

/** Starts a server that holds all keys; it is stopped with the stage. */
export async function preparedRedis({ cleanup }: Context): Promise<RedisServer> {
  const redis = await startRedis()
  cleanup.add(redis.stop)
  const client = new Redis({ host: '127.0.0.1', port: redis.port })
  try {
    await client.mset(Array.from({ length: KEYS }, (_, index) => [keyAt(index), valueAt(index)]).flat())
  } finally {
    client.disconnect()
  }
  return redis
}

/** Starts them, Cenote first. */
export async function redisEntrants(context: Context, redis: RedisServer, work: Omit<RespSetup, 'port'>): Promise<readonly Entrant[]> {
  const setup = { ...work, port: redis.port }
  const plain = { ...setup, autoPipelining: false }
  const auto = { ...setup, autoPipelining: true }
  const entrants = [
    await startContender(context, { id: 'cenote', name: 'Cenote, 1 shard' }, 'resp-cenote', setup),
    await startContender(context, { id: 'ioredis', name: 'ioredis' }, 'resp-ioredis', plain),
    await startContender(context, { id: 'ioredis-auto', name: 'ioredis, auto-pipelining' }, 'resp-ioredis', auto),
    await startContender(context, { id: 'node-redis', name: '@redis/client' }, 'resp-node-redis', { ...setup, pool: false }),
    await startContender(context, { id: 'node-redis-pool', name: "@redis/client's pool" }, 'resp-node-redis', { ...setup, pool: true }),
  ]
  return entrants.map((entrant) => counted(entrant, redis))
}

/** What an entrant says that it did must be what the server has counted. */
export function counted(entrant: Entrant, redis: RedisServer): Entrant {
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
