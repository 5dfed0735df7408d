/** What users get wrong, and their protocols, handlers and servers: each is told by its code, and the pool goes on working. */
import { once } from 'node:events'
import { type Pool, type PoolError, protocolAt, ReplyError, raw } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { Hook } from '../fixtures/faulty-protocol.ts'
import { eachShards, type FaultyModule, HANDLERS, oracle, PROTOCOL, serves, story, thrownBy, works } from '../support/faulty.ts'
import { createPool } from '../support/pools.ts'

const test = suite('bad input')

test.after(() => oracle.close())

// Requests and replies.

eachShards(test, 'a request that cannot be encoded is BAD_REQUEST for its caller alone', async ({ pool }) => {
  for (const [bad, message] of [
    ['fail-encode', /encode fails/],
    ['two\nlines', /delimiter/],
  ] as const) {
    const before = oracle.ask('now')
    const after = oracle.ask('now')
    const calls = [pool.request(before.request), pool.request(bad), pool.request(after.request)] as const
    const error = await rejects(calls[1], 'BAD_REQUEST')
    assert.is(error.outcome, 'not-sent')
    assert.match(story(error), message)
    assert.equal(await Promise.all([calls[0], calls[2]]), [before.nonce, after.nonce])
    await pool.use(async (lease) => {
      await rejects(lease.request(bad), 'BAD_REQUEST')
      const { nonce, request } = oracle.ask('now')
      assert.is(await lease.request(request), nonce)
    })
    assert.match(story(await rejects(pool.handlers.ask(bad), 'HANDLER_FAILED')), message)
  }
  // A caller without types.
  await rejects(pool.request(42 as unknown as string), 'BAD_REQUEST')
  assert.is(pool.stats().counters.closed, 0)
})

eachShards(
  test,
  'a reply over maxReplyBytes is REPLY_TOO_LARGE',
  async ({ pool }) => {
    const error = await rejects(pool.request(oracle.ask('big', 5_000).request), 'REPLY_TOO_LARGE')
    assert.is(error.outcome, 'maybe-executed')
    assert.is(error.phase, 'reply')
    await works(pool)
    await pool.use(async (lease) => {
      await rejects(lease.request(oracle.ask('big', 5_000).request), 'REPLY_TOO_LARGE')
      await rejects(lease.request(oracle.ask('now').request), 'CONNECTION_LOST')
    })
    await rejects(pool.handlers.ask(oracle.ask('big', 5_000).request), 'HANDLER_FAILED')
    const { nonce, request } = oracle.ask('big', 900)
    assert.is(await pool.request(request), `${nonce} ${'x'.repeat(900)}`)
  },
  { maxReplyBytes: 1_000 },
)

for (const [what, request] of [
  ['framer that throws', 'fail-framer now'],
  ['framer that emits what is not there', 'fail-emit now'],
  ['decode that throws', 'fail-decode now'],
] as const) {
  eachShards(test, `a ${what} is PROTOCOL_ERROR with the cause, and ends its connection alone`, async ({ pool }) => {
    const held = oracle.ask('hold')
    const other = await pool.acquire()
    const waiting = other.request(held.request)
    const error = await rejects(pool.request(request), 'PROTOCOL_ERROR')
    assert.match(story(error), /fails|a frame from/)
    assert.not.equal(error.outcome, 'not-sent')
    oracle.release(held.nonce)
    assert.is(await waiting, held.nonce)
    other.release()
    await pool.use(async (lease) => {
      await rejects(lease.request(request), 'PROTOCOL_ERROR')
      await rejects(lease.request('now'), 'CONNECTION_LOST')
      assert.ok(lease.signal.aborted)
    })
    assert.match(story(await rejects(pool.handlers.ask(request), 'HANDLER_FAILED')), /fails|a frame from/)
  })
}

