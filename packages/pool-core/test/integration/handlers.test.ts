import { threadId } from 'node:worker_threads'
import { PoolError, type PoolOptions } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { type SessionPool, sessionsFor } from '../support/sessions.ts'

const test = suite('handlers')
const sessions = sessionsFor(test, {}, 1_000)
const { server } = sessions

function open(shards: number, options: Partial<PoolOptions> = {}): Promise<SessionPool> {
  const { maxConnections = 4 } = options
  return sessions.open({ ...options, shards: Math.min(shards, maxConnections), maxConnections })
}

/** Waits until no handler runs and all connections are idle. */
async function settled(pool: SessionPool): Promise<void> {
  await until(() => {
    const { connections, idle, shards } = pool.stats()
    return connections === idle && shards.every((shard) => shard.handlers === 0)
  }, 'all connections are idle')
}

/** The error of the handler's own, as it came over. */
function causeOf(error: PoolError): Error & { code?: unknown } {
  assert.instance(error.cause, Error)
  return error.cause as Error & { code?: unknown } // asserted above
}

for (const shards of [0, 2]) {
  const where = shards === 0 ? 'on the calling thread' : 'in threads'

  test(`${where}: a handler sends many requests over one connection and returns a small result`, async () => {
    const pool = await open(shards)
    const numbers = Array.from({ length: 500 }, (_, index) => index)
    const result = await pool.handlers.sum(numbers)

    assert.is(result.total, 124_750)
    assert.is(result.threadId === threadId, shards === 0)
    assert.is(server.peers.length, 1)
    assert.is(server.lines.length, 500)
    assert.is(pool.stats().counters.requests, 0, 'none of its requests passed the calling thread')
    assert.is(pool.stats().counters.handlers, 1)
  })

  test(`${where}: a handler has its connection for itself`, async () => {
    const pool = await open(shards, { maxConnections: 1 })
    const stubborn = pool.handlers.stubborn('door')
    await server.received('hold door')
    const request = pool.request('behind it')
    const lease = pool.acquire()
    const second = pool.handlers.echo('behind both')
    await until(() => pool.stats().pending.leases === 2 && pool.stats().pending.requests === 1, 'all of them wait')
    assert.equal(server.lines, ['hold door'])
    server.release('door')

    assert.is(await stubborn, 'door')
    assert.is(await request, 'behind it')
    ;(await lease).release()
    assert.is(await second, 'behind both')
    assert.is(server.peers.length, 1)
  })

  test(`${where}: each word of progress comes in order, and before the result`, async () => {
    const pool = await open(shards)
    const seen: unknown[] = []
    const result = await pool.handlers.count(50, { onProgress: (value) => seen.push(value) })

    assert.is(result, 'counted')
    assert.equal(
      seen,
      Array.from({ length: 50 }, (_, index) => ({ at: index + 1, reply: `step ${index + 1}` })),
    )
  })

  test(`${where}: an abort rejects its caller at once with the signal's reason, and the handler sees it`, async () => {
    const pool = await open(shards)
    const controller = new AbortController()
    const reason = { why: 'enough' }
    const patient = pool.handlers.patient('one', { signal: controller.signal })
    await server.received('began one')
    controller.abort(reason)

    const met = await patient.then(
      () => 'resolved',
      (error: unknown) => error,
    )
    assert.is(met, reason)
    await server.received('aborted one')
    await settled(pool)
    assert.is(server.open.length, 1, 'it left its connection as it should, so that is kept')
    assert.is(await pool.handlers.echo('next'), 'next')
    assert.is(server.peers.length, 1)
  })

  for (const option of ['timeoutMs', 'handlerTimeoutMs'] as const) {
    test(`${where}: ${option} rejects the caller at once, and the connection stays the handler's until it ends`, async () => {
      const pool = await open(shards, { maxConnections: 1, ...(option === 'handlerTimeoutMs' ? { handlerTimeoutMs: 300 } : {}) })
      const error = await rejects(pool.handlers.stubborn('late', option === 'timeoutMs' ? { timeoutMs: 300 } : {}), 'REQUEST_TIMEOUT')
      assert.is(error.phase, 'handler')
      assert.is(error.outcome, 'maybe-executed')
      assert.equal(server.lines, ['hold late'])

      const next = pool.request('next')
      await until(() => pool.stats().pending.requests === 1, 'the next one waits')
      assert.is(
        pool.stats().shards.reduce((sum, shard) => sum + shard.handlers, 0),
        1,
      )
      assert.equal(server.lines, ['hold late'])
      server.release('late')
      assert.is(await next, 'next')
      assert.is(server.peers.length, 1, 'its reply was read, so its connection is reused')
    })
  }

  test(`${where}: a handler that waits in the queue can be aborted and can time out; it never begins`, async () => {
    const pool = await open(shards, { maxConnections: 1 })
    const lease = await pool.acquire()
    const controller = new AbortController()
    const aborted = pool.handlers.echo('aborted', { signal: controller.signal })
    const late = pool.handlers.echo('late', { timeoutMs: 50 })
    controller.abort()
    const reason = await aborted.catch((error: unknown) => error)
    assert.is(reason, controller.signal.reason)
    const error = await rejects(late, 'REQUEST_TIMEOUT')
    assert.is(error.phase, 'queue')
    assert.is(error.outcome, 'not-sent')
    assert.is(pool.stats().pending.leases, 0)
    lease.release()

    assert.is(await pool.handlers.echo('in time'), 'in time')
    assert.equal(server.lines, ['in time'])
  })

  test(`${where}: a handler whose signal is aborted already does not begin`, async () => {
    const pool = await open(shards)
    const reason = new Error('before')
    const met = await pool.handlers.echo('never', { signal: AbortSignal.abort(reason) }).catch((error: unknown) => error)
    assert.is(met, reason)
    assert.is(server.peers.length, 0)
  })

  test(`${where}: an abort right after the call leaves a connection that serves the next`, async () => {
    const pool = await open(shards, { maxConnections: 1 })
    await pool.request('warm')
    for (let turn = 0; turn < 50; turn++) {
      const controller = new AbortController()
      const aborted = pool.handlers.echo('aborted', { signal: controller.signal })
      controller.abort()
      assert.is(await aborted.catch((error: unknown) => error), controller.signal.reason)
      assert.is(await pool.handlers.echo(`turn ${turn}`), `turn ${turn}`)
    }
    assert.is(server.peers.length, 1)
  })

  for (const how of ['throw', 'reject', 'text'] as const) {
    test(`${where}: what a handler fails with (${how}) is the cause of HANDLER_FAILED`, async () => {
      const pool = await open(shards)
      const error = await rejects(pool.handlers.failing(how), 'HANDLER_FAILED')
      assert.is(error.phase, 'handler')
      const cause = causeOf(error)
      if (how === 'text') return assert.is(cause.message, 'only a text')
      assert.is(cause.message, 'not today')
      assert.is(cause.code, 'ENOTTODAY')
      assert.is(cause.name, 'DayError')
      assert.match(error.message, /'failing'/)
      await settled(pool)
      const { opened, closed } = pool.stats().counters
      assert.equal([opened, closed], [1, 0], 'a handler that fails leaves a good connection good')
    })
  }

  test(`${where}: the stack of a handler's error names sources, not bundles: its own and the package's`, async () => {
    const pool = await open(shards)
    const { stack = '' } = causeOf(await rejects(pool.handlers.failing('throw'), 'HANDLER_FAILED'))
    assert.match(stack, /session-handlers\.ts:\d+/)
    assert.match(stack, /pool-worker\/src\/runs\.ts:\d+/)
    assert.not.match(stack, /\/dist(-test)?\/.*\.js/)
  })

  test(`${where}: a result can be given away instead of copied`, async () => {
    const pool = await open(shards)
    const { bytes, label } = await pool.handlers.given(100_000)
    assert.is(label, 'label')
    assert.instance(bytes, Float64Array)
    assert.is(bytes.length, 100_000)
    assert.ok(bytes.every((value) => value === 0.5))

    const single = await open(shards, { maxConnections: 1 })
    assert.is((await single.handlers.giveAway(65_536)).byteLength, 65_536)
    assert.is(await single.handlers.left(undefined), 0, 'nothing of it stayed in the shard')
  })

  test(`${where}: what a handler changed is reset before the next caller`, async () => {
    const pool = await open(shards, { maxConnections: 1 })
    assert.is(await pool.handlers.change('blue'), 'ok')
    assert.is(await pool.request('get'), '-')
    assert.is(await pool.handlers.change('red'), 'ok')
    assert.is(await pool.handlers.read(undefined), '-')
    assert.is(server.peers.length, 1)
    assert.equal(server.lines, ['set blue', 'reset', 'get', 'set red', 'reset', 'get'])
  })

  test(`${where}: a handler that leaves a reply owed costs its connection, and the next caller gets another`, async () => {
    const pool = await open(shards, { maxConnections: 1 })
    assert.is(await pool.handlers.careless('debt'), 'done')
    assert.is(await pool.request('next'), 'next')
    server.release('debt')
    assert.is(server.peers.length, 2)
    await until(() => server.open.length === 1, 'the first has closed')
    assert.is(pool.stats().counters.closedBy.error, 1)
  })

  test(`${where}: through rings of 4 KiB a connection's end may come in several pieces`, async () => {
    const pool = await open(shards, { maxConnections: 1, ringBytes: 4096 })
    assert.is(await pool.handlers.careless('debt'), 'done')
    assert.is(await pool.request('next'), 'next')
    assert.is(pool.stats().counters.closedBy.error, 1)
    assert.equal(pool.check(), [])
  })

  test(`${where}: progress beyond maxBufferedBytes is RESOURCE_EXHAUSTED, and the pool goes on`, async () => {
    const pool = await open(shards, { maxConnections: 1, ringBytes: 4096, maxBufferedBytes: 16_384 })
    const error = await rejects(pool.handlers.report(['x'.repeat(40_000)]), 'RESOURCE_EXHAUSTED')
    assert.is(error.outcome, 'maybe-executed')
    const texts = ['y'.repeat(9_000), 'z'.repeat(9_000)]
    const heard: unknown[] = []
    assert.is(await pool.handlers.report(texts, { onProgress: (text) => void heard.push(text) }), texts[1])
    assert.equal(heard, texts)
    await settled(pool)
    assert.equal(pool.check(), [])
  })

  test(`${where}: a handler meets the loss of its connection in its requests`, async () => {
    const pool = await open(shards, { maxConnections: 1 })
    assert.is(await pool.handlers.bereaved(undefined), 'CONNECTION_LOST')
    const error = await rejects(pool.handlers.orphaned(undefined), 'HANDLER_FAILED')
    assert.is(causeOf(error).code, 'CONNECTION_LOST')
    assert.is(await pool.handlers.echo('next'), 'next')
    assert.is(pool.stats().connections, 1)
    assert.is(pool.stats().counters.closedBy['peer-end'], 2)
  })

  test(`${where}: a handler that has ended can use its connection no more`, async () => {
    const pool = await open(shards, { maxConnections: 1 })
    await pool.handlers.keepConnection(undefined)
    assert.is(await pool.handlers.useKept(undefined), 'LEASE_RELEASED')
    assert.equal(server.lines, [])
  })

  test(`${where}: what cannot be cloned is refused, as input, as progress and as a result`, async () => {
    const pool = await open(shards, { maxConnections: 1 })
    const given = pool.handlers.echo as (input: unknown) => Promise<string> // what its type forbids
    const input = await rejects(
      given(() => 1),
      'NOT_CLONEABLE',
    )
    assert.is(input.outcome, 'not-sent')
    const progress = await rejects(pool.handlers.uncloneable('progress'), 'HANDLER_FAILED')
    assert.is(causeOf(progress).code, 'NOT_CLONEABLE')
    const result = await rejects(pool.handlers.uncloneable('result'), 'NOT_CLONEABLE')
    assert.is(result.outcome, 'executed')
    assert.is(await pool.handlers.echo('next'), 'next')
    assert.is(server.peers.length, 1)
  })

  test(`${where}: handlers see the protocol's options, frozen, and only functions are handlers`, async () => {
    const greeting = { greeting: 'hello' }
    const pool = await sessions.open({ shards }, greeting)
    assert.equal(await pool.handlers.options(undefined), { options: greeting, frozen: true, client: undefined })
    assert.ok(Object.isFrozen(pool.handlers))
    assert.not.ok('version' in pool.handlers)
    assert.not.ok('toString' in pool.handlers)
  })

  test(`${where}: close() waits for the handlers that run, then destroys what is left`, async () => {
    const pool = await open(shards)
    const ends = pool.handlers.stubborn('ends')
    await server.received('hold ends')
    const closing = pool.close()
    await rejects(pool.handlers.echo('too late'), 'POOL_CLOSED')
    server.release('ends')
    assert.is(await ends, 'ends')
    await closing

    const other = await open(shards)
    const never = rejects(other.handlers.stubborn('never'), 'POOL_CLOSED')
    await server.received('hold never')
    await other.close({ timeoutMs: 1 })
    await never
  })

  test(`${where}: of thousands of handlers, 64 at a time on 4 connections, none is lost and each has its own result`, async () => {
    const pool = await open(shards)
    const total = 4_000
    let next = 0
    const wrong: string[] = []
    const worker = async (): Promise<void> => {
      while (next < total) {
        const text = `call ${next++}`
        const reply = await pool.handlers.echo(text)
        if (reply !== text) wrong.push(`${text}: ${reply}`)
      }
    }
    await Promise.all(Array.from({ length: 64 }, worker))

    assert.equal(wrong, [])
    assert.is(server.lines.length, total)
    assert.is(new Set(server.lines).size, total)
    assert.is(server.peers.length, 4)
    assert.is(pool.stats().counters.handlers, total)
    await settled(pool)
  })
}

