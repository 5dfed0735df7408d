/** The result of `load` for programs: the JSON's shape. Raise `SCHEMA_VERSION` when a field changes its meaning. */
import type { Counters } from '@cenote/pool-core'
import { type Environment, SCHEMA_VERSION } from '../report/environment.ts'
import type { LoadOptions, LoadOrder } from './options.ts'
import type { Tally } from './recorder.ts'
import type { Collections, Usage } from './resources.ts'
import type { Measured } from './run.ts'
import type { Row } from './timeline.ts'

/** Durations in milliseconds, sizes in bytes, rates per second, shares from 0 to 1. */
export interface LoadResult extends Tally {
  readonly schemaVersion: number
  readonly kind: 'load'
  readonly environment: Environment
  readonly server: { readonly address: string; readonly transport: string }
  /** What was sent, for people. */
  readonly about: string
  readonly loop: 'closed' | 'open'
  readonly options: LoadOptions
  readonly interrupted: boolean
  readonly measuredMs: number
  readonly drainMs: number
  readonly requestsPerSecond: number
  readonly bytesSentPerSecond: number
  readonly bytesReceivedPerSecond: number
  readonly usage: Usage
  /** The most resident memory at the end of a row: the whole process, its shards too. */
  readonly peakRssBytes: number
  /** Garbage collections of the main thread alone. */
  readonly mainThreadCollections: Collections
  /** What the pool has counted since it was made, the warm-up and the preparations too. */
  readonly poolCounters: Counters
  readonly timeline: readonly Row[]
}

/** Puts a result together. */
export function resultOf({ address, options }: LoadOrder, about: string, measured: Measured, environment: Environment): LoadResult {
  const { tally, timeline, measuredMs, drainMs, interrupted, usage, collections, poolCounters } = measured
  const perSecond = (count: number): number => (measuredMs > 0 ? (count / measuredMs) * 1_000 : 0)
  return {
    schemaVersion: SCHEMA_VERSION,
    kind: 'load',
    environment,
    server: { address: address.text, transport: address.transport },
    about,
    loop: options.rate === undefined ? 'closed' : 'open',
    options,
    interrupted,
    measuredMs,
    drainMs,
    requestsPerSecond: perSecond(tally.completed),
    bytesSentPerSecond: perSecond(tally.bytesSent),
    bytesReceivedPerSecond: perSecond(tally.bytesReceived),
    ...tally,
    usage,
    peakRssBytes: Math.max(0, ...timeline.map(({ rssBytes }) => rssBytes)),
    mainThreadCollections: collections,
    poolCounters,
    timeline,
  }
}
