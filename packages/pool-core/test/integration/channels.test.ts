import { AsyncLocalStorage } from 'node:async_hooks'
import { tracingChannel } from 'node:diagnostics_channel'
import type { CallTrace } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite } from '../../../pool-worker/test/kit/kit.ts'
import { reasonOf } from '../support/callers.ts'
import { listeningFor, stepsOf, tracesOf } from '../support/listening.ts'
import { sessionsFor } from '../support/sessions.ts'

const test = suite('channels')
const { server, open } = sessionsFor(test, { shards: 2, maxConnections: 2 })
const { calls } = listeningFor(test)

const GOOD = ['start', 'end', 'asyncStart', 'asyncEnd']
const BAD = ['start', 'end', 'error', 'asyncStart', 'asyncEnd']

/** The only one that there is. */
function only<T>(all: readonly T[]): T {
  assert.is(all.length, 1)
  return all[0] as T // counted
}

function assertServed({ connection, shard, endpoint, waitMs, serviceMs, error }: CallTrace, pool: { name: string }, name: string): void {
  assert.is(name, pool.name)
  assert.match(String(connection), /^\d+\/\d+\/\d+$/)
  assert.is(shard, Number(connection?.split('/')[0]))
  assert.is(endpoint, server.endpoint)
  assert.ok((waitMs ?? -1) >= 0 && (serviceMs ?? -1) >= 0, `${waitMs} ${serviceMs}`)
  assert.is(error, undefined)
}

