import { tracingChannel } from 'node:diagnostics_channel'
import { instrument } from '@cenote/pool-core/opentelemetry'
import { type Attributes, context, type MeterProvider, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import * as assert from 'uvu/assert'
import { rejects, suite } from '../../../pool-worker/test/kit/kit.ts'
import { freePort } from '../../../pool-worker/test/kit/servers.ts'
import { collectMetrics, collectSpans, keepContexts } from '../support/otel.ts'
import { closing, echo, startPeer } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'
import { sessionsFor } from '../support/sessions.ts'

const test = suite('OpenTelemetry spans')
const { server, open } = sessionsFor(test, { shards: 2, maxConnections: 2 })
const keep = closing(test)
let forget: () => void

test.before.each(() => {
  forget = keepContexts()
})

test.after.each(() => forget())

/** By name: of several of one name the last. */
const byName = (spans: readonly ReadableSpan[]): Map<string, ReadableSpan> => new Map(spans.map((span) => [span.name, span]))
const parentOf = (span: ReadableSpan | undefined): string | undefined => span?.parentSpanContext?.spanId
const namesOf = (spans: readonly ReadableSpan[]): string[] => spans.map(({ name }) => name)

for (const shards of [0, 2]) {
  const where = shards === 0 ? 'on the calling thread' : 'in threads'

  test(`${where}: each operation is a span, a child of what is active at the call; the caller's context is kept`, async () => {
    const { provider, ended } = collectSpans()
    const pool = await open({ shards, name: 'spanned' })
    const stop = instrument(pool, { database: 'lines', meterProvider: false, tracerProvider: provider })
    const parent = provider.getTracer('test').startSpan('parent')
    await context.with(trace.setSpan(context.active(), parent), async () => {
      await pool.request('shared')
      assert.is(trace.getActiveSpan(), parent)
      await pool.use(async (lease) => {
        assert.is(trace.getActiveSpan(), parent)
        await lease.request('leased')
      })
      await pool.handlers.echo('handled')
      assert.is(trace.getActiveSpan(), parent)
    })
    parent.end()
    stop()
    const spans = ended()
    assert.equal(namesOf(spans).sort(), [
      ...['cenote.acquire', 'cenote.connect', 'cenote.handler', 'cenote.request', 'cenote.request', 'parent'],
    ])
    for (const span of spans.filter(({ name }) => name !== 'parent')) {
      assert.is(parentOf(span), parent.spanContext().spanId, span.name)
      const { attributes, status, kind } = span
      assert.is(attributes['cenote.pool.name'], 'spanned')
      assert.is(attributes['db.system.name'], 'lines')
      assert.is(attributes['server.address'], '127.0.0.1')
      assert.is(`tcp://127.0.0.1:${attributes['server.port']}`, server.endpoint)
      assert.is(attributes['network.transport'], 'tcp')
      assert.match(String(attributes['cenote.connection.id']), /^\d+\/\d+\/\d+$/)
      assert.is(attributes['cenote.shard'], Number(String(attributes['cenote.connection.id']).split('/')[0]))
      assert.is(attributes['error.type'], undefined)
      assert.is(status.code, SpanStatusCode.UNSET)
      assert.is(kind, span.name === 'cenote.acquire' ? SpanKind.INTERNAL : SpanKind.CLIENT)
    }
    assert.is(byName(spans).get('cenote.handler')?.attributes['cenote.handler'], 'echo')
  })

  test(`${where}: what fails has the type of its error, and its end`, async () => {
    const { provider, ended } = collectSpans()
    const pool = await open({ shards: Math.min(shards, 1), maxConnections: 1 })
    const stop = instrument(pool, { meterProvider: false, tracerProvider: provider })
    await rejects(pool.request('bye'), 'CONNECTION_LOST')
    const lease = await pool.acquire()
    await rejects(pool.acquire({ timeoutMs: 5 }), 'ACQUIRE_TIMEOUT')
    lease.release()
    await rejects(pool.handlers.failing('throw'), 'HANDLER_FAILED')
    await pool.request('early', { signal: AbortSignal.abort() }).catch(() => undefined)
    stop()
    const failed = ended().filter(({ status }) => status.code === SpanStatusCode.ERROR)
    assert.equal(
      failed.map(({ name, attributes }) => [name, attributes['error.type']]),
      [
        ['cenote.request', 'CONNECTION_LOST'],
        ['cenote.acquire', 'ACQUIRE_TIMEOUT'],
        ['cenote.handler', 'HANDLER_FAILED'],
        ['cenote.request', 'AbortError'],
      ],
    )
    for (const { status } of failed) assert.not.match(String(status.message), 'not today')
  })
}

test('a connect that fails is a span with its error, and where it went', async () => {
  const { provider, ended } = collectSpans()
  const port = await freePort()
  const pool = await open({ endpoint: `tcp://127.0.0.1:${port}`, failFastAfter: 1 })
  const stop = instrument(pool, { meterProvider: false, tracerProvider: provider })
  await rejects(pool.request('never'), 'CONNECT_FAILED')
  stop()
  const span = byName(ended()).get('cenote.connect')
  const { 'server.port': at, 'error.type': type }: Attributes = span?.attributes ?? {}
  assert.equal([at, type, span?.status.code], [port, 'CONNECT_FAILED', SpanStatusCode.ERROR])
})

test('a unix socket is told of as one', async () => {
  const { provider, ended } = collectSpans()
  const peer = await keep(startPeer(echo, { transport: 'unix' }))
  const pool = await keep(createPool({ endpoint: peer.endpoint, shards: 1, maxConnections: 1 }))
  const stop = instrument(pool, { meterProvider: false, tracerProvider: provider })
  await pool.use(() => undefined)
  stop()
  const { attributes } = byName(ended()).get('cenote.acquire') ?? {}
  assert.equal([attributes?.['server.address'], attributes?.['network.transport']], [peer.endpoint.slice('unix:'.length), 'unix'])
  assert.is(attributes?.['server.port'], undefined)
})

const NAMES = ['acquire', 'connect', 'request', 'handler'] as const
const heard = (): boolean =>
  NAMES.map((name) => tracingChannel(`cenote:${name}`)).some(({ start, asyncEnd }) => start.hasSubscribers || asyncEnd.hasSubscribers)

test('spans that have begun end when telling ends', async () => {
  const { provider, ended } = collectSpans()
  const pool = await open({ shards: 1, maxConnections: 1 })
  const stop = instrument(pool, { meterProvider: false, tracerProvider: provider })
  await pool.use(async () => {
    const waiting = pool.acquire()
    const before = namesOf(ended())
    stop()
    assert.equal(namesOf(ended()).slice(before.length), ['cenote.acquire'])
    setImmediate(() => void waiting.then((lease) => lease.release()))
  })
  await pool.use(() => undefined)
  assert.equal(namesOf(ended()).filter((name) => name === 'cenote.acquire').length, 2, 'none ends twice')
})

test('telling ends with the pool; the same provider is not told of it twice', async () => {
  const { provider, ended } = collectSpans()
  const metrics = collectMetrics().provider
  const observing = new Set<unknown>()
  const meterProvider: MeterProvider = {
    getMeter(...named) {
      const meter = metrics.getMeter(...named)
      meter.addBatchObservableCallback = (callback) => void observing.add(callback)
      meter.removeBatchObservableCallback = (callback) => void observing.delete(callback)
      return meter
    },
  }
  const pool = await open({ shards: 1 })
  const stop = instrument(pool, { meterProvider, tracerProvider: provider })
  for (const options of [
    { meterProvider, tracerProvider: false },
    { meterProvider: false, tracerProvider: provider },
  ] as const) {
    const error = await rejects(
      Promise.resolve().then(() => instrument(pool, options)),
      'BAD_OPTION',
    )
    assert.match(error.message, /^(meter|tracer)Provider: is told of this pool already$/)
  }
  stop()
  instrument(pool, { meterProvider, tracerProvider: provider })
  await pool.request('one')
  assert.equal([observing.size, heard()], [1, true])
  await pool.close()
  assert.equal([observing.size, heard()], [0, false])
  assert.equal(namesOf(ended()).sort(), ['cenote.connect', 'cenote.request'])
})

test('another pool is not told of, and after its end nobody listens', async () => {
  const { provider, ended } = collectSpans()
  const [pool, other] = [await open(), await open()]
  const stop = instrument(pool, { meterProvider: false, tracerProvider: provider })
  await other.request('other')
  assert.equal(ended(), [])
  assert.ok(tracingChannel('cenote:request').start.hasSubscribers)
  stop()
  await pool.request('one')
  assert.equal(ended(), [])
  assert.not.ok(heard())
})

test.run()
