/** Ten thousand callers who wait for one connection, and all go at once. `npm run bench -- cancel` tells how long ten times as many take. */
import { getEventListeners } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { type Lease, line, type Pool } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { suite } from '../../../pool-worker/test/kit/kit.ts'
import { reasonOf } from '../support/callers.ts'
import { closing, echo, type Peer, startPeer } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'

const test = suite('many who wait', { timeoutMs: 60_000 })
const kept = closing(test)

const MANY = 10_000

type EchoPool = Pool<string, string>

/** One who asks for a connection; what he is refused with. */
const KINDS = {
  acquire: (pool: EchoPool, options: { timeoutMs?: number; signal?: AbortSignal }) => pool.acquire(options),
  request: (pool: EchoPool, options: { timeoutMs?: number; signal?: AbortSignal }) => pool.request('never', options),
} as const
type Kind = keyof typeof KINDS

interface Crowd {
  readonly pool: EchoPool
  readonly held: Lease<string, string>
  /** How often each reason was given. Resolves when all have been refused. */
  readonly refused: Promise<Map<unknown, number>>
}

/** All of them wait for the one connection, which is held. */
async function crowd(kind: Kind, shards: number, options: (index: number) => { timeoutMs?: number; signal?: AbortSignal }): Promise<Crowd> {
  const peer: Peer = await kept(startPeer(echo))
  const pool = await kept(
    createPool({ endpoint: peer.endpoint, shards, maxConnections: 1, maxPending: MANY, acquireTimeoutMs: Infinity, protocol: line() }),
  )
  const held = await pool.acquire()
  const reasons = new Map<unknown, number>()
  const note = (reason: unknown): void => void reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  const codeOf = (error: { code?: unknown }): unknown => error.code ?? error
  const refused = new Promise<Map<unknown, number>>((resolve) => {
    let left = MANY
    const settled = (reason: unknown): void => {
      note(reason)
      if (--left === 0) resolve(reasons)
    }
    for (let index = 0; index < MANY; index++)
      KINDS[kind](pool, options(index)).then(
        () => settled('served'),
        (error: { code?: unknown }) => settled(codeOf(error)),
      )
  })
  return { pool, held, refused }
}

/** Nobody waits, none of them had anything, and whoever comes now is served. */
async function assertUnhurt({ pool, held }: Crowd): Promise<void> {
  assert.equal(pool.stats().pending, { leases: 0, requests: 0 })
  assert.is(held.connection.uses, 1)
  const { counters } = pool.stats()
  assert.equal([counters.acquired, counters.opened], [1, 1])
  held.release()
  assert.is(await pool.request('next'), 'next')
  assert.equal(pool.check(), [])
}

const warnings: Error[] = []
process.on('warning', (warning) => warnings.push(warning))

const WHERE: readonly (readonly [kind: Kind, shards: number])[] = [
  ['acquire', 0],
  ['acquire', 1],
  ['request', 0],
]

for (const [kind, shards] of WHERE) {
  test(`shards: ${shards}, ${kind}: under one signal, each is refused with its reason, and it has one listener`, async () => {
    const controller = new AbortController()
    const waiting = await crowd(kind, shards, () => ({ signal: controller.signal }))
    assert.is(getEventListeners(controller.signal, 'abort').length, 1)
    const reason = new Error('enough')
    controller.abort(reason)
    assert.equal([...(await waiting.refused)], [[reason, MANY]])
    assert.is(getEventListeners(controller.signal, 'abort').length, 0)
    await assertUnhurt(waiting)
  })
}

for (const kind of ['acquire', 'request'] as const) {
  test(`${kind}: by their deadline, each is told of it`, async () => {
    const start = performance.now()
    const waiting = await crowd(kind, 0, () => ({ timeoutMs: Math.max(1, start + 3_000 - performance.now()) })) // all at one moment
    assert.equal([...(await waiting.refused)], [[kind === 'acquire' ? 'ACQUIRE_TIMEOUT' : 'REQUEST_TIMEOUT', MANY]])
    assert.is(waiting.pool.stats().counters.timeouts, MANY)
    await assertUnhurt(waiting)
  })

  test(`${kind}: by close(), each is told of it, and the one who holds the connection goes on`, async () => {
    const { pool, held, refused } = await crowd(kind, 0, () => ({}))
    const closed = pool.close()
    assert.equal([...(await refused)], [['POOL_CLOSED', MANY]])
    assert.is(await held.request('still mine'), 'still mine')
    held.release()
    await closed
    assert.equal(pool.stats().pending, { leases: 0, requests: 0 })
  })
}

test('under a signal each, each is refused with its reason', async () => {
  const controllers = Array.from({ length: MANY }, () => new AbortController())
  const waiting = await crowd('acquire', 0, (index) => ({ signal: (controllers[index] as AbortController).signal })) // one for each
  for (const controller of controllers) controller.abort('enough')
  assert.equal([...(await waiting.refused)], [['enough', MANY]])
  await assertUnhurt(waiting)
})

test('a signal that many share brings no warning of too many listeners', async () => {
  await new Promise(setImmediate) // where warnings come
  assert.equal(warnings, [])
})

for (const shards of [0, 1]) {
  test(`shards: ${shards}: who waits behind another of the same signal is not served in his place when it aborts`, async () => {
    const lines: string[] = []
    const sockets: Socket[] = []
    const server = createServer((socket) => {
      sockets.push(socket)
      socket.setEncoding('utf8').on('data', (text: string) => lines.push(...text.trim().split('\n')))
    })
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number } // it listens
    const pool = await kept(createPool({ endpoint: `tcp://127.0.0.1:${port}`, shards, maxConnections: 1, protocol: line() }))
    const controller = new AbortController()
    const { signal } = controller
    const under = pool.request('under way', { timeoutMs: 15_000 })
    const acquired = reasonOf(pool.acquire({ signal })) // the connection is reserved for it
    const behind = [reasonOf(pool.request('never', { signal })), reasonOf(pool.request('never', { signal }))]
    assert.equal(pool.stats().pending.leases, 1)
    controller.abort('enough')
    assert.equal(await Promise.all([acquired, ...behind]), ['enough', 'enough', 'enough'])
    const last = pool.request('last', { timeoutMs: 15_000 })
    for (const socket of sockets) socket.resume()
    while (!lines.includes('last')) await new Promise(setImmediate)
    assert.equal(lines, ['under way', 'last'])
    for (const socket of sockets) socket.write('under way\nlast\n')
    assert.equal(await Promise.all([under, last]), ['under way', 'last'])
    for (const socket of sockets) socket.destroy()
    server.close()
  })
}

test.run()