for (const shards of [0, 1]) {
  const where = shards === 0 ? 'on the calling thread' : 'in a thread'

  test(`${where}: a handler called just after the peer's FIN begins on another connection`, async () => {
    const pool = await open(shards, { maxConnections: 2 })
    for (let turn = 0; turn < 20; turn++) {
      await pool.request(`warm ${turn}`)
      for (const peer of server.open) if (!peer.socket.writableEnded) await server.finish(peer)
      assert.is(await pool.handlers.echo(`turn ${turn}`), `turn ${turn}`)
    }
    await settled(pool)
  })
}

test('handlers, requests and leases share the connections without mixing up replies', async () => {
  const pool = await open(2)
  const wrong: string[] = []
  const one = async (turn: number): Promise<void> => {
    const text = `mixed ${turn}`
    const replies =
      turn % 3 === 0
        ? [await pool.handlers.echo(text)]
        : turn % 3 === 1
          ? [await pool.request(text)]
          : await pool.use(async (lease) => Promise.all([lease.request(text), lease.request(text)]))
    for (const reply of replies) if (reply !== text) wrong.push(`${text}: ${reply}`)
  }
  await Promise.all(Array.from({ length: 600 }, (_, turn) => one(turn)))
  assert.equal(wrong, [])
  assert.ok(server.peers.length <= 4)
})

test('a caller who has gone is told nothing more of a handler, which tells its progress to nobody', async () => {
  const pool = await open(1, { maxConnections: 1 })
  const controller = new AbortController()
  const seen: unknown[] = []
  const counting = pool.handlers.count(2_000, {
    signal: controller.signal,
    onProgress: (value) => {
      seen.push(value)
      controller.abort()
    },
  })
  const reason = await counting.catch((error: unknown) => error)
  assert.is(reason, controller.signal.reason)
  assert.not.ok(PoolError.is(reason))
  assert.is(await pool.request('after it'), 'after it')
  assert.is(server.lines.length, 2_001)
  assert.is(seen.length, 1)
})

test.run()
