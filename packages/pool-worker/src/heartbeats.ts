/** Heart-beats: each idle connection is probed now and then, by the shard's own clock, whatever the caller's thread does. */
import type { Cancel, World } from './world.ts'

/** A connection that may be probed. */
export interface Beating {
  /** When its next heart-beat is due. */
  beatAt: number
  /** Its caller's thread has been silent for too long: a heart-beat would hide from the server that nobody is there. */
  readonly deserted: boolean
  /** Probes it, if it is idle. */
  heartbeat(): void
}

/** A frame that came while a heart-beat went on. */
export interface DeferredFrame {
  readonly kind: number
  readonly flags: number
  readonly id: number
  readonly payload: Buffer
}

/** The part of the interval that chance may take, so that connections opened together are not probed together. */
const JITTER = 0.1

/** Looks in one interval at most: what is due waits for the next by a hundredth of it. */
const LOOKS = 100

/**
 * All connections of one shard, and one timer for them.
 *
 * @see HikariCP `keepaliveTime`
 */
export class Heartbeats {
  readonly #world: World
  readonly #everyMs: number
  readonly #beating: Set<Beating> = new Set()
  #cancel: Cancel = () => undefined
  #armedFor: number = Number.POSITIVE_INFINITY

  /** @param everyMs - Infinity: no heart-beats. */
  constructor(world: World, everyMs: number) {
    this.#world = world
    this.#everyMs = everyMs
  }

  /** A connection is open. */
  add(one: Beating): void {
    if (this.#everyMs === Number.POSITIVE_INFINITY) return
    this.#beating.add(one)
    const now = this.#world.now()
    one.beatAt = this.#next(now)
    this.#arm(one.beatAt, now)
  }

  /** A connection is over; nothing happens when it was never open. */
  remove(one: Beating): void {
    if (this.#beating.delete(one) && this.#beating.size === 0) this.stop()
  }

  stop(): void {
    this.#cancel()
    this.#armedFor = Number.POSITIVE_INFINITY
  }

  #next(now: number): number {
    return now + this.#everyMs * (1 - this.#world.random() * JITTER)
  }

  #arm(at: number, now: number): void {
    if (at >= this.#armedFor) return
    this.#cancel()
    this.#armedFor = at
    this.#cancel = this.#world.timer(Math.max(1, at - now), false, this.#look)
  }

  readonly #look = (): void => {
    this.#armedFor = Number.POSITIVE_INFINITY
    const now = this.#world.now()
    let first = Number.POSITIVE_INFINITY
    for (const one of this.#beating) {
      if (one.beatAt <= now && !one.deserted) {
        one.beatAt = this.#next(now)
        one.heartbeat()
      }
      first = Math.min(first, one.beatAt)
    }
    if (this.#beating.size > 0) this.#arm(Math.max(first, now + this.#everyMs / LOOKS), now)
  }
}
