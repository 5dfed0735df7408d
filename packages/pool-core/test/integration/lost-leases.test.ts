import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { type LeakEvent, type Lease, resp } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { collectAll, collectUntil } from '../support/collecting.ts'
import { atRest, closing, echo, startPeer } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'
import { type SessionPool, sessionsFor } from '../support/sessions.ts'

const test = suite('lost leases')
const { server, open } = sessionsFor(test, { shards: 1, maxConnections: 2 })
const made = closing(test)

/** Acquires, does something, and forgets the lease. Nothing of it is left on the stack when this has resolved. */
async function forget<T>(pool: SessionPool, act: (lease: Lease<string, string>) => T): Promise<{ readonly left: T }> {
  return { left: act(await pool.acquire()) }
}

const nothing = (): void => undefined
const heldBy = (pool: SessionPool): number => {
  const { acquired, released, reclaimed } = pool.stats().counters
  return acquired - released - reclaimed
}

for (const shards of [0, 1]) {
  const where = shards === 0 ? 'on the calling thread' : 'in a thread'

  test(`${where}: leases that were forgotten come back, and whoever waits is served`, async () => {
    const pool = await open({ shards })
    const leaks: LeakEvent[] = []
    pool.events.on('leak', (leak) => leaks.push(leak))
    for (let round = 1; round <= 3; round++) {
      await forget(pool, nothing)
      await forget(pool, (lease) => void lease.signal)
      assert.is(heldBy(pool), 2)
      let served = false
      const waiting = pool.request('waits').then(() => {
        served = true
      })
      await collectUntil(() => served, 'the waiter is served')
      await waiting
      await until(() => leaks.length === 2 * round, 'both are told')
    }
    await atRest(pool)
    assert.equal([pool.stats().counters.reclaimed, pool.stats().counters.released, heldBy(pool)], [6, 0, 0])
    assert.is(pool.stats().counters.closedBy.leak, 6)
    for (const { connection, heldMs, stack, collected, expired } of leaks) {
      assert.equal([collected, expired, stack], [true, false, undefined])
      assert.ok(connection !== undefined && heldMs >= 0)
    }
  })
}

test('a lease that nobody took out of its promise comes back too', async () => {
  const pool = await open()
  await (async () => void (await Promise.all([pool.acquire(), pool.acquire()])))()
  await collectUntil(() => heldBy(pool) === 0, 'both are back')
})

test('many leases at once, half of them forgotten: the others keep theirs, and the pool serves on', async () => {
  const pool = await open({ maxConnections: 20 })
  const kept: Lease<string, string>[] = []
  for (let turn = 0; turn < 10; turn++) {
    await forget(pool, nothing)
    kept.push(await pool.acquire())
  }
  await collectUntil(() => heldBy(pool) === 10, 'the ten forgotten ones are back')
  for (const lease of kept) {
    assert.is(await lease.request('mine'), 'mine')
    lease.release()
  }
  await atRest(pool)
  assert.equal([pool.stats().counters.released, pool.stats().counters.reclaimed], [10, 10])
})

test('a lease that was released is not noticed when it is collected, nor when another has its anchor', async () => {
  const pool = await open({ maxConnections: 1 })
  for (let turn = 0; turn < 50; turn++) await forget(pool, (lease) => lease.release())
  const lease = await pool.acquire()
  await collectAll()
  assert.is(await lease.request('still mine'), 'still mine')
  lease.release()
  assert.is(pool.stats().counters.reclaimed, 0)
})

test('while its request is in flight a lease is not taken back, though nobody has it', async () => {
  const pool = await open()
  const { left: reply } = await forget(pool, (lease) => lease.request('hold slow'))
  await server.received('hold slow')
  await collectAll()
  assert.is(heldBy(pool), 1)
  server.release('slow')
  assert.is(await reply, 'slow')
  await collectUntil(() => heldBy(pool) === 0, 'after it, it comes back')
})

test('while the function of use() runs its lease is not taken back, though it does not look at it', async () => {
  const pool = await open()
  let go = nothing
  const gate = new Promise<void>((resolve) => {
    go = resolve
  })
  const used = pool.use(() => gate)
  await until(() => heldBy(pool) === 1, 'it has its lease')
  await collectAll()
  assert.is(heldBy(pool), 1)
  go()
  await used
  assert.equal([pool.stats().counters.released, pool.stats().counters.reclaimed], [1, 0])
})

