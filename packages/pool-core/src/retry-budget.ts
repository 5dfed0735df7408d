/** How many calls may go on to another connection: a share of all calls, so that a failing server does not get its load twice. */

/** What a budget allows. */
export interface RetryLimits {
  /** Retries for each call. */
  readonly ratio: number
  /** Retries a second whatever the calls. */
  readonly minPerSecond: number
}

const SLICE_MS = 1_000
const SLICES = 10

/** Calls and retries of one second. */
interface Slice {
  calls: number
  retries: number
}

/**
 * A token bucket over the last 10 s: each call puts `ratio` of a token in, each retry takes one out, and `minPerSecond` × 10
 * are there from the start. What was put in or taken out 10 s ago is forgotten.
 *
 * @see Finagle `RetryBudget`
 */
export class RetryBudget {
  readonly #limits: RetryLimits
  readonly #slices: readonly Slice[] = Array.from({ length: SLICES }, () => ({ calls: 0, retries: 0 }))
  #second = 0
  /** Where the present second ends, in ms. */
  #until = SLICE_MS
  #present: Slice = this.#slices[0] as Slice // of the ten just made

  constructor(limits: RetryLimits) {
    this.#limits = limits
  }

  /** A call has begun. `now` is in ms and never goes back. */
  called(now: number): void {
    if (now >= this.#until) this.#turn(now)
    this.#present.calls++
  }

  /** Takes a retry out. False: none is left. */
  take(now: number): boolean {
    if (now >= this.#until) this.#turn(now)
    let calls = 0
    let retries = 0
    for (const slice of this.#slices) {
      calls += slice.calls
      retries += slice.retries
    }
    const { ratio, minPerSecond } = this.#limits
    if (ratio * calls + (minPerSecond * SLICES * SLICE_MS) / 1_000 - retries < 1) return false
    this.#present.retries++
    return true
  }

  /** Goes to the slice of this second, and forgets those that it passes. */
  #turn(now: number): void {
    const second = Math.floor(now / SLICE_MS)
    for (let passed = Math.max(this.#second + 1, second - SLICES + 1); passed <= second; passed++) {
      this.#present = this.#slices[passed % SLICES] as Slice // the remainder is an index
      this.#present.calls = this.#present.retries = 0
    }
    this.#second = second
    this.#until = (second + 1) * SLICE_MS
  }
}
