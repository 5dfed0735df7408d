/** The pool's numbers: counters that subtract, times as histograms. */
import type { Histogram } from 'node:perf_hooks'
import { type CloseReason, DELAY_RESOLUTION_MS } from '@cenote/pool-worker'
import { Attempts } from './attempts.ts'
import type { ConnectionCounts } from './books/counts.ts'
import type { LoadStats } from './books/load.ts'
import type { Slot } from './books/slots.ts'
import { type Endings, type FailedBy, Outcomes } from './outcomes.ts'
import { type Times, Timings } from './timings.ts'

/** One shard at this moment. */
export interface ShardStats extends ConnectionCounts {
  readonly shard: number
  /** Serving; silent for `shardStallMs`, and passed over while others can serve; being replaced. */
  readonly state: 'live' | 'suspect' | 'restarting'
  /** Handlers that run. */
  readonly handlers: number
  /** Share of time in which its event loop was busy, since it started: 0 to 1. */
  readonly utilization: number
  /** The same in milliseconds, which subtract: of how long it has been there, how long it was busy. A new life begins at 0. */
  readonly busyMs: number
  readonly elapsedMs: number
  /** How late its event loop was, in milliseconds, since it started. */
  readonly delay: { readonly p50: number; readonly p99: number; readonly max: number }
}

/** One endpoint at this moment. */
export interface EndpointStats extends ConnectionCounts {
  readonly endpoint: string
  readonly weight: number
  /** Taking work; failing every connect, so that callers go elsewhere; left out for a time; or no longer on the list, with work still going on. */
  readonly state: 'up' | 'down' | 'ejected' | 'draining'
  /** Requests in flight on shared connections, and leases and handlers. */
  readonly pending: number
  /** Average time of a reply in milliseconds, where late replies count at once; undefined unless `balancing` is 'peak-ewma'. */
  readonly ewmaMs: number | undefined
  /** Everything that only ever grows: `opened − closed` connections are open. */
  readonly counters: { readonly opened: number; readonly closed: number; readonly connectFailures: number; readonly requests: number }
}

/**
 * Everything that only ever grows. `opened − closed` connections are open; `acquired − released − reclaimed` leases are held;
 * `opening − opened − connectFailures − connectsAbandoned` connects are under way. Of each kind of call, those begun less those that
 * have `ended` wait or are under way: for requests, `inFlight` and those that wait.
 */
export interface Counters {
  /** Connects begun. */
  readonly opening: number
  readonly opened: number
  readonly connectFailures: number
  /** Connects given up before they had opened or failed: their shard died, or the pool was closed. */
  readonly connectsAbandoned: number
  /** Open connections that have ended, by reason below. */
  readonly closed: number
  readonly closedBy: Readonly<Partial<Record<CloseReason, number>>>
  /** Leases granted: to `acquire`, `use` and `tryAcquire`, and to requests that need a connection of their own. */
  readonly acquired: number
  readonly released: number
  /** Leases that the pool took back: collected without having been released, or held longer than `maxLeaseMs`. */
  readonly reclaimed: number
  /** Calls of `acquire` and `use`. Of all three kinds, a call refused for its arguments is not counted. */
  readonly acquires: number
  /** Calls of `pool.request` and `lease.request`. */
  readonly requests: number
  /** Calls of handlers. */
  readonly handlers: number
  /** How they have ended. */
  readonly ended: { readonly acquires: Endings; readonly requests: Endings; readonly handlers: Endings }
  /** Why, by code: of those that failed, all kinds together. */
  readonly failedBy: Readonly<FailedBy>
  /** Calls and leases that went on to another connection, theirs having died: nothing of them was sent, or they are idempotent. */
  readonly moved: number
  /** Those that might have moved, and failed because the `retryBudget` was spent. */
  readonly retriesRefused: number
  readonly timeouts: number
  /** Of these, those that had no connection yet. */
  readonly waitTimeouts: number
  /** Names looked up: one look-up serves all connects that wait for it, and those within `lookupTtlMs`. */
  readonly lookups: number
  /** Callers refused at once with UNAVAILABLE. */
  readonly refused: number
  readonly shardsLost: number
}

/** The limits in force: the options, or what `pool.resize()` has made of them. */
export interface LimitStats {
  readonly maxConnections: number
  readonly minConnections: number
  readonly maxIdle: number
  readonly minIdle: number
}

