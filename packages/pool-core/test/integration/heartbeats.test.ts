/** Heart-beats from threads, while the calling thread stands still and while it does not. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { line, type Pool, type PoolOptions, protocolAt } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import type * as sessionProtocol from '../fixtures/session-protocol.ts'
import { assertBalanced } from '../support/balance.ts'
import { atRest, closing } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'
import { sessionsFor } from '../support/sessions.ts'

const test = suite('heartbeats')
const { server, open } = sessionsFor(test, { shards: 1 })
const kept = closing(test)

/** How long a thread that stands still waits for what must come. */
const PATIENCE_MS = 10_000

/** A server in a thread, the pings that it has counted, and a pool on it. */
async function counting(options: Partial<PoolOptions>): Promise<{ pool: Pool<string, string>; pings: () => number }> {
  const words = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(new URL('../fixtures/counting-server.js', import.meta.url), { workerData: words })
  await kept({ close: async () => void (await worker.terminate()) })
  const [port] = (await once(worker, 'message')) as [number] // what the fixture posts
  const protocol = protocolAt<typeof sessionProtocol>(new URL('../fixtures/session-protocol.js', import.meta.url))
  const pool = await kept(createPool({ shards: 1, ...options, endpoint: `tcp://127.0.0.1:${port}`, protocol }))
  return { pool, pings: () => Atomics.load(words, 0) }
}

/** Stands still until it is so. Returns whether it became so. */
function standStillUntil(condition: () => boolean): boolean {
  const end = performance.now() + PATIENCE_MS
  while (performance.now() < end) if (condition()) return true
  return false
}

test('idle connections are probed while the calling thread stands still', async () => {
  const { pool, pings } = await counting({ heartbeatMs: 40, minConnections: 2, maxConnections: 2 })
  await pool.ready()
  const before = pings()
  const since = performance.now()
  assert.ok(
    standStillUntil(() => pings() >= before + 8 && performance.now() > since + 1_500),
    'they stopped with it',
  )
  assert.is(await pool.request('still there'), 'still there')
  assert.is(pool.stats().counters.closed, 0)
})

test('heart-beats stop when the calling thread is silent for maxMainStallMs, and go on when it is back', async () => {
  const { pool, pings } = await counting({ heartbeatMs: 20, maxMainStallMs: 400, minConnections: 2, maxConnections: 2 })
  await pool.ready()
  await until(() => pings() > 4, 'they come')
  let last = pings()
  let changedAt = performance.now()
  const stopped = standStillUntil(() => {
    if (pings() !== last) {
      last = pings()
      changedAt = performance.now()
    }
    return performance.now() - changedAt > 600
  })
  assert.ok(stopped, 'they went on')
  await until(() => pings() > last + 4, 'they go on')
  assert.is(await pool.request('still there'), 'still there')
})

test('a peer that no longer answers heart-beats costs the connection, without any traffic', async () => {
  const pool = await open({ heartbeatMs: 20, probeTimeoutMs: 30, maxConnections: 1 })
  await pool.request('first')
  for (const peer of server.open) peer.mute = true
  await until(() => pool.stats().connections === 0, 'it is noticed')
  assert.equal(pool.stats().counters.closedBy, { probe: 1 })
  assert.is(await pool.request('second'), 'second')
})

for (const shards of [0, 1, 2]) {
  test(`calls of all kinds go on as ever between heart-beats as fast as they can be, with shards: ${shards}`, async () => {
    const pool = await open({
      shards,
      heartbeatMs: 1,
      probeTimeoutMs: 15_000,
      maxConnections: 4,
      idleTimeoutMs: Infinity,
      probeAfterIdleMs: Infinity,
    })
    const kinds = [
      (text: string) => pool.request(text),
      (text: string) => pool.request(`alone ${text}`).then((reply) => reply.slice('alone '.length)),
      (text: string) => pool.use((lease) => lease.request(text)),
      (text: string) => pool.handlers.echo(text),
      (text: string) =>
        pool.use(async (lease) => {
          await lease.request(`set ${text}`)
          await new Promise(setImmediate)
          return lease.request('get')
        }),
      (text: string) =>
        pool.use(async (lease) => {
          const stream = lease.stream()
          stream.end(`${text}\n`)
          let reply = ''
          for await (const chunk of stream) {
            reply += String(chunk)
            if (reply.endsWith('\n')) break
          }
          return reply.trim()
        }),
    ]
    const caller = async (name: number): Promise<void> => {
      for (let turn = 0; turn < 120; turn++) {
        const text = `${name}/${turn}`
        assert.is(await kinds[(name + turn) % kinds.length]?.(text), text)
        if (turn % 10 === name) await until(() => true, 'a moment has passed')
      }
    }
    await Promise.all(Array.from({ length: 6 }, (_, name) => caller(name)))
    assert.is(await pool.request('last'), 'last') // the streams may have ended every connection
    await until(() => pool.stats().connections === pool.stats().idle, 'all are idle')
    const before = server.lines.length
    await until(() => server.lines.length > before + 4, 'heart-beats go on')
    assert.is(server.lines.at(-1), 'ping')
    for (const reason of Object.keys(pool.stats().counters.closedBy)) assert.ok(['abort', 'peer-end'].includes(reason), reason) // of streams
    await atRest(pool)
    assertBalanced(pool)
  })
}

test('a protocol without a probe refuses heartbeatMs', async () => {
  const error = await rejects(createPool({ endpoint: 'tcp://127.0.0.1:1', protocol: line(), shards: 1, heartbeatMs: 1_000 }), 'BAD_OPTION')
  assert.match(error.message, /^heartbeatMs: goes with a protocol that has a probe; line has none$/)
})

test.run()
