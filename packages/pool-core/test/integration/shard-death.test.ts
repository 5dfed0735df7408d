import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import type { Worker } from 'node:worker_threads'
import { handlersAt, type Lease, line, type Pool, PoolError, type PoolOptions } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import type * as mortal from '../fixtures/mortal-handlers.ts'
import { assertBalanced } from '../support/balance.ts'
import { atRest, closing, type Peer, startPeer } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'

const test = suite('shard-death')
const kept = closing(test)

/** All that a dead shard owed is settled within this time of the first sign of its death. */
const SETTLED_MS = 100

const handlers = handlersAt<typeof mortal>(new URL('../fixtures/mortal-handlers.js', import.meta.url))
const backoff = { initialMs: 5, maxMs: 50 }

type MortalPool = Pool<string, string, typeof mortal>

async function openPool(options: Omit<PoolOptions<string, string>, 'handlers' | 'protocol'>): Promise<MortalPool> {
  return kept(createPool({ backoff, protocol: line(), handlers, ...options }))
}

interface LineServer {
  readonly peer: Peer
  /** How many requests it holds back. */
  holding(): number
  /** Answers them all. */
  release(): void
}

/** Echoes each line; one that begins with `hold` only when it is released. */
async function startServer(): Promise<LineServer> {
  const held: (() => void)[] = []
  const peer = await kept(
    startPeer((socket) => {
      let rest = ''
      socket.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n')
        rest = lines.pop() ?? ''
        for (const asked of lines) {
          const answer = (): void => void socket.write(`${asked}\n`)
          if (asked.startsWith('hold')) held.push(answer)
          else answer()
        }
      })
      socket.once('end', () => socket.end())
    }),
  )
  return {
    peer,
    holding: () => held.length,
    release() {
      for (const answer of held.splice(0)) answer()
    },
  }
}

/** Sends a line as a stream, reads it back, and ends the connection. */
async function echoByStream(lease: Lease<string, string>): Promise<void> {
  const stream = lease.stream()
  stream.end('echo stream\n')
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  if (text !== 'echo stream\n') throw new Error('cut short') // a peer's FIN is an end like any other
}

/** A moment, and how much time this process has had by then: the machine's other work is not the pool's. */
interface Moment {
  readonly at: number
  readonly had: number
}

function moment(): Moment {
  const { user, system } = process.cpuUsage()
  return { at: performance.now(), had: performance.eventLoopUtilization().idle + (user + system) / 1_000 }
}

/** Milliseconds from one moment to another, at most those that the process waited or worked. */
const between = (from: Moment, to: Moment): number => Math.min(to.at - from.at, to.had - from.had)

/** When a thread first showed that it has ended. */
const deaths: Moment[] = []
const onWorker = (message: unknown): void => {
  const { worker } = message as { worker: Worker } // so Node documents this channel
  let seen = false
  for (const sign of ['error', 'exit']) {
    worker.once(sign, () => {
      if (!seen) deaths.push(moment())
      seen = true
    })
  }
}
test.before(() => subscribe('worker_threads', onWorker))
test.after(() => void unsubscribe('worker_threads', onWorker))
test.before.each(() => void deaths.splice(0))

/** How a promise ended, and when. */
interface Ending {
  readonly code: string
  readonly error: unknown
  readonly when: Moment
}

function ending(promise: Promise<unknown>): { now: Ending | undefined; readonly done: Promise<Ending> } {
  const watched: { now: Ending | undefined; done: Promise<Ending> } = {
    now: undefined,
    done: promise.then(
      () => settle('ok', undefined),
      (error: unknown) => settle(PoolError.is(error) ? error.code : String(error), error),
    ),
  }
  const settle = (code: string, error: unknown): Ending => {
    watched.now = { code, error, when: moment() }
    return watched.now
  }
  return watched
}

/** Everything that can be in flight on one connection of a lease. */
interface Held {
  readonly shard: number
  readonly lease: Lease<string, string>
  readonly aborted: Promise<unknown>
  readonly ended: ReturnType<typeof ending> | undefined
}

function hold(lease: Lease<string, string>, kind: number): Held {
  const { shard } = lease.connection
  const aborted = once(lease.signal, 'abort')
  if (kind === 0) return { shard, lease, aborted, ended: ending(lease.request('hold lease')) }
  if (kind === 1) return { shard, lease, aborted, ended: undefined }
  const stream = lease.stream()
  stream.write('some bytes')
  const closed = new Promise((resolve, reject) => stream.once('error', reject).once('close', resolve))
  return { shard, lease, aborted, ended: ending(closed) }
}

