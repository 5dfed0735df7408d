/** `resp()` against a real Redis. */
import { createHash, randomBytes } from 'node:crypto'
import {
  type Pool,
  PoolError,
  type PoolOptions,
  ReplyError,
  type RespMap,
  type RespOptions,
  type RespReply,
  type RespRequest,
  resp,
} from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, skipUnless, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { type RedisServer, startRedis } from '../../../pool-worker/test/kit/servers.ts'
import { atRest, closing } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'

skipUnless('redis-server')

const test = suite('resp against Redis')
const keep = closing(test)

const MiB = 2 ** 20
const PASSWORD = 'a secret of this test'

let redis: RedisServer
let locked: RedisServer

test.before(async () => {
  redis = await startRedis({ args: ['--proto-max-bulk-len', '64mb'] })
  locked = await startRedis({ password: PASSWORD })
})
test.after(async () => {
  await redis.stop()
  await locked.stop()
})
test.before.each(async () => {
  const pool = await createPool({ endpoint: redis.endpoint, protocol: resp(), shards: 0, maxConnections: 1 })
  await pool.request(['FLUSHALL'])
  await pool.close()
})

type RespPool = Pool<RespRequest, RespReply>

function open(protocol: RespOptions = {}, options: Partial<PoolOptions<RespRequest, RespReply>> = {}): Promise<RespPool> {
  return keep(createPool({ endpoint: redis.endpoint, shards: 1, maxConnections: 4, ...options, protocol: resp(protocol) }))
}

async function refusal(promise: Promise<unknown>): Promise<ReplyError> {
  const error = await promise.then(
    (value) => assert.unreachable(`resolved with ${String(value)}`),
    (thrown: unknown) => thrown,
  )
  assert.ok(ReplyError.is(error), `no ReplyError: ${String(error)}`)
  return error as ReplyError // asserted above
}

for (const shards of [0, 1, 2]) {
  test(`every kind of reply arrives as what it is, over RESP2, with shards: ${shards}`, async () => {
    const pool = await open({}, { shards })
    assert.is(await pool.request(['SET', 'text', 'grüße']), 'OK')
    assert.is(await pool.request(['GET', 'text']), 'grüße')
    assert.is(await pool.request(['GET', 'absent']), null)
    assert.is(await pool.request(['INCRBY', 'n', 41]), 41)
    assert.is(await pool.request(['DECRBY', 'n', 100]), -59)
    assert.is(await pool.request(['SET', 'empty', '']), 'OK')
    assert.is(await pool.request(['GET', 'empty']), '')
    assert.equal(await pool.request(['LRANGE', 'absent', 0, -1]), [])
    assert.is(await pool.request(['RPUSH', 'list', 'a', 'b']), 2)
    assert.equal(await pool.request(['LRANGE', 'list', 0, -1]), ['a', 'b'])
    assert.equal(await pool.request(['EVAL', 'return {1, {"x", false, {}}, "y"}', 0]), [1, ['x', null, []], 'y'])
    assert.is(await pool.request(['EVAL', 'return redis.status_reply("FINE")', 0]), 'FINE')
    const nested = (await pool.request(['EVAL', 'return {redis.error_reply("NESTED inside"), 2}', 0])) as unknown[]
    assert.ok(ReplyError.is(nested[0]))
    assert.is(nested[1], 2)
    await atRest(pool)
  })
}

test('every kind of reply arrives as what it is, over RESP3', async () => {
  const pool = await open({ version: 3 })
  const script = (body: string): Promise<RespReply> => pool.request(['EVAL', `redis.setresp(3); ${body}`, 0])
  assert.is(await pool.request(['GET', 'absent']), null)
  assert.is(await script('return true'), true)
  assert.is(await script('return false'), false)
  assert.is(await script('return {double=1.5}'), 1.5)
  assert.equal({ ...((await script('return {map={a=1}}')) as RespMap) }, { a: 1 })
  assert.equal(await script('return {set={a=true}}'), ['a'])
  assert.is(String(await script('return {big_number="12345678901234567890123456789"}')), '12345678901234567890123456789')
  assert.is(await script('return {verbatim_string={string="plain text", format="txt"}}'), 'plain text')
  await pool.request(['HSET', 'hash', 'f', 'v'])
  assert.equal({ ...((await pool.request(['HGETALL', 'hash'])) as RespMap) }, { f: 'v' })
  await atRest(pool)
})