for (const shards of [0, 2]) {
  const where = shards === 0 ? 'on the calling thread' : 'in threads'

  test(`${where}: a request is published from start to end, with where it went and how long it took`, async () => {
    const pool = await open({ shards, name: 'published' })
    const told = calls('request')
    const reply = pool.request('one', { priority: 3, timeoutMs: 5_000 })
    assert.equal(
      told.map(({ step }) => step),
      ['start', 'end'],
    )
    assert.is(await reply, 'one')
    assert.equal(stepsOf(told), [GOOD])
    const trace = only(tracesOf(told))
    assert.equal([trace.priority, trace.timeoutMs, trace.handler], [3, 5_000, undefined])
    assertServed(trace, pool, trace.pool)
  })

  test(`${where}: requests over a lease, and those that need a connection of their own, are published alike`, async () => {
    const pool = await open({ shards })
    const told = calls('request')
    await pool.use((lease) => lease.request('leased'))
    await pool.request('alone')
    assert.equal(stepsOf(told), [GOOD, GOOD])
    for (const trace of tracesOf(told)) assertServed(trace, pool, trace.pool)
  })

  test(`${where}: an acquire is published with its wait; it has no service`, async () => {
    const pool = await open({ maxConnections: 1, shards: Math.min(shards, 1) })
    const told = calls('acquire')
    const first = await pool.acquire()
    const second = pool.acquire()
    assert.equal(stepsOf(told), [GOOD, ['start', 'end']])
    first.release()
    ;(await second).release()
    await pool.use(() => undefined)
    assert.equal(stepsOf(told), [GOOD, GOOD, GOOD])
    for (const { waitMs, serviceMs, timeoutMs } of tracesOf(told)) {
      assert.ok((waitMs ?? -1) >= 0)
      assert.equal([serviceMs, timeoutMs], [undefined, 10_000])
    }
  })

  test(`${where}: a handler is published by its name; requests of its own stay in the shard`, async () => {
    const pool = await open({ shards })
    const [told, requests] = [calls('handler'), calls('request')]
    assert.is(await pool.handlers.echo('to itself'), 'to itself')
    assert.equal(stepsOf(told), [GOOD])
    const trace = only(tracesOf(told))
    assert.is(trace.handler, 'echo')
    assertServed(trace, pool, trace.pool)
    assert.equal(requests, [])
  })

  test(`${where}: what fails is published with its error, its phase, and its end`, async () => {
    const pool = await open({ shards })
    await pool.request('warm')
    const told = calls('request')
    const late = await rejects(pool.request('hold one', { timeoutMs: 10 }), 'REQUEST_TIMEOUT')
    await pool.request('bye').catch(() => undefined)
    assert.equal(stepsOf(told), [BAD, BAD])
    const [timeout, lost] = tracesOf(told)
    assert.equal([timeout?.phase, lost?.phase], ['reply', 'reply'])
    assert.is(timeout?.error?.message, late.message)
    assert.match(String(lost?.error?.message), 'peer-end')
    assert.ok((timeout?.serviceMs ?? 0) > 0)
  })

  test(`${where}: who waits in vain is published without a connection`, async () => {
    const pool = await open({ shards: Math.min(shards, 1), maxConnections: 1 })
    const lease = await pool.acquire()
    const [acquires, requests, handlers] = [calls('acquire'), calls('request'), calls('handler')]
    await rejects(pool.acquire({ timeoutMs: 5 }), 'ACQUIRE_TIMEOUT')
    await rejects(pool.request('waits', { timeoutMs: 5 }), 'REQUEST_TIMEOUT')
    await rejects(pool.handlers.echo('waits', { timeoutMs: 5 }), 'REQUEST_TIMEOUT')
    lease.release()
    for (const told of [acquires, requests, handlers]) {
      assert.equal(stepsOf(told), [BAD])
      const { connection, waitMs, phase } = only(tracesOf(told))
      assert.equal([connection, waitMs, phase], [undefined, undefined, 'queue'])
    }
  })

  test(`${where}: an abort is published as an error without the words of its reason`, async () => {
    const pool = await open({ shards })
    const told = calls('request')
    const [early, late] = [new AbortController(), new AbortController()]
    early.abort(new Error('canary'))
    assert.is(await reasonOf(pool.request('never', { signal: early.signal })), early.signal.reason)
    const waiting = reasonOf(pool.request('hold two', { signal: late.signal }))
    await server.received('hold two')
    late.abort()
    assert.is(await waiting, late.signal.reason)
    assert.equal(stepsOf(told), [BAD, BAD])
    const [first, second] = tracesOf(told)
    assert.equal([first?.error?.name, second?.error?.name], ['Error', 'AbortError'])
    assert.not.match(String(first?.error), 'canary')
    assert.not.ok(first?.error === early.signal.reason)
  })

  test(`${where}: what a subscriber binds to the start holds while the call is made, and not in the caller's own code`, async () => {
    const pool = await open({ shards })
    const storage = new AsyncLocalStorage<string>()
    const channel = tracingChannel('cenote:request')
    const seen: (string | undefined)[] = []
    const hear = (): void => void seen.push(storage.getStore())
    channel.start.bindStore(storage, () => 'bound')
    channel.end.subscribe(hear)
    channel.asyncEnd.subscribe(hear)
    try {
      await storage.run('outer', async () => {
        const reply = pool.request('one')
        assert.is(storage.getStore(), 'outer')
        await reply
        assert.is(storage.getStore(), 'outer')
      })
    } finally {
      channel.start.unbindStore(storage)
      channel.end.unsubscribe(hear)
      channel.asyncEnd.unsubscribe(hear)
    }
    assert.equal(seen, ['bound', 'bound'])
  })
}

test('who subscribes in the middle of a call hears nothing of it; who listens to one step alone hears that', async () => {
  const pool = await open()
  const reply = pool.request('hold one')
  await server.received('hold one')
  const told = calls('request')
  server.release('one')
  await reply
  assert.equal(told, [])
  const errors: unknown[] = []
  const hear = (message: unknown): void => void errors.push(message)
  const channel = tracingChannel('cenote:acquire')
  channel.error.subscribe(hear)
  const leases = [await pool.acquire(), await pool.acquire()]
  await rejects(pool.acquire({ timeoutMs: 5 }), 'ACQUIRE_TIMEOUT')
  channel.error.unsubscribe(hear)
  for (const lease of leases) lease.release()
  assert.is(errors.length, 1)
})

test('a call that goes on to another connection is one operation, and names the last', async () => {
  const pool = await open({ maxConnections: 1, shards: 1 })
  await pool.request('first')
  const told = calls('request')
  const reply = pool.request('hold one', { idempotent: true })
  await server.received('hold one')
  server.peers[0]?.socket.destroy()
  await server.received('hold one', 2)
  server.release('one')
  assert.is(await reply, 'one')
  assert.equal(stepsOf(told), [GOOD])
  assert.match(String(only(tracesOf(told)).connection), /^0\/0\/2$/)
})

test.run()