eachShards(test, 'an error reply rejects its caller with ReplyError, and the connection stays', async ({ pool }) => {
  await pool.use(async (lease) => {
    const { id } = lease.connection
    const error = await lease.request('reply-error now').catch((thrown: unknown) => thrown)
    assert.ok(ReplyError.is(error))
    assert.is(error.code, 'ERR')
    await serves(pool)
    assert.is(lease.connection.id, id)
  })
  assert.ok(ReplyError.is(await pool.request('reply-error now').catch((thrown: unknown) => thrown)))
  const failed = await rejects(pool.handlers.ask('reply-error now'), 'HANDLER_FAILED')
  assert.ok(ReplyError.is(failed.cause))
  assert.is(pool.stats().counters.closed, 0)
})

eachShards(test, 'a reply that belongs to another request is DESYNC', async ({ pool }) => {
  await rejects(pool.request(oracle.ask('wrong').request), 'DESYNC')
  await works(pool)
  await pool.use((lease) => rejects(lease.request(oracle.ask('wrong').request), 'DESYNC'))
  const failed = await rejects(pool.handlers.ask(oracle.ask('wrong').request), 'HANDLER_FAILED')
  assert.is((failed.cause as PoolError).code, 'DESYNC')
})

eachShards(test, 'a request that needs a lease, or that scope() cannot judge, is BAD_REQUEST', async ({ pool }) => {
  assert.match((await rejects(pool.request('lease-1 now'), 'BAD_REQUEST')).message, /lease/)
  assert.match(story(await rejects(pool.request('fail-scope now'), 'BAD_REQUEST')), /scope fails/)
  await pool.use(async (lease) => {
    await rejects(lease.request('fail-scope now'), 'BAD_REQUEST')
    assert.is(await lease.request('lease-1 now'), 'lease-1')
  })
})

// Hooks.

eachShards(test, 'an onConnect that throws is HOOK_FAILED with the cause', async ({ pool, failing }) => {
  failing(Hook.ON_CONNECT)
  for (const call of [pool.acquire(), pool.request('a now'), pool.handlers.ask('a now')]) {
    const error = await rejects(call, 'HOOK_FAILED')
    assert.match(story(error), /hook 1 fails/)
    assert.is(error.outcome, 'not-sent')
  }
  const up = once(pool.events, 'endpointUp')
  failing(0)
  await up
})

eachShards(test, 'a reset that throws destroys the connection', async ({ pool, failing, failed }) => {
  failing(Hook.RESET)
  const id = await pool.use(async (lease) => {
    await lease.request('lease-1 now')
    return lease.connection.id
  })
  await until(() => failed() === 1 && pool.stats().connections === 0, 'the connection is gone')
  failing(0)
  await pool.use(async (lease) => assert.is.not(lease.connection.id, id))
})

eachShards(
  test,
  'a reset that does not end destroys the connection',
  async ({ pool, failing }) => {
    failing(Hook.SLOW_RESET)
    await pool.use((lease) => lease.request('lease-1 now'))
    await until(() => pool.stats().counters.closed === 1, 'the connection is gone')
    failing(0)
  },
  { probeTimeoutMs: 20 },
)

eachShards(test, 'a framer that cannot be made fails the connect', async ({ pool, failing }) => {
  failing(Hook.FRAMER)
  const error = await rejects(pool.acquire(), 'PROTOCOL_ERROR')
  assert.match(story(error), /hook 4 fails/)
  assert.is(error.outcome, 'not-sent')
  const up = once(pool.events, 'endpointUp')
  failing(0)
  await up
})

eachShards(
  test,
  'a probe that throws replaces the connection, unseen by its caller',
  async ({ pool, failing, failed }) => {
    failing(Hook.PROBE)
    while (failed() === 0) {
      const { nonce, request } = oracle.ask('now')
      assert.is(await pool.request(request), nonce)
      await new Promise((resolve) => setImmediate(resolve))
    }
    failing(0)
  },
  { probeAfterIdleMs: 1 },
)

// Handlers.