test('an error of the server is a ReplyError with its code, and its connection stays', async () => {
  const pool = await open({}, { maxConnections: 1 })
  await pool.request(['SET', 'text', 'x'])
  const id = await pool.use((lease) => lease.connection.id)
  assert.is((await refusal(pool.request(['LPUSH', 'text', 'y']))).code, 'WRONGTYPE')
  assert.is((await refusal(pool.request(['NO-SUCH-COMMAND']))).code, 'ERR')
  const mixed = await Promise.allSettled([pool.request(['GET', 'text']), pool.request(['INCR', 'text']), pool.request(['GET', 'text'])])
  assert.equal(
    mixed.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  assert.is(await pool.use((lease) => lease.connection.id), id)
  await atRest(pool)
})

for (const shards of [0, 1]) {
  test(`a bulk of 20 MiB goes in and comes out whole, with shards: ${shards}`, async () => {
    const pool = await open({ buffers: true }, { shards, maxReplyBytes: 32 * MiB })
    const value = randomBytes(20 * MiB)
    assert.is((await pool.request(['SET', 'big', value]))?.toString(), 'OK')
    const back = (await pool.request(['GET', 'big'])) as Buffer
    assert.ok(back.equals(value))
    await atRest(pool)
  })

  test(`a reply above maxReplyBytes is REPLY_TOO_LARGE, and the pool goes on, with shards: ${shards}`, async () => {
    const pool = await open({}, { shards, maxReplyBytes: MiB, maxConnections: 1 })
    await pool.request(['SETRANGE', 'big', 2 * MiB, 'x'])
    await rejects(pool.request(['GET', 'big']), 'REPLY_TOO_LARGE')
    assert.is(await pool.request(['STRLEN', 'big']), 2 * MiB + 1)
    await atRest(pool)
  })

  test(`16 connections move 1 MiB each at once, with shards: ${shards}`, async () => {
    const pool = await open({ buffers: true }, { shards, maxConnections: 16 })
    const values = Array.from({ length: 16 }, () => randomBytes(MiB))
    await Promise.all(
      values.map((value, index) =>
        pool.use(async (lease) => {
          await lease.request(['SET', `v${index}`, value])
          for (let round = 0; round < 2; round++) assert.ok(((await lease.request(['GET', `v${index}`])) as Buffer).equals(value))
        }),
      ),
    )
    await atRest(pool)
    assert.ok(pool.stats().connections <= 16)
  })
}

test('10,000 pipelined GETs each get their own value', async () => {
  const pool = await open({}, { shards: 2, maxConnections: 4 })
  const count = 10_000
  const indexes = Array.from({ length: count }, (_, index) => index)
  await pool.request(['MSET', ...indexes.flatMap((index) => [`k${index}`, `value of ${index}`])])
  const replies = await Promise.all(indexes.map((index) => pool.request(['GET', `k${index}`])))
  for (const index of indexes) if (replies[index] !== `value of ${index}`) assert.unreachable(`k${index} got ${replies[index]}`)
  await atRest(pool)
})

for (const version of [2, 3] as const) {
  test(`the right password signs in, over RESP${version}`, async () => {
    const pool = await open({ version, password: PASSWORD }, { endpoint: locked.endpoint })
    assert.is(await pool.request(['PING']), 'PONG')
    const named = await open({ version, username: 'default', password: PASSWORD }, { endpoint: locked.endpoint })
    assert.is(await named.request(['PING']), 'PONG')
    const fresh = await open({ version }, { endpoint: locked.endpoint, credentials: async () => ({ password: PASSWORD }) })
    assert.is(await fresh.request(['PING']), 'PONG')
  })

  test(`a wrong password is AUTH_FAILED and is not told, over RESP${version}`, async () => {
    const pool = await open({ version, password: 'wrong and s3cret' }, { endpoint: locked.endpoint })
    const error = await rejects(pool.request(['PING']), 'AUTH_FAILED')
    assert.is(error.phase, 'connect')
    assert.ok(ReplyError.is(error.cause) && error.cause.code === 'WRONGPASS', String(error.cause))
    assert.not.match(`${error.stack}${String(error.cause)}${JSON.stringify(error)}`, /s3cret/)
    await atRest(pool)
  })
}

test('without a password, a server that wants one answers NOAUTH', async () => {
  const pool = await open({}, { endpoint: locked.endpoint })
  assert.is((await refusal(pool.request(['PING']))).code, 'NOAUTH')
})

test('each connection selects the database of the options', async () => {
  const pool = await open({ database: 3 }, { maxConnections: 3 })
  await Promise.all(Array.from({ length: 3 }, (_, index) => pool.use((lease) => lease.request(['SET', `db-${index}`, 'x']))))
  const zero = await open()
  assert.is(await zero.request(['DBSIZE']), 0)
  assert.is(await pool.request(['DBSIZE']), 3)
})

test('a database that does not exist fails the hand-shake with its cause', async () => {
  const pool = await open({ database: 9_999 })
  const error = await pool.request(['PING']).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  assert.ok(PoolError.is(error) && error.phase === 'connect', String(error))
  assert.match(`${error.message} ${String(error.cause)}`, /DB index is out of range/)
})

test('a blocking command through pool.request holds up nobody else', async () => {
  const pool = await open({}, { maxConnections: 2 })
  const popped = pool.request(['BLPOP', 'queue', 0])
  await until(() => pool.stats().inUse > 0, 'it is under way')
  for (let round = 0; round < 50; round++) assert.is(await pool.request(['PING']), 'PONG')
  await pool.request(['RPUSH', 'queue', 'job'])
  assert.equal(await popped, ['queue', 'job'])
  await atRest(pool)
})

test('a blocking command that is aborted gives its place back', async () => {
  const pool = await open({}, { maxConnections: 1 })
  const abort = new AbortController()
  const popped = pool.request(['BLPOP', 'queue', 0], { signal: abort.signal })
  const reason = new Error('no longer wanted')
  await until(() => pool.stats().inUse > 0, 'it is under way')
  abort.abort(reason)
  await popped.then(
    () => assert.unreachable(),
    (error: unknown) => assert.is(error, reason),
  )
  assert.is(await pool.request(['PING']), 'PONG')
  await pool.request(['RPUSH', 'queue', 'job'])
  assert.is(await pool.request(['LLEN', 'queue']), 1, 'the aborted command took it')
  await atRest(pool)
})

test('MULTI and EXEC in use() are one transaction, alone on its connection', async () => {
  const pool = await open({}, { maxConnections: 4, shards: 2 })
  await Promise.all(
    Array.from({ length: 40 }, (_, index) =>
      pool.use(async (lease) => {
        assert.is(await lease.request(['MULTI']), 'OK')
        assert.is(await lease.request(['INCR', 'a']), 'QUEUED')
        assert.is(await lease.request(['INCR', 'b']), 'QUEUED')
        const [a, b] = (await lease.request(['EXEC'])) as number[]
        assert.is(a, b, `transaction ${index}`)
      }),
    ),
  )
  assert.is(await pool.request(['GET', 'a']), '40')
  await atRest(pool)
})

test('requests in flight of one lease come back in order', async () => {
  const pool = await open()
  const replies = await pool.use((lease) => {
    const all = [lease.request(['MULTI']), lease.request(['SET', 'k', 1]), lease.request(['INCR', 'k']), lease.request(['EXEC'])]
    return Promise.all(all)
  })
  assert.equal(replies, ['OK', 'QUEUED', 'QUEUED', ['OK', 2]])
  await atRest(pool)
})

for (const shards of [0, 1]) {
  test(`what a lease did to its connection is undone before the next caller, with shards: ${shards}`, async () => {
    const pool = await open({ database: 2 }, { shards, maxConnections: 1 })
    const deeds: RespRequest[][] = [
      [['SELECT', 5]],
      [['WATCH', 'k']],
      [['MULTI'], ['SET', 'k', 'never']],
      [['CLIENT', 'SETNAME', 'dirty']],
      [['CLIENT', 'REPLY', 'ON']],
    ]
    for (const deed of deeds) {
      await pool.use(async (lease) => {
        for (const request of deed) await lease.request(request)
      })
      const info = String(await pool.request(['CLIENT', 'INFO']))
      assert.match(info, / db=2 /, `after ${deed}`)
      assert.match(info, / multi=-1 /, `after ${deed}`)
      assert.match(info, / name= /, `after ${deed}`)
    }
    assert.is(await pool.request(['GET', 'k']), null)
    await pool.use(async (lease) => {
      await lease.request(['WATCH', 'k'])
    })
    await pool.request(['SET', 'k', 'changed'])
    await pool.use(async (lease) => {
      await lease.request(['MULTI'])
      await lease.request(['GET', 'k'])
      assert.equal(await lease.request(['EXEC']), ['changed'], 'the WATCH of another lease still holds')
    })
    await atRest(pool)
    assert.is(pool.stats().counters.opened, 1)
  })
}

test('a command that changes its connection is refused by pool.request', async () => {
  const pool = await open()
  for (const request of [['SELECT', 1], ['MULTI'], ['WATCH', 'k'], ['SUBSCRIBE', 'c']] as const)
    await rejects(pool.request(request), 'BAD_REQUEST')
  assert.is(pool.stats().counters.requests, 0)
})

test('with buffers: true any bytes go in and come out as they were', async () => {
  const pool = await open({ buffers: true })
  const value = Buffer.from(Array.from({ length: 512 }, (_, index) => index & 0xff))
  const key = Buffer.from([0, 13, 10, 255, 254])
  await pool.request(['SET', key, value])
  const back = (await pool.request(['GET', key])) as Buffer
  assert.ok(Buffer.isBuffer(back) && back.equals(value))
  const [listed] = (await pool.request(['KEYS', '*'])) as Buffer[]
  assert.ok(listed?.equals(key))
})

test('a reply in private memory: later replies do not change it', async () => {
  const pool = await open({ buffers: true }, { ringBytes: 4096, maxConnections: 1 })
  const hash = (bytes: Buffer): string => createHash('sha1').update(bytes).digest('hex')
  const values = Array.from({ length: 64 }, (_, index) => randomBytes(300 + index * 37))
  await Promise.all(values.map((value, index) => pool.request(['SET', `p${index}`, value])))
  const replies = (await Promise.all(values.map((_, index) => pool.request(['GET', `p${index}`])))) as Buffer[]
  const before = replies.map(hash)
  await Promise.all(values.map((_, index) => pool.request(['GET', `p${63 - index}`])))
  assert.equal(replies.map(hash), before)
  assert.equal(before, values.map(hash))
})

test('pushes of RESP3 reach the lease that holds their connection', async () => {
  const pool = await open({ version: 3 }, { maxConnections: 2 })
  await pool.use(async (lease) => {
    const pushed: RespReply[] = []
    lease.onPush((value) => void pushed.push(value))
    await lease.request(['CLIENT', 'TRACKING', 'ON'])
    await lease.request(['GET', 'tracked'])
    await pool.request(['SET', 'tracked', 1])
    await until(() => pushed.length > 0, 'the invalidation has come')
    assert.equal(pushed, [['invalidate', ['tracked']]])
  })
  await atRest(pool)
})

test.run()
