/** The calling thread's hold on one life of a shard: its memory, its doorbell, and control calls that always settle. */
import type { EventLoopUtilityFunction, Histogram } from 'node:perf_hooks'
import type { MessagePort } from 'node:worker_threads'
import {
  type Bell,
  type InputParcel,
  type Lane,
  type LinkMemory,
  type Parcels,
  PoolError,
  type ResultParcel,
  type ShardControl,
  type ShardInfo,
} from '@cenote/pool-worker'
import { type Remote, wrap } from 'comlink'

/** How long an event loop has been there, and how much of that it was busy: both only grow. */
export interface BusyTime {
  readonly busyMs: number
  readonly elapsedMs: number
}

/** A started shard, for as long as it lives. */
export interface ShardHost {
  readonly info: ShardInfo
  readonly memory: LinkMemory
  readonly bell: Bell
  readonly lane: Lane
  /** The way for what does not go through the rings. */
  readonly parcels: Parcels<InputParcel, ResultParcel>
  /** How long the shard's event loop was busy since its start; whoever looks sees the same. */
  busy(): BusyTime
  /** How late the shard's event loop has been since its start. */
  readonly delay: Histogram
  /** Whether the shard keeps the process alive though no control call is under way. */
  setRef(on: boolean): void
  /** Ends this life now, whatever it does; all that it owes is lost, and it is replaced. */
  end(cause: Error): void
}

/** The control plane of one life of a shard: comlink, with every call raced against the shard's end. */
export class RemoteControl {
  readonly #shard: number
  readonly #port: MessagePort
  readonly #bell: Bell
  readonly #remote: Remote<ShardControl> // comlink closes the channel of a proxy that nobody holds
  readonly #pending = new Set<(error: PoolError) => void>()
  #wanted = false
  #referenced = false
  #end: { readonly cause: unknown } | undefined

  constructor(shard: number, port: MessagePort, bell: Bell) {
    this.#shard = shard
    this.#port = port
    this.#bell = bell
    this.#remote = wrap<ShardControl>(port)
    port.unref()
    bell.setRef(false)
  }

  /**
   * Asks the shard to close its sockets and to stop listening.
   * @throws PoolError `SHARD_LOST`: the shard ended first.
   */
  close(): Promise<void> {
    return this.#call(() => this.#remote.close())
  }

  /** See `ShardHost`. */
  setRef(on: boolean): void {
    this.#wanted = on
    this.#refer()
  }

  /** Says that the shard is dead: what is under way, and what comes later, rejects with SHARD_LOST. */
  end(cause: unknown): void {
    this.#end ??= { cause }
    for (const reject of this.#pending) reject(shardLost(this.#shard, this.cause))
    this.#pending.clear()
    this.#refer()
  }

  /** What `end` was told first. */
  get cause(): unknown {
    return this.#end?.cause
  }

  #call<T>(send: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) {
        reject(shardLost(this.#shard, this.cause))
        return
      }
      this.#pending.add(reject)
      this.#refer()
      const settled = (): void => {
        this.#pending.delete(reject)
        this.#refer()
      }
      send().then(
        (value) => {
          settled()
          resolve(value)
        },
        (error: unknown) => {
          settled()
          reject(error)
        },
      )
    })
  }

  #refer(): void {
    const on = this.#wanted || this.#pending.size > 0
    if (on === this.#referenced) return
    this.#referenced = on
    this.#bell.setRef(on)
    if (on) this.#port.ref()
    else this.#port.unref()
  }
}

/** The error of everything that the death of a shard has cut short. */
export function shardLost(shard: number, cause: unknown): PoolError {
  const why = cause instanceof Error ? `: ${cause.message}` : ''
  return new PoolError('SHARD_LOST', `shard ${shard} has ended${why}`, { phase: 'reply', outcome: 'maybe-executed', cause })
}

/** Looks at an event loop's time, from now on. */
export function busyTimeOf(look: EventLoopUtilityFunction): () => BusyTime {
  const start = look()
  return () => {
    const { active, idle } = look(look(), start)
    return { busyMs: Math.max(0, active), elapsedMs: Math.max(0, active + idle) } // between two threads' clocks it may come out a little below 0
  }
}