/** What `pool.stats()` returns: all shards together, and each. */
export interface PoolStats extends ConnectionCounts {
  readonly name: string
  readonly limits: LimitStats
  /** Callers who wait: for a connection of their own, or for a place on a shared one. */
  readonly pending: { readonly leases: number; readonly requests: number }
  /** Requests that are with a connection and have not settled. */
  readonly inFlight: number
  /** Whether `pause()` holds whoever comes. */
  readonly paused: boolean
  /** Bytes on the calling thread that wait for their readers or for room: at most `maxBufferedBytes`. */
  readonly bufferedBytes: number
  readonly counters: Counters
  /** In the queue, of those who had to wait. */
  readonly wait: Times
  /** Connect and hand-shake, of those that succeeded. */
  readonly connect: Times
  /** Leases and handlers, from grant to release. */
  readonly use: Times
  /** How much the connections were used since the pool was made: what `pool.advise()` reckons with. */
  readonly load: LoadStats
  readonly shards: readonly ShardStats[]
  /** Those that are listed, and those that drain. */
  readonly endpoints: readonly EndpointStats[]
}

/** The times that are measured: a connect, a wait in the queue, a lease or a handler. */
export type TimeKind = 'create' | 'wait' | 'use'

/** Told of each time as it is measured, in milliseconds. */
export type TimeListener = (kind: TimeKind, ms: number) => void

/** Where the coordinator counts. */
export class Numbers {
  readonly attempts: Attempts = new Attempts()
  #listeners: readonly TimeListener[] = []
  readonly #failedBy: FailedBy = {}
  readonly acquires: Outcomes = new Outcomes(this.#failedBy)
  readonly requests: Outcomes = new Outcomes(this.#failedBy)
  readonly handlers: Outcomes = new Outcomes(this.#failedBy)
  acquired = 0
  released = 0
  reclaimed = 0
  /** Requests that wait for a connection of their own. */
  waitingAlone = 0
  moved = 0
  retriesRefused = 0
  timeouts = 0
  waitTimeouts = 0
  lookups = 0
  refused = 0
  shardsLost = 0
  #opened = 0
  #connectFailures = 0
  #closed = 0
  readonly #closedBy: Partial<Record<CloseReason, number>> = {}
  readonly #wait: Timings = new Timings()
  readonly #connect: Timings = new Timings()
  readonly #use: Timings = new Timings()

  /** Tells `listener` each time. Returns what ends it. */
  listen(listener: TimeListener): () => void {
    this.#listeners = [...this.#listeners, listener]
    return () => {
      this.#listeners = this.#listeners.filter((each) => each !== listener)
    }
  }

  opened(slot: Slot, microseconds: number): void {
    this.attempts.end(slot)
    this.#opened++
    this.#connect.record(microseconds / 1000)
    if (this.#listeners.length > 0) this.#tell('create', microseconds / 1000)
  }

  connectFailed(slot: Slot): void {
    this.attempts.end(slot)
    this.#connectFailures++
  }

  /** A connection that was open has ended. */
  closed(reason: CloseReason): void {
    this.#closed++
    this.#closedBy[reason] = (this.#closedBy[reason] ?? 0) + 1
  }

  /** @param waiting - It had no connection yet. */
  timedOut(waiting: boolean): void {
    this.timeouts++
    if (waiting) this.waitTimeouts++
  }

  waited(ms: number): void {
    this.#wait.record(ms)
    if (this.#listeners.length > 0) this.#tell('wait', ms)
  }

  used(ms: number): void {
    this.#use.record(ms)
    if (this.#listeners.length > 0) this.#tell('use', ms)
  }

  #tell(kind: TimeKind, ms: number): void {
    for (const listener of this.#listeners) listener(kind, ms)
  }

  counters(): Counters {
    const { attempts, acquired, released, reclaimed, acquires, requests, handlers, moved, retriesRefused } = this
    const { timeouts, waitTimeouts, lookups, refused, shardsLost } = this
    const closing = { closed: this.#closed, closedBy: { ...this.#closedBy } }
    return {
      opening: attempts.begun,
      opened: this.#opened,
      connectFailures: this.#connectFailures,
      connectsAbandoned: attempts.abandoned,
      ...closing,
      acquired,
      released,
      reclaimed,
      acquires: acquires.begun,
      requests: requests.begun,
      handlers: handlers.begun,
      ended: { acquires: acquires.endings, requests: requests.endings, handlers: handlers.endings },
      failedBy: { ...this.#failedBy },
      moved,
      retriesRefused,
      timeouts,
      waitTimeouts,
      lookups,
      refused,
      shardsLost,
    }
  }

  times(): Pick<PoolStats, 'wait' | 'connect' | 'use'> {
    return { wait: this.#wait.summary, connect: this.#connect.summary, use: this.#use.summary }
  }
}

/** A shard's delay beyond the resolution it is sampled with, in milliseconds. */
export function lateness(delay: Histogram): ShardStats['delay'] {
  const ms = (nanoseconds: number) => (delay.count === 0 ? 0 : Math.max(0, nanoseconds / 1e6 - DELAY_RESOLUTION_MS))
  return { p50: ms(delay.percentile(50)), p99: ms(delay.percentile(99)), max: ms(delay.max) }
}
