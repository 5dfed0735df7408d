/** A run over time: a row for each second, or for each part of a short run. */
import type { ShardThreads } from '../measure/shard-threads.ts'
import type { Interval, Recorder } from './recorder.ts'
import { type Moment, takeMoment, usageBetween } from './resources.ts'
import type { AnyPool } from './work.ts'

/** What happened in one stretch of time. */
export interface Row extends Interval {
  /** Its end, in milliseconds after measuring began, and its length. */
  readonly atMs: number
  readonly elapsedMs: number
  /** Resident memory of the process at the end. */
  readonly rssBytes: number
  /** Busy shares of the event loops, 0 to 1. */
  readonly mainUtilization: number
  readonly shardUtilization: readonly number[]
}

const SECOND_MS = 1_000
const MOST_ROWS = 1_000
const PARTS = 20
const SHORTEST_MS = 50

/** How long a row is: a second; less if that were few rows, more if they were too many. */
export function rowMs(durationMs: number): number {
  if (durationMs >= SECOND_MS * PARTS) return Math.max(SECOND_MS, durationMs / MOST_ROWS)
  return Math.min(SECOND_MS, Math.max(SHORTEST_MS, durationMs / PARTS))
}

/** Collects the rows. */
export class Timeline {
  readonly #pool: AnyPool
  readonly #recorder: Recorder
  readonly #threads: ShardThreads
  readonly #rows: Row[] = []
  #begin: Moment
  #last: Moment

  /** Begins now. */
  constructor(pool: AnyPool, recorder: Recorder, threads: ShardThreads) {
    this.#pool = pool
    this.#recorder = recorder
    this.#threads = threads
    this.#begin = this.#last = this.#look()
    recorder.interval() // what came before is no part of it
  }

  /** A stretch has ended; what was in it. */
  take(): Row {
    const moment = this.#look()
    const { elapsedMs, main, shards } = usageBetween(this.#last, moment)
    this.#last = moment
    const row: Row = {
      atMs: moment.atMs - this.#begin.atMs,
      elapsedMs,
      ...this.#recorder.interval(),
      rssBytes: process.memoryUsage.rss(),
      mainUtilization: main.utilization,
      shardUtilization: shards.map(({ utilization }) => utilization),
    }
    this.#rows.push(row)
    return row
  }

  get rows(): readonly Row[] {
    return this.#rows
  }

  /** From the begin to the end of the last stretch. */
  usage(): ReturnType<typeof usageBetween> {
    return usageBetween(this.#begin, this.#last)
  }

  #look(): Moment {
    return takeMoment(this.#pool.stats().shards, this.#threads)
  }
}
