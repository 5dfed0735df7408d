/** A pool's operations as OpenTelemetry spans, made from its tracing channels. */
import type { TracingChannel } from 'node:diagnostics_channel'
import { parseEndpoint } from '@cenote/pool-worker'
import { type Attributes, context, type Span, SpanKind, SpanStatusCode, type Tracer, type TracerProvider } from '@opentelemetry/api'
import { VERSION } from '../version.ts'
import { acquireChannel, connectChannel, handlerChannel, requestChannel } from './channels.ts'
import type { Inside } from './inside.ts'
import { ATTRIBUTES, SPANS } from './names.ts'
import { CallTrace, ConnectTrace } from './traces.ts'

/**
 * Makes a span of each operation of a pool, a child of what is active where it begins.
 *
 * @param system - `db.system.name`, if it is known.
 * @returns What ends it, and the spans that have begun.
 */
export function spanPool(inside: Inside, system: string | undefined, provider: TracerProvider): () => void {
  const tracer = provider.getTracer('cenote', VERSION)
  const common: Attributes = { [ATTRIBUTES.pool]: inside.name, ...(system === undefined ? {} : { [ATTRIBUTES.system]: system }) }
  const ends = [
    follow(acquireChannel, SPANS.acquire, SpanKind.INTERNAL, tracer, inside, common),
    follow(connectChannel, SPANS.connect, SpanKind.CLIENT, tracer, inside, common),
    follow(requestChannel, SPANS.request, SpanKind.CLIENT, tracer, inside, common),
    follow(handlerChannel, SPANS.handler, SpanKind.CLIENT, tracer, inside, common),
  ]
  return () => {
    for (const end of ends) end()
  }
}

function follow<T extends object>(
  { start, asyncEnd }: TracingChannel<unknown, T>,
  name: string,
  kind: SpanKind,
  tracer: Tracer,
  { traces }: Inside,
  attributes: Attributes,
): () => void {
  const spans = new Map<object, Span>()
  const begin = (trace: unknown): void => {
    if ((trace instanceof CallTrace || trace instanceof ConnectTrace) && trace.isOf(traces))
      spans.set(trace, tracer.startSpan(name, { kind, attributes }, context.active()))
  }
  const end = (trace: unknown): void => {
    if (!(trace instanceof CallTrace || trace instanceof ConnectTrace)) return
    const span = spans.get(trace)
    if (span === undefined) return
    spans.delete(trace)
    span.setAttributes(toldBy(trace))
    if (trace.error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: trace.error.message })
    span.end()
  }
  start.subscribe(begin)
  asyncEnd.subscribe(end)
  return () => {
    start.unsubscribe(begin)
    asyncEnd.unsubscribe(end)
    for (const span of spans.values()) span.end() // of how it goes on nothing is known
    spans.clear()
  }
}

/** What an operation's object tells at its end. It holds no data, so neither does this. */
function toldBy(trace: CallTrace | ConnectTrace): Attributes {
  const { endpoint, connection, shard, error } = trace
  return {
    ...(endpoint === undefined ? {} : serverOf(endpoint)),
    ...(connection === undefined ? {} : { [ATTRIBUTES.connection]: connection }),
    ...(shard === undefined ? {} : { [ATTRIBUTES.shard]: shard }),
    ...(trace instanceof CallTrace && trace.handler !== undefined ? { [ATTRIBUTES.handler]: trace.handler } : {}),
    ...(error === undefined ? {} : { [ATTRIBUTES.error]: typeOf(error) }),
  }
}

/** An error's code; without one, its name. */
function typeOf(error: Error): string {
  const code: unknown = Reflect.get(error, 'code')
  return typeof code === 'string' ? code : error.name
}

function serverOf(printed: string): Attributes {
  const endpoint = parseEndpoint(printed)
  if (endpoint.transport === 'unix') return { [ATTRIBUTES.serverAddress]: endpoint.path, [ATTRIBUTES.transport]: 'unix' }
  return { [ATTRIBUTES.serverAddress]: endpoint.host, [ATTRIBUTES.serverPort]: endpoint.port, [ATTRIBUTES.transport]: 'tcp' }
}