for (const [how, message] of [
  ['throw', /thrown by a handler/],
  ['reject', /rejected by a handler/],
  ['exit', /code 3/],
  ['memory', /memory|its port has closed/], // a big heap may take longer to go than the cause is waited for
] as const) {
  test(`a shard that dies by ${how} settles all it owed within ${SETTLED_MS} ms, leaves the other alone, and is replaced`, async () => {
    const server = await startServer()
    const pool = await openPool({
      endpoint: server.peer.endpoint,
      shards: 2,
      maxConnections: 12,
      worker: how === 'memory' ? { resourceLimits: { maxOldGenerationSizeMb: 64 } } : undefined,
    })
    const leases = await Promise.all(Array.from({ length: 12 }, () => pool.acquire()))
    const perShard = [0, 1].map((shard) => leases.filter((lease) => lease.connection.shard === shard))
    assert.equal(
      perShard.map((some) => some.length),
      [6, 6],
    )
    const held = perShard.flatMap((some) => some.splice(0, 3).map(hold))
    for (const lease of perShard.flat()) lease.release()
    const requests = Array.from({ length: 2 }, () => ending(pool.request('hold request')))
    const running = Array.from({ length: 2 }, () => ending(pool.handlers.ask('hold handler')))
    await until(() => server.holding() === 6, 'all requests have reached the server')

    const killed = ending(pool.handlers.die(how))
    const extra = pool.tryAcquire() // the last permit
    assert.ok(extra)
    const waiting = Array.from({ length: 3 }, () => ending(pool.use((lease) => lease.request('echo waited'))))
    const first = await killed.done
    const death = deaths[0] ?? first.when

    assert.is(first.code, 'SHARD_LOST')
    assert.match((first.error as Error).message, message)
    const dead = pool.stats().shards.findIndex(({ state }) => state === 'restarting')
    assert.ok(dead >= 0)
    const lost = held.filter(({ shard }) => shard === dead)
    assert.is(lost.length, 3)
    await Promise.all(lost.map(({ aborted }) => aborted))
    for (const { lease, ended } of lost) {
      assert.is((lease.signal.reason as PoolError).code, 'SHARD_LOST')
      if (ended !== undefined) assert.is((await ended.done).code, 'SHARD_LOST')
    }
    const over = [...requests, ...running].filter(({ now }) => now !== undefined)
    for (const settled of [...over, ...lost.map(({ ended }) => ended)]) {
      if (settled?.now === undefined) continue
      const took = between(death, settled.now.when)
      assert.ok(took <= SETTLED_MS, `it took ${took} ms`)
    }
    assert.equal(
      over.map(({ now }) => now?.code),
      ['SHARD_LOST', 'SHARD_LOST'],
    )

    for (const { lease } of held.filter(({ shard }) => shard !== dead)) assert.is(lease.signal.aborted, false)
    server.release()
    const untouched = [...requests, ...running].filter((each) => !over.includes(each))
    for (const { done } of untouched) assert.is((await done).code, 'ok')
    for (const { lease, shard, ended } of held) {
      if (shard === dead) {
        const late = lease.request('echo too late')
        if (!lease.hold.released) await rejects(late, 'CONNECTION_LOST')
        else await rejects(late, 'LEASE_RELEASED')
      } else if (ended === undefined) assert.is(await lease.request('echo still there'), 'echo still there')
      lease[Symbol.dispose]()
    }
    extra.release()
    for (const { done } of waiting) assert.is((await done).code, 'ok')

    await until(() => pool.stats().shards.every(({ state }) => state === 'live'), 'the shard is back')
    await atRest(pool)
    assertBalanced(pool)
    assert.is(pool.stats().counters.shardsLost, 1)
    assert.ok((pool.stats().counters.closedBy['shard-lost'] ?? 0) >= 5)
    const again = await Promise.all(Array.from({ length: 12 }, () => pool.acquire()))
    for (const shard of [0, 1]) assert.ok(again.some(({ connection }) => connection.shard === shard))
    assert.equal(await Promise.all(again.map((lease) => lease.request('echo all'))), new Array(12).fill('echo all'))
    for (const lease of again) lease.release()
    await atRest(pool)
    assertBalanced(pool)
  })
}

test('callers who wait when the only shard dies are served by its next life', async () => {
  const server = await startServer()
  const pool = await openPool({ endpoint: server.peer.endpoint, shards: 1, maxConnections: 2 })
  const lease = await pool.acquire()
  const killed = pool.handlers.die('exit')
  const waiting = [pool.acquire(), pool.request('echo waited'), pool.handlers.ask('echo handled')] as const
  await rejects(killed, 'SHARD_LOST')
  lease[Symbol.dispose]()
  const next = await waiting[0]
  assert.is(await next.request('echo next'), 'echo next')
  next.release()
  assert.is(await waiting[1], 'echo waited')
  assert.is(await waiting[2], 'echo handled')
  await atRest(pool)
  assertBalanced(pool)
})

