/** Signs of life between two threads: each counts its own up in shared memory, and looks whether the other's has moved. */
import type { Cancel, World } from './world.ts'

/** Whose count is which of the two Int32. */
export const Beat = {
  SHARD: 0,
  CALLER: 1,
} as const

/** Bytes of both counts. */
export const BEAT_BYTES: number = 2 * Int32Array.BYTES_PER_ELEMENT

/** Beats, and looks, in the shortest silence that is to be noticed. */
const BEATS = 4

/** How often to beat and to look so that a silence of any of these lengths is noticed; Infinity: not at all. */
export function beatMs(...silences: readonly number[]): number {
  return Math.min(...silences) / BEATS
}

/** Calls again and again, the first time after `ms`. Keeps no process alive. */
export function every(world: World, ms: number, action: () => void): Cancel {
  let stopped = false
  let cancel: Cancel = () => undefined
  const arm = (): void => {
    cancel = world.timer(ms, false, () => {
      action()
      if (!stopped) arm()
    })
  }
  arm()
  return () => {
    stopped = true
    cancel()
  }
}

/**
 * How long the other side has been silent, in the time of the one who looks. It counts from look to look, and no more than twice the
 * usual time between two: while this side stood still it could not see the other, and they may both have been stopped.
 */
export class Silence {
  #ms = 0
  #count: number
  #lookedAt: number
  readonly #most: number

  /**
   * @param count - The other's, now.
   * @param usual - Milliseconds from one look to the next.
   */
  constructor(count: number, now: number, usual: number) {
    this.#count = count
    this.#lookedAt = now
    this.#most = 2 * usual
  }

  /** As of the last look. */
  get ms(): number {
    return this.#ms
  }

  /** Looks at the other's count. Returns for how long it has not moved. */
  look(count: number, now: number): number {
    this.#ms = count === this.#count ? this.#ms + Math.min(now - this.#lookedAt, this.#most) : 0
    this.#count = count
    this.#lookedAt = now
    return this.#ms
  }
}
