import { connect, createServer, type Server, type Socket } from 'node:net'
import { handlersAt, type Pool, PoolError, type PoolOptions, ReplyError, type RespReply, type RespRequest, resp } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, skipUnless, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { freePort, startRedis } from '../../../pool-worker/test/kit/servers.ts'
import type * as counting from '../fixtures/counting-handlers.ts'
import { socketCount } from '../support/descriptors.ts'
import { createPool } from '../support/pools.ts'

skipUnless('redis-server')
const test = suite('server-loss', { timeoutMs: 30_000 })

type RespPool = Pool<RespRequest, RespReply, typeof counting>

const handlers = handlersAt<typeof counting>(new URL('../fixtures/counting-handlers.js', import.meta.url))
const backoff = { initialMs: 10, maxMs: 100 }
const ends: (() => Promise<unknown>)[] = []

/** Runs when the test is over, the last first. */
const later = (end: () => Promise<unknown>): void => void ends.push(end)

test.after.each(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function openPool(options: Omit<PoolOptions<RespRequest, RespReply>, 'handlers' | 'protocol'>): Promise<RespPool> {
  const pool = await createPool({ backoff, protocol: resp(), handlers, ...options })
  later(() => pool.close())
  return pool
}

/** Nothing is under way, and all numbers agree. */
async function settledBooks(pool: RespPool): Promise<void> {
  const { connections, idle, pending, counters } = pool.stats()
  assert.equal(pool.check(), [])
  assert.equal(pending, { leases: 0, requests: 0 })
  assert.is(idle, connections)
  assert.is(counters.acquired, counters.released)
  assert.is(counters.opened - counters.closed, connections)
  assert.is(counters.opening, counters.opened + counters.connectFailures)
}

/** Waits until every connection is idle. */
const atRest = (pool: RespPool): Promise<void> => until(() => pool.stats().connections === pool.stats().idle, 'all connections are idle')

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Asks until it is answered, as one whom the end of a server's trouble has not reached yet. */
const ping = (pool: RespPool): Promise<unknown> => pool.request(['PING']).catch(() => nextTurn().then(() => ping(pool)))

/** What callers are told of connections that are ended at once: those who had one, those who wait, those who come after some. */
const ENDED_AT_ONCE: readonly string[] = ['CONNECTION_LOST', 'CONNECT_FAILED', 'UNAVAILABLE']

// Calls under load.

interface Load {
  /** Outcomes by name: a code, or `ok`. */
  readonly outcomes: Map<string, number>
  /** Resolves when a call of each kind that begins from now on has succeeded. */
  served(): Promise<void>
  /** Resolves when all callers have ended. */
  stop(): Promise<void>
}

type Work = (pool: RespPool) => Promise<unknown>

const KINDS: readonly Work[] = [
  (pool) => pool.request(['INCR', 'requests'], { timeoutMs: 5_000 }),
  (pool) => pool.request(['GET', 'requests'], { idempotent: true, timeoutMs: 5_000 }),
  (pool) =>
    pool.use(async (lease) => {
      await lease.request(['INCR', 'leases'], { timeoutMs: 5_000 })
      return lease.request(['INCR', 'leases'], { timeoutMs: 5_000 })
    }),
  (pool) => pool.handlers.countThrice('handlers', { timeoutMs: 5_000 }),
]

/** Keeps so many callers of each kind busy. Each call must settle in one of the ways that a server's loss allows. */
function load(pool: RespPool, callers: number): Load {
  const outcomes = new Map<string, number>()
  const waiting = new Set<(kind: number) => void>()
  let stopped = false
  const call = async (kind: number, work: Work): Promise<void> => {
    while (!stopped) {
      const since = [...waiting]
      const outcome = await work(pool).then(() => 'ok', codeOf)
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      if (outcome === 'UNAVAILABLE') await nextTurn() // refused at once: without, nothing else would ever run
      if (outcome === 'ok') for (const told of since) told(kind)
    }
  }
  const running = KINDS.flatMap((work, kind) => Array.from({ length: callers }, () => call(kind, work)))
  return {
    outcomes,
    served: () =>
      new Promise((resolve) => {
        const missing = new Set(KINDS.keys())
        const told = (kind: number): void => {
          missing.delete(kind)
          if (missing.size > 0) return
          waiting.delete(told)
          resolve()
        }
        waiting.add(told)
      }),
    async stop() {
      stopped = true
      await Promise.all(running)
    },
  }
}

function codeOf(error: unknown): string {
  if (ReplyError.is(error)) return `reply ${error.code}`
  if (!PoolError.is(error)) throw error
  if (error.code === 'HANDLER_FAILED') return codeOf(error.cause)
  return error.code
}

for (const [shards, rounds] of [
  [0, 6],
  [1, 7],
  [2, 7],
] as const) {
  test(`kill -9 and restart of the server under load, ${rounds} times with shards: ${shards}: every call settles and the pool serves again`, async () => {
    const redis = await startRedis()
    later(() => redis.stop())
    const before = socketCount()
    const pool = await openPool({ endpoint: redis.endpoint, shards, maxConnections: 6 })
    const busy = load(pool, 4)
    await busy.served()
    for (let round = 0; round < rounds; round++) {
      const { connectFailures } = pool.stats().counters
      await redis.kill()
      await until(() => pool.stats().counters.connectFailures > connectFailures, 'the loss is noticed')
      await redis.restart()
      await busy.served()
    }
    await busy.stop()
    for (const outcome of busy.outcomes.keys())
      assert.ok(['ok', 'CONNECTION_LOST', 'CONNECT_FAILED', 'UNAVAILABLE'].includes(outcome), outcome)
    await atRest(pool)
    await settledBooks(pool)
    await until(() => socketCount() === before + pool.stats().connections, 'the only sockets are those of the connections')
    await pool.close()
    await until(() => socketCount() === before, 'no socket is left')
  })

  test(`a FIN on idle connections is noticed without traffic, with shards: ${shards}`, async () => {
    const redis = await startRedis()
    later(() => redis.stop())
    const pool = await openPool({ endpoint: redis.endpoint, shards, maxConnections: 4, minConnections: 0 })
    const leases = await Promise.all(Array.from({ length: 4 }, () => pool.acquire()))
    for (const lease of leases) lease.release()
    assert.is(pool.stats().idle, 4)
    await command(redis.port, 'CLIENT KILL TYPE normal SKIPME yes')
    await until(() => pool.stats().connections === 0, 'the connections are gone')
    assert.equal(pool.stats().counters.closedBy, { 'peer-end': 4 })
    assert.is(await pool.request(['PING']), 'PONG')
    assert.equal(pool.stats().counters.closedBy, { 'peer-end': 4 })
    await settledBooks(pool)
  })

  test(`connections that die while lent are counted and come back, with shards: ${shards}`, async () => {
    const redis = await startRedis()
    later(() => redis.stop())
    const pool = await openPool({ endpoint: redis.endpoint, shards, maxConnections: 4 })
    const used = await pool.acquire()
    await used.request(['PING'])
    const fresh = await pool.acquire() // nothing was sent over it
    const aborted = new Promise((resolve) => used.signal.addEventListener('abort', resolve, { once: true }))
    await command(redis.port, 'CLIENT KILL TYPE normal SKIPME yes')
    await aborted
    await until(() => pool.stats().counters.closed === 2, 'both losses are noticed')
    assert.is(codeOf(used.signal.reason), 'CONNECTION_LOST')
    assert.is((await rejects(used.request(['PING']), 'CONNECTION_LOST')).outcome, 'not-sent')
    used.release()
    assert.is(await fresh.request(['PING']), 'PONG')
    assert.is(fresh.signal.aborted, false)
    fresh.release()
    assert.is(await pool.request(['PING']), 'PONG')
    await atRest(pool)
    await settledBooks(pool)
    assert.is(pool.stats().counters.closed, 2)
  })

  test(`a server that accepts and closes fails every call, and is used again when it serves, with shards: ${shards}`, async () => {
    const redis = await startRedis()
    later(() => redis.stop())
    let good = false
    const server = await listen((socket) => {
      if (!good) return socket.end()
      const through = connect(redis.port, '127.0.0.1')
      socket.pipe(through).pipe(socket)
      for (const side of [socket, through]) side.on('error', () => side.destroy())
    })
    const pool = await openPool({ endpoint: `tcp://127.0.0.1:${portOf(server)}`, shards, maxConnections: 3 })
    const calls = Array.from({ length: 20 }, (_, index) => KINDS[index % KINDS.length]?.(pool))
    const outcomes = await Promise.all(calls.map((call) => call?.then(() => 'ok', codeOf)))
    for (const outcome of outcomes) assert.ok(ENDED_AT_ONCE.includes(outcome ?? ''), outcome)
    await atRest(pool)
    await settledBooks(pool)
    good = true
    assert.is(await ping(pool), 'PONG')
    assert.is(await pool.use((lease) => lease.request(['PING'])), 'PONG')
    await settledBooks(pool)
  })

  test(`a server at its limit of clients refuses some calls and no permit is lost, with shards: ${shards}`, async () => {
    const redis = await startRedis({ args: ['--maxclients', '2'] })
    later(() => redis.stop())
    const other = await hold(redis.port, 2)
    const pool = await openPool({ endpoint: redis.endpoint, shards, maxConnections: 4 })
    const outcomes = await Promise.all(
      Array.from({ length: 24 }, (_, index) => KINDS[index % KINDS.length]?.(pool).then(() => 'ok', codeOf)),
    )
    for (const outcome of outcomes) assert.ok([...ENDED_AT_ONCE, 'reply ERR'].includes(outcome ?? ''), outcome)
    await atRest(pool)
    await settledBooks(pool)
    for (const socket of other) socket.destroy()
    await until(() => other.every((socket) => socket.closed), 'the others have left')
    assert.is(await ping(pool), 'PONG') // the server may see them leave a moment later
    await atRest(pool)
    await settledBooks(pool)
  })

  test(`a refused port fails who waits with its cause and who comes at once, and the pool serves as soon as a server is there, with shards: ${shards}`, async () => {
    const port = await freePort()
    const pool = await openPool({
      endpoint: `tcp://127.0.0.1:${port}`,
      shards,
      maxConnections: 4,
      acquireTimeoutMs: Infinity,
      requestTimeoutMs: Infinity,
    })
    for (const error of await Promise.all(KINDS.map((work) => rejects(work(pool), 'CONNECT_FAILED')))) {
      assert.is(error.phase, 'connect')
      assert.is(error.outcome, 'not-sent')
      assert.is((error.cause as { code?: string }).code, 'ECONNREFUSED')
    }
    for (const work of KINDS) {
      const error = await rejects(work(pool), 'UNAVAILABLE')
      assert.is(error.phase, 'connect')
      assert.is(error.outcome, 'not-sent')
      assert.is((error.cause as { code?: string }).code, 'CONNECT_FAILED')
    }
    await atRest(pool)
    await settledBooks(pool)
    const server = await listen((socket) => void socket.on('data', () => socket.write('+PONG\r\n')), port)
    const served = (): Promise<unknown> =>
      pool.request(['PING']).catch((error: unknown) => (codeOf(error) === 'UNAVAILABLE' ? nextTurn().then(served) : Promise.reject(error)))
    assert.is(await served(), 'PONG')
    assert.is(portOf(server), port)
    await settledBooks(pool)
  })
}

// Peers.

/** Sends one inline command over a connection of its own and waits for the answer. */
function command(port: number, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${line}\r\n`))
    socket.setEncoding('utf8').once('data', (answer: string) => {
      socket.destroy()
      resolve(answer)
    })
    socket.once('error', reject)
  })
}

/** So many connections of somebody else, each served. */
function hold(port: number, count: number): Promise<Socket[]> {
  const one = (): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
      later(async () => socket.destroy())
      socket.setEncoding('utf8').once('data', (answer: string) => resolve(answer === '+PONG\r\n' ? socket : one()))
      socket.once('error', reject)
    })
  return Promise.all(Array.from({ length: count }, one))
}

function listen(serve: (socket: Socket) => void, port = 0): Promise<Server> {
  return new Promise((resolve, reject) => {
    const open = new Set<Socket>()
    const server = createServer((socket) => {
      open.add(socket)
      socket.on('error', () => undefined)
      socket.once('close', () => open.delete(socket))
      serve(socket)
    })
    later(async () => {
      for (const socket of open) socket.destroy()
      await new Promise((closed) => server.close(closed))
    })
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

test.run()