eachShards(test, 'an input that cannot be cloned is NOT_CLONEABLE and was not sent', async ({ pool }) => {
  // A caller without types.
  const error = await rejects(pool.handlers.ask((() => 1) as unknown as string), 'NOT_CLONEABLE')
  assert.is(error.outcome, 'not-sent')
})

eachShards(test, 'a result that cannot be cloned is NOT_CLONEABLE, and was executed', async ({ pool }) => {
  const error = await rejects(pool.handlers.giveFunction(undefined as never), 'NOT_CLONEABLE')
  assert.is(error.outcome, 'executed')
  assert.is(error.phase, 'handler')
})

eachShards(test, 'a report that cannot be cloned fails in the handler', async ({ pool }) => {
  const error = await rejects(pool.handlers.reportFunction(undefined), 'HANDLER_FAILED')
  assert.is((error.cause as PoolError).code, 'NOT_CLONEABLE')
})

eachShards(test, 'a handler that throws is HANDLER_FAILED, with what it threw as the cause', async ({ pool }) => {
  const error = await rejects(pool.handlers.fail('no luck'), 'HANDLER_FAILED')
  assert.match(error.message, /'fail' failed: no luck/)
  const cause = error.cause as Error & { code?: string } // what the handler threw
  assert.is(cause.name, 'RangeError')
  assert.is(cause.message, 'no luck')
  assert.is(cause.code, 'EHANDLER')
  await rejects(pool.handlers.failWithNothing(undefined as never), 'HANDLER_FAILED')
})

eachShards(test, 'a handler that does not exist is undefined, and so is what no object has', async ({ pool }) => {
  // A caller without types.
  const handlers = pool.handlers as unknown as Record<string, unknown>
  for (const name of ['absent', 'notAFunction', 'constructor', 'toString', '__proto__']) assert.is(handlers[name], undefined)
  assert.ok(Object.isFrozen(pool.handlers))
})

// Leases and streams.

eachShards(test, 'after its release a lease is LEASE_RELEASED, and disposing of it does nothing', async ({ pool }) => {
  for (const end of ['release', 'destroy'] as const) {
    const lease = await pool.acquire()
    lease[end]()
    assert.is(thrownBy(() => lease.release()).code, 'LEASE_RELEASED')
    assert.is(thrownBy(() => lease.destroy()).code, 'LEASE_RELEASED')
    assert.is(thrownBy(() => lease.stream()).code, 'LEASE_RELEASED')
    assert.is(thrownBy(() => lease.onPush(() => undefined)).code, 'LEASE_RELEASED')
    const error = await rejects(lease.request('late now'), 'LEASE_RELEASED')
    assert.is(error.outcome, 'not-sent')
    lease[Symbol.dispose]()
    await lease[Symbol.asyncDispose]()
  }
  await pool.use((lease) => lease.release())
  assert.not.ok((await oracle.log()).includes('late'))
})

eachShards(test, 'a stream is taken once, with nothing owed, and ends requests', async ({ pool }) => {
  const lease = await pool.acquire()
  const { nonce, request } = oracle.ask('hold')
  const owed = lease.request(request)
  assert.is(thrownBy(() => lease.stream()).code, 'BAD_REQUEST')
  oracle.release(nonce)
  assert.is(await owed, nonce)
  lease.stream()
  assert.is(thrownBy(() => lease.stream()).code, 'LEASE_RELEASED')
  await rejects(lease.request('late now'), 'BAD_REQUEST')
  lease.release()
})

for (const shards of [0, 1]) {
  test(`a request on raw() is BAD_REQUEST and its stream works on, shards ${shards}`, async () => {
    const pool = await createPool({ endpoint: oracle.endpoint, protocol: raw(), shards })
    try {
      // A caller without types.
      const untyped = pool as unknown as Pool<string, string>
      await rejects(untyped.request('a'), 'BAD_REQUEST')
      await untyped.use(async (lease) => {
        await rejects(lease.request('a'), 'BAD_REQUEST')
        const { nonce, request } = oracle.ask('now')
        const stream = lease.stream()
        stream.end(`${request}\n`)
        let text = ''
        for await (const chunk of stream) text += String(chunk)
        assert.is(text, `welcome\n${nonce}\n`)
      })
    } finally {
      await pool.close()
    }
  })
}

