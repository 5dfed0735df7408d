/** What OpenTelemetry was given, as a test reads it. */
import { type Attributes, context } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { type DataPoint, type Histogram, MeterProvider, type MetricData, MetricReader } from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import * as assert from 'uvu/assert'

/** Reads when it is asked to. */
class Reader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}

  protected override async onShutdown(): Promise<void> {}
}

/** A point: a number, or how many times were recorded and their sum. */
export interface Point {
  readonly attributes: Attributes
  readonly value: number
  readonly sum: number | undefined
}

/** Metrics of one test. */
export interface Metrics {
  readonly provider: MeterProvider
  /** All there are now, by name. */
  read(): Promise<Map<string, { readonly data: MetricData; readonly points: readonly Point[] }>>
}

export function collectMetrics(): Metrics {
  const reader = new Reader()
  return {
    provider: new MeterProvider({ readers: [reader] }),
    async read() {
      const { resourceMetrics, errors } = await reader.collect()
      assert.equal(errors, [])
      const all = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics)
      return new Map(all.map((data) => [data.descriptor.name, { data, points: data.dataPoints.map(toPoint) }]))
    },
  }
}

function toPoint({ attributes, value }: DataPoint<unknown>): Point {
  if (typeof value === 'number') return { attributes, value, sum: undefined }
  const { count, sum } = value as Histogram // the only other kind that we make
  return { attributes, value: count, sum }
}

/** Spans of one test. */
export interface Spans {
  readonly provider: BasicTracerProvider
  /** Those that have ended, oldest first. */
  ended(): ReadableSpan[]
}

export function collectSpans(): Spans {
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  return { provider, ended: () => exporter.getFinishedSpans() }
}

/** Keeps contexts across promises from now on, as an application's SDK does. Returns what ends it. */
export function keepContexts(): () => void {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  return () => context.disable()
}
