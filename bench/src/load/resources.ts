/** What a run costs on this side: processor time of each thread, busy loops, memory, garbage collections. */
import { type EventLoopUtilization, type PerformanceEntry, PerformanceObserver, performance } from 'node:perf_hooks'
import type { ShardStats } from '@cenote/pool-core'
import { mainThreadCpuMs, mainThreadOnly, processCpuMs } from '../measure/cpu.ts'
import type { ShardThreads } from '../measure/shard-threads.ts'

/** One thread over some time. */
export interface ThreadUse {
  /** Share of the time in which its event loop was busy, 0 to 1. */
  readonly utilization: number
  /** Milliseconds on a processor; absent where the system does not tell thread by thread. */
  readonly cpuMs?: number
}

/** What was used from one moment to another. */
export interface Usage {
  readonly elapsedMs: number
  readonly main: ThreadUse
  readonly shards: readonly ThreadUse[]
  readonly processCpuMs: number
}

/** Garbage collections of the main thread. */
export interface Collections {
  readonly count: number
  readonly totalMs: number
  readonly maxMs: number
}

/** A moment, for the difference of two. */
export interface Moment {
  readonly atMs: number
  readonly loop: EventLoopUtilization
  readonly mainCpuMs: number
  readonly processCpuMs: number
  readonly shards: readonly { readonly busyMs: number; readonly elapsedMs: number; readonly cpuMs: number | undefined }[]
}

/** Looks at this process now. */
export function takeMoment(shards: readonly ShardStats[], threads: ShardThreads): Moment {
  return {
    atMs: performance.now(),
    loop: performance.eventLoopUtilization(),
    mainCpuMs: mainThreadCpuMs(),
    processCpuMs: processCpuMs(),
    shards: shards.map(({ shard, busyMs, elapsedMs }) => ({ busyMs, elapsedMs, cpuMs: threads.cpuMs(shard) })),
  }
}

/** What lies between two moments. A shard that was replaced meanwhile counts from its start. */
export function usageBetween(before: Moment, after: Moment): Usage {
  return {
    elapsedMs: after.atMs - before.atMs,
    main: {
      utilization: performance.eventLoopUtilization(after.loop, before.loop).utilization,
      ...(mainThreadOnly ? { cpuMs: after.mainCpuMs - before.mainCpuMs } : {}),
    },
    shards: after.shards.map((shard, index) => {
      const earlier = before.shards[index]
      const since = earlier !== undefined && earlier.elapsedMs <= shard.elapsedMs ? earlier : { busyMs: 0, elapsedMs: 0, cpuMs: 0 }
      const elapsedMs = shard.elapsedMs - since.elapsedMs
      return {
        utilization: elapsedMs > 0 ? Math.min(1, (shard.busyMs - since.busyMs) / elapsedMs) : 0,
        ...(shard.cpuMs === undefined || since.cpuMs === undefined ? {} : { cpuMs: Math.max(0, shard.cpuMs - since.cpuMs) }),
      }
    }),
    processCpuMs: after.processCpuMs - before.processCpuMs,
  }
}

/** Counts the main thread's garbage collections; those of the shards are not seen from here. */
export class CollectionCounter {
  #count = 0
  #totalMs = 0
  #maxMs = 0
  readonly #observer = new PerformanceObserver((list) => this.#take(list.getEntries()))

  start(): void {
    this.#observer.observe({ entryTypes: ['gc'] })
  }

  stop(): void {
    this.#take(this.#observer.takeRecords())
    this.#observer.disconnect()
  }

  get collections(): Collections {
    return { count: this.#count, totalMs: this.#totalMs, maxMs: this.#maxMs }
  }

  #take(entries: readonly PerformanceEntry[]): void {
    for (const { duration } of entries) {
      this.#count++
      this.#totalMs += duration
      this.#maxMs = Math.max(this.#maxMs, duration)
    }
  }
}