// The server, the queue, the end.

eachShards(test, 'bytes that nobody asked for remove an idle connection', async ({ pool }) => {
  const id = await pool.use(async (lease) => lease.connection.id)
  oracle.stray('surprise\n')
  await until(() => pool.stats().connections === 0, 'the connection is gone')
  await pool.use(async (lease) => assert.is.not(lease.connection.id, id))
})

eachShards(
  test,
  'one caller more than maxPending is QUEUE_FULL at once',
  async ({ pool }) => {
    const leases = [await pool.acquire(), await pool.acquire()]
    const waiting = pool.acquire()
    for (const call of [pool.acquire(), pool.request('full now'), pool.handlers.ask('full now')]) {
      const error = await rejects(call, 'QUEUE_FULL')
      assert.is(error.outcome, 'not-sent')
      assert.is(error.counts?.pending, 1)
    }
    for (const lease of leases) lease.release()
    ;(await waiting).release()
    assert.not.ok((await oracle.log()).includes('full'))
  },
  { maxPending: 1 },
)

for (const shards of [0, 1]) {
  test(`after close everything is POOL_CLOSED, shards ${shards}`, async () => {
    const protocol = protocolAt<FaultyModule>(PROTOCOL, { words: new Int32Array(2) })
    const pool = await createPool({ endpoint: oracle.endpoint, protocol, handlers: HANDLERS, shards })
    await works(pool)
    const closed = pool.close()
    for (const moment of ['while closing', 'closed'] as const) {
      for (const call of [pool.acquire(), pool.request('shut now'), pool.handlers.ask('shut now'), pool.use(() => 1), pool.ready()]) {
        const error = await rejects(call, 'POOL_CLOSED')
        assert.is(error.outcome, 'not-sent', moment)
      }
      assert.is(thrownBy(() => pool.tryAcquire()).code, 'POOL_CLOSED')
      assert.is(pool.close(), closed)
      await closed
    }
    assert.not.ok((await oracle.log()).includes('shut'))
  })
}

eachShards(test, 'options of a call that are wrong are BAD_OPTION, and name the option', async ({ pool }) => {
  const signal = new AbortController()
  for (const [given, name] of [
    [{ timeoutMs: 0 }, 'timeoutMs'],
    [{ timeoutMs: -1 }, 'timeoutMs'],
    [{ timeoutMs: Number.NaN }, 'timeoutMs'],
    [{ timeoutMs: '100' }, 'timeoutMs'],
    [{ signal }, 'signal'],
    [{ signal: true }, 'signal'],
    [{ timeout: 100 }, 'timeoutMs'],
  ] as const) {
    const options = given as { timeoutMs?: number } // a caller without types
    const lease = await pool.acquire()
    const calls = [
      pool.acquire(options),
      pool.use(() => 1, options),
      pool.request('bad now', options),
      pool.handlers.ask('bad now', options),
      lease.request('bad now', options),
      pool.ready(options),
    ]
    for (const call of calls) assert.match((await rejects(call, 'BAD_OPTION')).message, name)
    lease.release()
  }
  const held = await pool.acquire()
  const reuse = { reuseable: true } as { reusable?: boolean } // what a slip of the pen gives
  assert.match(thrownBy(() => held.release(reuse)).message, /reuseable: is unknown; did you mean reusable/)
  assert.is(thrownBy(() => held.onPush('listener' as unknown as () => void)).code, 'BAD_OPTION')
  held.release() // it is held still
  await rejects(pool.close({ timeoutMs: -1 }), 'BAD_OPTION')
  await rejects(pool.use('work' as unknown as () => 1), 'BAD_OPTION')
  assert.not.ok((await oracle.log()).includes('bad'))
})

test.run()
