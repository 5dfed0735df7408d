import { handlersAt, type Pool, type PoolOptions, protocolAt } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import type * as rpcHandlers from '../fixtures/rpc-handlers.ts'
import type * as rpcProtocol from '../fixtures/rpc-protocol.ts'
import { createPool } from '../support/pools.ts'
import { type RpcServer, startRpc } from '../support/rpc-server.ts'

type RpcPool = Pool<rpcProtocol.RpcRequest, unknown, typeof rpcHandlers>

const test = suite('client protocol')
const PROTOCOL = new URL('../fixtures/rpc-protocol.js', import.meta.url)
const handlers = handlersAt<typeof rpcHandlers>(new URL('../fixtures/rpc-handlers.js', import.meta.url))

let server: RpcServer
const pools: RpcPool[] = []

test.before.each(async () => {
  server = await startRpc()
})

test.after.each(async () => {
  for (const pool of pools.splice(0)) {
    assert.equal(pool.check(), [])
    await pool.close({ timeoutMs: 1_000 })
  }
  await server.close()
})

async function open(shards: number, options: Partial<PoolOptions> = {}, told?: rpcProtocol.RpcOptions): Promise<RpcPool> {
  const { maxConnections = 1 } = options
  const protocol = protocolAt<typeof rpcProtocol>(PROTOCOL, told)
  const threads = Math.min(shards, maxConnections)
  const pool = await createPool({ ...options, endpoint: server.endpoint, protocol, handlers, shards: threads, maxConnections })
  pools.push(pool)
  return pool
}

const echo = (params: unknown): rpcProtocol.RpcRequest => ({ method: 'echo', params })

