/** What was not sent moves as often as `retryStale` allows: a request behind a heart-beat, a handler whose connection has died with all others. */
import type { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { handlersAt, line, PoolError, protocolAt } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import type * as oracleHandlers from '../fixtures/oracle-handlers.ts'
import type * as sessionProtocol from '../fixtures/session-protocol.ts'
import { atRest, closing, startPeer } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'
import type { SessionPool } from '../support/sessions.ts'

const test = suite('retries of what was not sent')
const kept = closing(test)

const CONNECTIONS = 5

/** A pool whose connections are all idle, each with a heart-beat that its server has not answered; and the end of each by its id. */
async function beating(retryStale: number): Promise<{ pool: SessionPool; sockets: ReadonlyMap<string, Socket> }> {
  const accepted: Socket[] = []
  const beats = new Set<Socket>()
  const peer = await kept(
    startPeer((socket) => {
      accepted.push(socket)
      socket.once('end', () => socket.end())
      socket.on('data', (chunk) => {
        if (String(chunk) === 'ping\n') beats.add(socket)
        else socket.write(chunk)
      })
    }),
  )
  const protocol = protocolAt<typeof sessionProtocol>(new URL('../fixtures/session-protocol.js', import.meta.url))
  const times = { heartbeatMs: 30, probeTimeoutMs: 60_000, probeAfterIdleMs: Number.POSITIVE_INFINITY }
  const made = await createPool({ endpoint: peer.endpoint, shards: 0, maxConnections: CONNECTIONS, retryStale, ...times, protocol })
  const pool = (await kept(made)) as unknown as SessionPool // no handlers are used
  const sockets = new Map<string, Socket>()
  const leases = []
  for (let index = 0; index < CONNECTIONS; index++) {
    const lease = await pool.acquire()
    leases.push(lease)
    await until(() => accepted.length === index + 1, 'the server has it too')
    sockets.set(lease.connection.id, accepted[index] as Socket) // just waited for
  }
  for (const lease of leases) lease.release()
  await until(() => beats.size === CONNECTIONS, 'each is probed')
  return { pool, sockets }
}

const ENDS: readonly [string, (socket: Socket) => void, string | undefined][] = [
  ['is ended by its server', (socket) => void socket.destroy(), undefined],
  ['answers its heart-beat wrongly', (socket) => void socket.write('pong\n'), 'HOOK_FAILED'],
]

for (const [how, end, cause] of ENDS) {
  for (const retryStale of [0, 1, 3]) {
    test(`an exclusive request whose connection ${how} moves ${retryStale} times with retryStale ${retryStale}, and no further`, async () => {
      const { pool, sockets } = await beating(retryStale)
      const failure = rejects(pool.request('alone'), 'CONNECTION_LOST')
      const endOne = async (): Promise<void> => {
        await until(() => pool.leases().length === 1, 'it has a connection')
        const id = pool.leases()[0]?.connection.id ?? ''
        end(sockets.get(id) as Socket) // of each connection there is one
        await until(() => pool.leases()[0]?.connection.id !== id, 'the connection is lost')
      }
      for (let moves = 0; moves <= retryStale; moves++) {
        assert.is(pool.stats().counters.moved, moves)
        await endOne()
      }
      const error = await failure
      assert.is(error.outcome, 'not-sent')
      assert.is(PoolError.is(error.cause) ? error.cause.code : undefined, cause)
      assert.equal([pool.stats().counters.moved, pool.stats().counters.retriesRefused], [retryStale, 0])
      for (const socket of sockets.values()) if (!socket.destroyed) socket.write('ping\n')
      await atRest(pool)
    })
  }
}

test('handlers go on to new connections when all idle ones were ended at once: their shard tells of all together', async () => {
  const accepted = new Set<Socket>()
  const peer = await kept(
    startPeer((socket) => {
      accepted.add(socket)
      socket.on('close', () => accepted.delete(socket))
      socket.pipe(socket)
    }),
  )
  const handlers = handlersAt<typeof oracleHandlers>(new URL('../fixtures/oracle-handlers.js', import.meta.url))
  const protocol = line()
  const pool = await kept(
    createPool({ endpoint: peer.endpoint, shards: 1, maxConnections: CONNECTIONS, retryStale: 1, handlers, protocol }),
  )
  for (let round = 0; round < 10; round++) {
    const leases = await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.acquire()))
    for (const lease of leases) lease.release()
    await until(() => accepted.size === CONNECTIONS, 'the server has them all')
    const words = new Int32Array(new SharedArrayBuffer(8))
    const blocking = pool.handlers.blockAtOnce(words)
    await until(() => Atomics.load(words, 1) === 1, 'it blocks its thread')
    for (const socket of accepted) socket.destroy()
    await until(() => accepted.size === 0, 'all are ended')
    const asked = ['one', 'two', 'three'].map((text) => pool.handlers.ask(text))
    await setImmediate() // they are in the ring
    Atomics.store(words, 0, 1)
    Atomics.notify(words, 0)
    assert.equal(await Promise.all(asked), ['one', 'two', 'three'], `round ${round}`)
    await blocking
  }
})

test.run()