test('a lease of a dead shard can be released, destroyed and asked, and costs no permit', async () => {
  const server = await startServer()
  const pool = await openPool({ endpoint: server.peer.endpoint, shards: 1, maxConnections: 4 })
  const [released, destroyed, disposed] = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()])
  const owed = destroyed.request('hold it')
  const killed = rejects(pool.handlers.die('throw'), 'SHARD_LOST')
  const error = await rejects(owed, 'SHARD_LOST')
  await killed
  assert.is((error.cause as { code?: string }).code, 'EDEATH')
  await rejects(released.request('echo it'), 'CONNECTION_LOST')
  assert.throws(() => released.stream(), /has died/)
  released.release()
  destroyed.destroy()
  disposed[Symbol.dispose]()
  const again = await Promise.all(Array.from({ length: 4 }, () => pool.acquire()))
  for (const lease of again) lease.release()
  await atRest(pool)
  assertBalanced(pool)
})

test('shards die again and again while the server drops its connections: all calls settle, and all comes back', async () => {
  const server = await startServer()
  const pool = await openPool({ endpoint: server.peer.endpoint, shards: 2, maxConnections: 6 })
  const kinds = [
    () => pool.request('echo load'),
    () => pool.use((lease) => lease.request('echo load')),
    () => pool.handlers.ask('echo load'),
    () => pool.use(echoByStream),
  ]
  let stopped = false
  const codes = new Set<string>()
  const callers = Array.from({ length: 12 }, async (_, caller) => {
    for (let work = kinds[caller % kinds.length]; !stopped && work !== undefined; ) codes.add((await ending(work()).done).code)
  })
  for (let round = 1; round <= 8; round++) {
    const dying = ending(pool.handlers.die(round % 2 === 0 ? 'exit' : 'throw'))
    if (round > 4) for (const socket of server.peer.sockets) socket.destroy()
    const { code } = await dying.done
    if (round <= 4) assert.is(code, 'SHARD_LOST')
    await until(() => pool.stats().shards.every(({ state }) => state === 'live'), 'both shards are live')
  }
  assert.ok(pool.stats().counters.shardsLost >= 4)
  for (const work of kinds) while ((await ending(work()).done).code !== 'ok');
  stopped = true
  await Promise.all(callers)
  for (const code of codes) assert.ok(['ok', 'SHARD_LOST', 'CONNECTION_LOST', 'HANDLER_FAILED', 'Error: cut short'].includes(code), code)
  await atRest(pool)
  assertBalanced(pool)
  await until(() => server.peer.sockets.size === pool.stats().connections, 'the server has no other connections')
})

test('connections kept by minConnections are opened anew when a shard dies', async () => {
  const server = await startServer()
  const pool = await openPool({ endpoint: server.peer.endpoint, shards: 2, maxConnections: 5, minConnections: 4 })
  await pool.ready()
  await rejects(pool.handlers.die('exit'), 'SHARD_LOST')
  await pool.ready()
  await until(() => pool.stats().shards.every(({ state }) => state === 'live'), 'the shard is back')
  await atRest(pool)
  assert.ok(pool.stats().connections >= 4)
  assertBalanced(pool)
})

for (const name of ['throwing-handlers', 'absent-handlers']) {
  test(`createPool rejects with the cause when its shards cannot start: ${name}`, async () => {
    const url = new URL(`../fixtures/${name}.js`, import.meta.url)
    const error = await rejects(createPool({ endpoint: 'tcp://127.0.0.1:1', shards: 2, handlers: handlersAt(url) }), 'NO_SHARD')
    assert.is(error.phase, 'start')
    assert.match(`${error.message} ${String(error.cause)}`, name === 'absent-handlers' ? /absent-handlers/ : /thrown at import/)
  })
}

test('createPool rejects with the cause when its threads have too little memory to start', async () => {
  const starved = createPool({
    endpoint: 'tcp://127.0.0.1:1',
    shards: 1,
    protocol: line(),
    handlers,
    worker: { resourceLimits: { maxOldGenerationSizeMb: 1, maxYoungGenerationSizeMb: 1 } },
  })
  const error = await rejects(starved, 'NO_SHARD')
  assert.is((error.cause as { code?: string }).code, 'ERR_WORKER_OUT_OF_MEMORY')
})

test.run()