for (const shards of [0, 1]) {
  const where = shards === 0 ? 'on the calling thread' : 'in a thread'

  test(`${where}: requests go through the client, as many at once as pipelining says, and replies come in any order`, async () => {
    const pool = await open(shards)
    const first = pool.request({ method: 'hold', params: 'first' })
    assert.equal(await Promise.all(Array.from({ length: 20 }, (_, index) => pool.request(echo(index)))), [...Array(20).keys()])
    const more = ['a', 'b', 'c', 'd'].map((params) => pool.request({ method: 'hold', params }))
    await server.received('hold c')
    assert.not.ok(server.peers[0]?.calls.includes('hold d'), 'four are under way')
    server.release('first')
    assert.is(await first, 'first')
    await server.received('hold d')
    for (const name of ['d', 'c', 'b', 'a']) server.release(name)
    assert.equal(await Promise.all(more), ['a', 'b', 'c', 'd'])
    assert.is(server.peers.length, 1)
  })

  test(`${where}: requests and replies are cloned`, async () => {
    const pool = await open(shards)
    const params = { map: new Map([['key', new Set([1, 2])]]), date: new Date(86_400_000), buffer: Buffer.from('bytes'), big: 2n ** 70n }
    const reply = (await pool.request({ method: 'local', params })) as Record<string, unknown> & { given: typeof params } // what the protocol answers

    assert.is(reply.map && reply.date && reply.buffer, true, 'it was a Map, a Date and a Buffer in the shard')
    assert.equal(reply.given, params)
    assert.instance(reply.given.map, Map)
    assert.instance(reply.given.date, Date)
    assert.ok(Buffer.isBuffer(reply.given.buffer))
    assert.is(reply.reply, 'local')
  })

  test(`${where}: what cannot be cloned is refused in either direction, and costs no connection`, async () => {
    const pool = await open(shards)
    const request = await rejects(pool.request(echo(() => 1)), 'NOT_CLONEABLE')
    assert.is(request.outcome, 'not-sent')
    const reply = await rejects(pool.request({ method: 'uncloneable' }), 'NOT_CLONEABLE')
    assert.is(reply.outcome, 'executed')
    assert.is(await pool.request(echo('next')), 'next')
    assert.is(server.peers.length, 1)
  })

  test(`${where}: large requests and replies cross in parts`, async () => {
    const pool = await open(shards, { ringBytes: 16_384 })
    const text = 'abcdefgh'.repeat(40_000)
    assert.is(await pool.request(echo(text)), text)
    assert.is(((await pool.request({ method: 'large', params: 500_000 })) as string).length, 500_000)
    const limited = await open(shards, { maxReplyBytes: 1_000 })
    await rejects(limited.request({ method: 'large', params: 5_000 }), 'REPLY_TOO_LARGE')
    assert.is(await limited.request(echo('next')), 'next')
  })

  test(`${where}: an error of execute reaches its own caller, with its code, and no other`, async () => {
    const pool = await open(shards)
    const others = Promise.all([pool.request(echo('before')), pool.request(echo('behind'))])
    const error = await pool.request({ method: 'fail', params: 'so' }).catch((thrown: unknown) => thrown)
    assert.instance(error, Error)
    const { name, code, message } = error as Error & { code: unknown } // asserted above
    assert.equal([name, code, message], ['RpcError', 'E_RPC', 'failed: so'])
    assert.equal(await others, ['before', 'behind'])
    assert.is(server.peers.length, 1)
  })

  test(`${where}: an abort rejects at once, reaches the client as a signal, and leaves the others alone`, async () => {
    const pool = await open(shards)
    const controller = new AbortController()
    const reason = { why: 'enough' }
    const aborted = pool.request({ method: 'hold', params: 'aborted' }, { signal: controller.signal })
    const other = pool.request({ method: 'hold', params: 'other' })
    await server.received('hold other')
    controller.abort(reason)
    assert.is(await aborted.catch((error: unknown) => error), reason)
    await server.received('cancel 2')
    server.release('other')
    assert.is(await other, 'other')
    assert.is(server.peers.length, 1)
  })

  test(`${where}: an abort of a request that the client never saw is nothing to it`, async () => {
    const pool = await open(shards)
    const busy = ['a', 'b', 'c', 'd'].map((params) => pool.request({ method: 'hold', params }))
    await server.received('hold d')
    const controller = new AbortController()
    const waiting = pool.request(echo('never'), { signal: controller.signal })
    controller.abort()
    assert.is(await waiting.catch((error: unknown) => error), controller.signal.reason)
    for (const name of ['a', 'b', 'c', 'd']) server.release(name)
    await Promise.all(busy)
    assert.is(await pool.request(echo('next')), 'next')
    assert.not.ok(server.peers[0]?.calls.includes('echo never'))
  })

  test(`${where}: a time-out says that the request may have been executed`, async () => {
    const pool = await open(shards)
    const error = await rejects(pool.request({ method: 'hold', params: 'late' }, { timeoutMs: 100 }), 'REQUEST_TIMEOUT')
    assert.is(error.outcome, 'maybe-executed')
    assert.is(await pool.request(echo('next')), 'next')
    assert.is(server.peers.length, 1, 'the client knows which reply is whose')
  })

  test(`${where}: a client that retires finishes its work and is replaced`, async () => {
    const pool = await open(shards, { maxConnections: 2 })
    const held = pool.request({ method: 'hold', params: 'work' })
    await server.received('hold work')
    assert.is(await pool.request({ method: 'retire', params: 'yes' }), 'yes')
    assert.is(await pool.request(echo('next')), 'next')
    assert.equal(server.peers[1]?.calls, ['login', 'echo next'], 'the next one goes to another connection')
    assert.is(server.peers[0]?.open, true)
    server.release('work')
    assert.is(await held, 'work')
    await until(() => server.peers[0]?.open === false, 'the retired one has closed')
    await until(() => pool.stats().connections === 1, 'the pool knows it')
  })

  test(`${where}: a connection that ends under its calls fails them, and the next finds another`, async () => {
    const pool = await open(shards)
    const calls = [pool.request({ method: 'hold', params: 'lost' }), pool.request({ method: 'drop' })]
    for (const call of calls) await rejects(call, 'CONNECTION_LOST')
    assert.is(await pool.request(echo('next')), 'next')
    assert.is(await pool.request({ method: 'echo', params: 'again' }, { idempotent: true }), 'again')
  })

  test(`${where}: a peer that ends an idle connection is noticed, and the next request finds another`, async () => {
    const pool = await open(shards)
    await pool.request(echo('first'))
    server.peers[0]?.socket.end()
    await until(() => pool.stats().connections === 0, 'its end was seen')
    assert.is(await pool.request(echo('next')), 'next')
    assert.is(pool.stats().counters.closedBy['peer-end'], 1)
  })

  test(`${where}: a lease is reset on release, a shared request is not`, async () => {
    const pool = await open(shards)
    await pool.request(echo('shared'))
    await pool.use(async (lease) => {
      assert.is(await lease.request(echo('alone')), 'alone')
    })
    assert.is(await pool.request(echo('after')), 'after')
    assert.equal(server.peers[0]?.calls, ['login', 'echo shared', 'echo alone', 'reset', 'echo after'])
  })

  test(`${where}: a lease that used nothing is not reset`, async () => {
    const pool = await open(shards)
    await pool.use(() => undefined)
    await pool.request(echo('after'))
    assert.equal(server.peers[0]?.calls, ['login', 'echo after'])
  })

  test(`${where}: a handler is given the client itself`, async () => {
    const pool = await open(shards)
    assert.equal(await pool.handlers.both(10), [...Array(10).keys()])
    assert.is(await pool.request(echo('after')), 'after')
    assert.ok(server.peers[0]?.calls.includes('reset'), 'what it did with it is unknown, so it is reset')
    assert.is(server.peers.length, 1)
  })

  test(`${where}: a handler that leaves a call under way costs its connection`, async () => {
    const pool = await open(shards)
    assert.is(await pool.handlers.careless('debt'), 'done')
    assert.is(await pool.request(echo('next')), 'next')
    assert.is(server.peers.length, 2)
    await until(() => server.open.length === 1, 'the first has closed')
  })

  test(`${where}: a connection idle for long is probed; one whose probe fails is replaced unseen`, async () => {
    const pool = await open(shards, { probeAfterIdleMs: 1, probeTimeoutMs: 100 })
    await pool.request(echo('first'))
    await pastProbe(pool)
    assert.is(await pool.request(echo('second')), 'second')
    assert.equal(server.peers[0]?.calls, ['login', 'echo first', 'probe', 'echo second'])
    server.healthy = false
    await pastProbe(pool)
    assert.is(await pool.request(echo('third')), 'third')
    assert.equal(server.peers[1]?.calls, ['login', 'echo third'])
    assert.is(pool.stats().counters.closedBy.probe, 1)
  })

  test(`${where}: close lets the client say good-bye`, async () => {
    const pool = await open(shards)
    await pool.request(echo('first'))
    await pool.close()
    assert.equal(server.peers[0]?.calls, ['login', 'echo first', 'goodbye'])
    await until(() => server.open.length === 0, 'it has closed')
  })

  test(`${where}: a connect hook that fails is a failure to connect, with its cause`, async () => {
    const pool = await open(shards, {}, { refuse: true })
    const error = await rejects(pool.request(echo('never')), 'HOOK_FAILED')
    assert.is(error.phase, 'connect')
    assert.is((error.cause as { code?: unknown }).code, 'ENOCLIENT')
    await until(() => server.open.length === 0, 'its socket is closed')
  })

  test(`${where}: a handler meets the loss of its connection in its requests`, async () => {
    const pool = await open(shards)
    assert.is(await pool.handlers.bereaved(undefined), 'CONNECTION_LOST')
    assert.is(await pool.request(echo('next')), 'next')
  })

  test(`${where}: credentials reach the client`, async () => {
    const pool = await open(shards, { credentials: { username: 'ada', password: 'secret' } })
    assert.is(await pool.request(echo('hello')), 'hello')
  })

  test(`${where}: thousands of requests, each with its own reply`, async () => {
    const pool = await open(shards, { maxConnections: 4 })
    const replies = await Promise.all(Array.from({ length: 3_000 }, (_, index) => pool.request(echo(index))))
    assert.ok(replies.every((reply, index) => reply === index))
    assert.ok(server.peers.length <= 4)
  })
}

/** Returns when the idle connection is due for a probe: its clock is the thread's own. */
async function pastProbe(pool: RpcPool): Promise<void> {
  const until = performance.now() + 3
  while (performance.now() < until) await new Promise(setImmediate)
  assert.is(pool.stats().idle, 1)
}

test.run()
