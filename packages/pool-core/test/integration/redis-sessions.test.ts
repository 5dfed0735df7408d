import { handlersAt, type Pool, type PoolOptions, protocolAt, ReplyError, type RespReply, type RespRequest, resp } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, skipUnless, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { type RedisServer, startRedis } from '../../../pool-worker/test/kit/servers.ts'
import type * as ioredisProtocol from '../fixtures/ioredis-protocol.ts'
import type * as redisHandlers from '../fixtures/redis-handlers.ts'
import { createPool } from '../support/pools.ts'

skipUnless('redis-server')
const test = suite('redis: what a session leaves behind, pushes, a library as the client')

type RedisPool = Pool<RespRequest, RespReply, typeof redisHandlers>

let server: RedisServer
const pools: { check(): string[]; close(): Promise<void> }[] = []
const handlers = handlersAt<typeof redisHandlers>(new URL('../fixtures/redis-handlers.js', import.meta.url))

test.before(async () => {
  server = await startRedis()
})

test.after(() => server.stop())

test.after.each(async () => {
  for (const pool of pools.splice(0)) {
    assert.equal(pool.check(), [])
    await pool.close()
  }
})

async function open(options: Partial<PoolOptions> = {}, version: 2 | 3 = 2): Promise<RedisPool> {
  const pool = await createPool({
    shards: 1,
    maxConnections: 1,
    ...options,
    endpoint: server.endpoint,
    protocol: resp({ version }),
    handlers,
  })
  pools.push(pool)
  return pool
}

for (const shards of [0, 2]) {
  const where = shards === 0 ? 'on the calling thread' : 'in threads'

  test(`${where}: a handler reduces many replies to one number`, async () => {
    const pool = await open({ shards, maxConnections: 2 })
    const keys = Array.from({ length: 300 }, (_, index) => `counter:${index}`)
    await pool.handlers.run(keys.map((key, index) => ['SET', key, index]))
    assert.is(await pool.handlers.total(keys), 44_850)
    assert.is(pool.stats().counters.requests, 0)
  })

  test(`${where}: nothing that a handler or a lease did to its connection reaches the next caller`, async () => {
    const pool = await open({ shards: Math.min(shards, 1) })
    await pool.request(['SET', 'where', 'database 0'])
    const id = await pool.request(['CLIENT', 'ID'])

    assert.is(
      await pool.handlers.run([
        ['SELECT', 1],
        ['SET', 'where', 'database 1'],
        ['GET', 'where'],
      ]),
      'database 1',
    )
    assert.is(await pool.request(['GET', 'where']), 'database 0')
    assert.is(await pool.handlers.run([['MULTI'], ['SET', 'where', 'nowhere']]), 'QUEUED')
    assert.is(await pool.request(['GET', 'where']), 'database 0')
    await pool.use(async (lease) => {
      await lease.request(['WATCH', 'where'])
      await lease.request(['MULTI'])
    })
    assert.is(await pool.request(['GET', 'where']), 'database 0')
    assert.is(await pool.request(['CLIENT', 'ID']), id, 'it was reset, not replaced')
  })

  test(`${where}: an error of the server fails a handler with its code, and the connection stays`, async () => {
    const pool = await open({ shards: Math.min(shards, 1) })
    const id = await pool.request(['CLIENT', 'ID'])
    const error = await rejects(
      pool.handlers.run([
        ['SET', 'text', 'abc'],
        ['INCR', 'text'],
      ]),
      'HANDLER_FAILED',
    )
    assert.ok(ReplyError.is(error.cause))
    assert.is((error.cause as ReplyError).code, 'ERR')
    assert.is(await pool.request(['CLIENT', 'ID']), id)
  })

  test(`${where}: a lease hears what the server pushes, and stops hearing it when it is released`, async () => {
    const pool = await open({ shards: Math.min(shards, 1) }, 3)
    const other = await open({ shards: Math.min(shards, 1) })
    const pushes: RespReply[] = []
    const lease = await pool.acquire()
    lease.onPush((value) => pushes.push(value))
    const unheard: RespReply[] = []
    const off = lease.onPush((value) => unheard.push(value))
    off()
    await lease.request(['CLIENT', 'TRACKING', 'ON'])
    await lease.request(['GET', 'watched'])
    await other.request(['SET', 'watched', 'new'])
    await until(() => pushes.length === 1, 'the invalidation has come')
    assert.equal(pushes, [['invalidate', ['watched']]])
    assert.equal(unheard, [])

    await lease.request(['GET', 'watched'])
    lease.release()
    assert.is(await pool.request(['GET', 'watched']), 'new')
    await other.request(['SET', 'watched', 'newer'])
    assert.is(await pool.request(['GET', 'watched']), 'newer')
    assert.is(pushes.length, 1)
    assert.is(pool.stats().counters.closed, 0, 'tracking was taken back by the reset')
  })

  test(`${where}: ioredis works as the client of a shard`, async () => {
    const protocol = protocolAt<typeof ioredisProtocol>(new URL('../fixtures/ioredis-protocol.js', import.meta.url))
    const pool = await createPool({ endpoint: server.endpoint, protocol, shards, maxConnections: 2, probeAfterIdleMs: 1 })
    pools.push(pool)
    const keys = Array.from({ length: 500 }, (_, index) => `io:${index}`)
    await Promise.all(keys.map((key, index) => pool.request(['SET', key, index])))
    const replies = await Promise.all(keys.map((key) => pool.request(['GET', key])))
    assert.equal(
      replies,
      keys.map((_, index) => String(index)),
    )
    const error = await pool.request(['INCR', 'io:0', 'too many']).catch((thrown: unknown) => thrown)
    assert.match((error as Error).message, /wrong number of arguments/)
    await pool.use(async (lease) => {
      await lease.request(['MULTI'])
      await lease.request(['INCR', 'io:1'])
      assert.equal(await lease.request(['EXEC']), [2])
    })
    const killed = await open({ shards: Math.min(shards, 1) })
    await killed.request(['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'])
    await until(() => pool.stats().connections === 0, 'the pool has seen its connections end')
    assert.is(await pool.request(['GET', 'io:2']), '2')
  })
}

test.run()
