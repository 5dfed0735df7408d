/** A pool's numbers as OpenTelemetry metrics. */
import type { Attributes, BatchObservableResult, Histogram, Meter, MeterProvider, Observable } from '@opentelemetry/api'
import type { TimeKind } from '../stats.ts'
import { throwLater } from '../throw-later.ts'
import { VERSION } from '../version.ts'
import type { Inside } from './inside.ts'
import { ATTRIBUTES, CONNECTION_METRICS, type Metric, OWN_METRICS, SECONDS } from './names.ts'

/** Of each call kind in the counters: the word for it in an attribute. */
const KINDS = { acquires: 'acquire', requests: 'request', handlers: 'handler' } as const

type Observables<Metrics> = { readonly [Name in keyof Metrics]: Observable }
type Observed = Omit<typeof CONNECTION_METRICS, 'createTime' | 'waitTime' | 'useTime'> & typeof OWN_METRICS

/**
 * Observes a pool: its numbers whenever somebody reads, its times as they are measured.
 *
 * @param system - `db.system.name`, if it is known.
 * @returns What ends it.
 */
export function meterPool(inside: Inside, prefix: string, system: string | undefined, provider: MeterProvider): () => void {
  const meter = provider.getMeter('cenote', VERSION)
  const connection: Attributes = { [prefix + ATTRIBUTES.connectionPool]: inside.name }
  if (system !== undefined) connection[ATTRIBUTES.system] = system
  const { createTime, waitTime, useTime, ...counts } = CONNECTION_METRICS
  const observables = { ...observablesOf(meter, counts, prefix), ...observablesOf(meter, OWN_METRICS, '') }
  const observe = (result: BatchObservableResult): void => observeAll(result, observables, inside, connection, prefix)
  const times: Readonly<Record<TimeKind, Histogram>> = {
    create: histogram(meter, createTime, prefix),
    wait: histogram(meter, waitTime, prefix),
    use: histogram(meter, useTime, prefix),
  }
  const measured = (kind: TimeKind, ms: number): void => {
    try {
      times[kind].record(ms / 1000, connection)
    } catch (thrown) {
      throwLater(thrown) // the coordinator is in the middle of a step
    }
  }
  const all = Object.values(observables)
  meter.addBatchObservableCallback(observe, all)
  const deafen = inside.numbers.listen(measured)
  return () => {
    meter.removeBatchObservableCallback(observe, all)
    deafen()
  }
}

function observeAll(
  result: BatchObservableResult,
  on: Observables<Observed>,
  { name, limits, stats }: Inside,
  connection: Attributes,
  prefix: string,
): void {
  const { idle, inUse, resetting, pending, inFlight, bufferedBytes, counters, shards, endpoints } = stats()
  const pool: Attributes = { [ATTRIBUTES.pool]: name }
  const inState = (state: string): Attributes => ({ ...connection, [prefix + ATTRIBUTES.connectionState]: state })
  result.observe(on.count, idle, inState('idle'))
  result.observe(on.count, inUse + resetting, inState('used'))
  result.observe(on.idleMax, limits.maxIdle, connection)
  result.observe(on.idleMin, limits.minIdle, connection)
  result.observe(on.limit, limits.maxConnections, connection)
  result.observe(on.pending, pending.leases + pending.requests, connection)
  result.observe(on.timeouts, counters.waitTimeouts, connection)
  for (const [kind, word] of Object.entries(KINDS))
    for (const [outcome, count] of Object.entries(counters.ended[kind as keyof typeof KINDS])) // a key of `KINDS`
      result.observe(on.calls, count, { ...pool, [ATTRIBUTES.callKind]: word, [ATTRIBUTES.callOutcome]: outcome })
  for (const [code, count] of Object.entries(counters.failedBy)) result.observe(on.failures, count, { ...pool, [ATTRIBUTES.error]: code })
  for (const [reason, count] of Object.entries(counters.closedBy))
    result.observe(on.closed, count, { ...pool, [ATTRIBUTES.closeReason]: reason })
  result.observe(on.inFlight, inFlight, pool)
  result.observe(on.buffered, bufferedBytes, pool)
  for (const { endpoint, connections } of endpoints) result.observe(on.endpoint, connections, { ...pool, [ATTRIBUTES.endpoint]: endpoint })
  for (const { shard, utilization, busyMs } of shards) {
    const ofShard = { ...pool, [ATTRIBUTES.shard]: shard }
    result.observe(on.busyTime, busyMs / 1000, ofShard)
    result.observe(on.utilization, utilization, ofShard)
  }
}

function observablesOf<Metrics extends Readonly<Record<string, Metric>>>(
  meter: Meter,
  metrics: Metrics,
  prefix: string,
): Observables<Metrics> {
  const entries = Object.entries(metrics).map(([key, metric]) => [key, observable(meter, metric, prefix)])
  return Object.fromEntries(entries) as Observables<Metrics> // one for each key
}

function observable(meter: Meter, { name, kind, unit, description }: Metric, prefix: string): Observable {
  if (kind === 'counter') return meter.createObservableCounter(prefix + name, { unit, description })
  if (kind === 'gauge') return meter.createObservableGauge(prefix + name, { unit, description })
  return meter.createObservableUpDownCounter(prefix + name, { unit, description })
}

function histogram(meter: Meter, { name, unit, description }: Metric, prefix: string): Histogram {
  return meter.createHistogram(prefix + name, { unit, description, advice: { explicitBucketBoundaries: SECONDS } })
}