test('an open stream keeps its lease, though nobody has either', async () => {
  const peer = await made(startPeer(echo))
  const pool = await made(createPool({ endpoint: peer.endpoint, shards: 1, maxConnections: 1 }))
  const received: string[] = []
  const begin = async (): Promise<void> => {
    const lease = await pool.acquire()
    const stream = lease.stream()
    stream.on('data', (chunk: Buffer) => received.push(String(chunk)))
    stream.on('error', nothing)
  }
  await begin()
  await until(() => peer.sockets.size === 1, 'it is connected')
  await collectAll()
  for (const socket of peer.sockets) socket.write('still there')
  await until(() => received.length === 1, 'it still reads')
  assert.equal(received, ['still there'])
  assert.is(pool.stats().counters.reclaimed, 0)
  for (const socket of peer.sockets) socket.resetAndDestroy()
  await until(() => pool.stats().connections === 0, 'it ends with its connection')
})

test('whoever keeps the signal keeps the lease', async () => {
  const pool = await open()
  const keep = async (): Promise<void> => {
    const { left: signal } = await forget(pool, (lease) => lease.signal)
    await collectAll()
    assert.is(heldBy(pool), 1)
    assert.not.ok(signal.aborted)
    await sleep(1, undefined, { signal })
  }
  await keep()
  await collectUntil(() => heldBy(pool) === 0, 'without the signal it is forgotten')
})

test('whoever listens to the signal keeps the lease, until he listens no more', async () => {
  const pool = await open()
  const listener = nothing
  await forget(pool, (lease) => lease.signal.addEventListener('abort', listener))
  const { left: signal } = await forget(pool, (lease) => {
    lease.signal.addEventListener('abort', listener)
    lease.signal.removeEventListener('abort', listener)
    return new WeakRef(lease.signal)
  })
  await collectUntil(() => heldBy(pool) === 1, 'the one to which nobody listens any more is back')
  await collectAll()
  assert.is(signal.deref(), undefined)
  assert.is(heldBy(pool), 1)
})

test('whoever waits for the end of his connection, and does nothing else with it, is told of it', async () => {
  const pool = await open()
  const guard = async (): Promise<string> => {
    const lease = await pool.acquire()
    await lease.request('mine')
    await once(lease.signal, 'abort')
    return 'it has ended'
  }
  const told: string[] = []
  void guard().then((text) => told.push(text))
  await server.received('mine')
  await collectAll()
  assert.equal([told.length, heldBy(pool)], [0, 1])
  for (const peer of server.open) peer.socket.destroy()
  await until(() => told.length === 1, 'it is told')
  await collectUntil(() => heldBy(pool) === 0, 'nothing keeps it any more')
})

test('whoever listens to pushes keeps the lease, until he listens no more', async () => {
  const peer = await made(startPeer((socket) => void socket.on('data', () => socket.write('+OK\r\n'))))
  const pool = await made(createPool({ endpoint: peer.endpoint, protocol: resp(), shards: 1, maxConnections: 1 }))
  const pushed: unknown[] = []
  const subscribe = async (): Promise<() => void> => (await pool.acquire()).onPush((push) => pushed.push(push))
  const off = await subscribe()
  await until(() => peer.sockets.size === 1, 'it is connected')
  await collectAll()
  for (const socket of peer.sockets) socket.write('>2\r\n+news\r\n+today\r\n')
  await until(() => pushed.length === 1, 'the push has come')
  assert.equal(pushed, [['news', 'today']])
  assert.is(pool.stats().counters.reclaimed, 0)
  off()
  await collectUntil(() => pool.stats().counters.reclaimed === 1, 'it comes back')
  await atRest(pool)
})

test('a forgotten lease whose connection has died is counted, and is no leak', async () => {
  const pool = await open()
  const leaks: LeakEvent[] = []
  pool.events.on('leak', (leak) => leaks.push(leak))
  const { left: reply } = await forget(pool, (lease) => lease.request('bye').catch(nothing))
  await reply
  await until(() => pool.stats().connections === 0, 'its connection is gone')
  await collectUntil(() => heldBy(pool) === 0, 'it is taken back')
  await pool.request('a turn later')
  assert.equal(leaks, [])
})

test('when nobody listens the process is warned, once', async () => {
  const warnings: (Error & { code?: string })[] = []
  const listen = (warning: Error): void => void warnings.push(warning)
  process.on('warning', listen)
  try {
    const pool = await open()
    for (let turn = 0; turn < 3; turn++) {
      await forget(pool, nothing)
      await collectUntil(() => heldBy(pool) === 0, 'it is back')
    }
    await until(() => warnings.length > 0, 'the warning has come')
    assert.equal(
      warnings.map(({ name, code }) => [name, code]),
      [['CenoteLeakWarning', 'CENOTE_LEAK']],
    )
    assert.match(warnings[0]?.message ?? '', /garbage-collected without having been released/)
  } finally {
    process.off('warning', listen)
  }
})

test.run()
