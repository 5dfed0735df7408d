/**
 * The connection that was used last is lent first, so that under little load one does all the work and the others rest below it. What must
 * reach every connection reaches those too, and the one on top that hardly rests. By a clock of the test's own.
 *
 * @see puddle `genstack`, which has two stacks for it: here each connection stands in the list of its state, and the sweep goes over all.
 */
import type { Socket } from 'node:net'
import { type Pool, type PoolOptions, protocolAt } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { ManualWorld } from '../../../pool-worker/test/kit/clock.ts'
import { suite, until } from '../../../pool-worker/test/kit/kit.ts'
import type * as sessionProtocol from '../fixtures/session-protocol.ts'
import { acquireAll, releaseAll } from '../support/callers.ts'
import { closing, startPeer } from '../support/peers.ts'
import { createPoolIn } from '../support/pools.ts'

const test = suite('the top and the bottom')
const kept = closing(test)

const ALL = 6
/** From one use of the top to the next. */
const STEP_MS = 50

interface Rig {
  readonly pool: Pool<string, string>
  readonly clock: ManualWorld
  /** When each open connection was opened, by its id. */
  readonly born: Map<string, number>
  /** How old each was, and why it ended, in the order of their ends. */
  readonly ended: { readonly age: number; readonly reason: string }[]
  /** When each connection of the server was probed, in the order of their coming. */
  readonly pings: number[][]
  /** Uses the top again and again, for so long. */
  work(ms: number): Promise<void>
}

async function begin(options: Partial<PoolOptions>): Promise<Rig> {
  const clock = new ManualWorld(5_000)
  let chance = 0
  clock.random = () => {
    chance = (chance + 0.37) % 1 // so that those opened together do not end together
    return chance
  }
  const pings: number[][] = []
  const serve = (socket: Socket): void => {
    const mine: number[] = []
    pings.push(mine)
    socket.on('data', (chunk) => {
      for (const line of String(chunk).trim().split('\n')) if (line === 'ping') mine.push(clock.time)
      socket.write(chunk)
    })
  }
  const peer = await kept(startPeer(serve))
  const pool = await kept(
    createPoolIn(clock)({
      endpoint: peer.endpoint,
      shards: 0,
      maxConnections: ALL,
      idleTimeoutMs: Infinity,
      maxLifetimeMs: Infinity,
      probeAfterIdleMs: Infinity,
      probeTimeoutMs: Infinity,
      connectTimeoutMs: Infinity,
      ...options,
      protocol: protocolAt<typeof sessionProtocol>(new URL('../fixtures/session-protocol.js', import.meta.url)),
    }),
  )
  const born = new Map<string, number>()
  const ended: { age: number; reason: string }[] = []
  pool.events.on('connectionOpened', ({ connection }) => {
    born.set(connection.id, clock.time)
  })
  pool.events.on('connectionClosed', ({ connection, reason }) => {
    ended.push({ age: clock.time - (born.get(connection.id) ?? Number.NaN), reason })
    born.delete(connection.id)
  })
  const work = async (ms: number): Promise<void> => {
    for (const end = clock.time + ms; clock.time < end; ) {
      clock.pass(STEP_MS)
      assert.is(await pool.request('work'), 'work')
      await until(() => pool.stats().opening + pool.stats().closing === 0, 'what that led to is done')
    }
  }
  releaseAll(await acquireAll(pool, ALL))
  return { pool, clock, born, ended, pings, work }
}

test('no connection outlives its lifetime, neither those that nobody comes to nor the one in use', async () => {
  const { pool, clock, born, ended, work } = await begin({ maxLifetimeMs: 5_000, minConnections: ALL })
  for (let turn = 0; turn < 40; turn++) {
    await work(500)
    for (const since of born.values()) assert.ok(clock.time - since <= 5_000 + STEP_MS, `${clock.time - since} ms`)
  }
  assert.ok(ended.length > 3 * ALL, `${ended.length} have ended`)
  for (const { age, reason } of ended) {
    assert.is(reason, 'lifetime')
    assert.ok(age >= 4_500 && age <= 5_000 + STEP_MS, `${age} ms`)
  }
  assert.is(pool.stats().connections, ALL)
})

test('no connection rests longer than its idle time, however hot the top is', async () => {
  const { pool, ended, work } = await begin({ idleTimeoutMs: 1_000 })
  for (let burst = 1; burst <= 5; burst++) {
    await work(1_000 - STEP_MS)
    assert.is(pool.stats().connections, ALL)
    await work(2 * STEP_MS)
    assert.is(pool.stats().connections, 1) // the top
    assert.is(ended.length, burst * (ALL - 1))
    releaseAll(await acquireAll(pool, ALL))
  }
  assert.ok(ended.every(({ reason }) => reason === 'idle'))
})

test('heart-beats reach each connection at every interval, at the bottom and at the top', async () => {
  const { pings, work, ended } = await begin({ heartbeatMs: 1_000 })
  await work(20_000)
  assert.is(pings.length, ALL)
  for (const times of pings) {
    assert.ok(times.length >= 19, `${times.length} heart-beats`)
    for (const [index, time] of times.slice(1).entries()) {
      const gap = time - (times[index] ?? Number.NaN)
      assert.ok(gap >= 900 && gap <= 1_000 + STEP_MS, `${gap} ms`)
    }
  }
  assert.equal(ended, [])
})

test('in a burst the cold ones are probed before they are lent, and the hot one is not', async () => {
  const { pool, pings, work } = await begin({ probeAfterIdleMs: 1_000 })
  await work(3_000)
  assert.equal(pings.flat(), [])
  const leases = await acquireAll(pool, ALL)
  assert.equal(pings.map((times) => times.length).sort(), [0, 1, 1, 1, 1, 1])
  releaseAll(leases)
})

test.run()
