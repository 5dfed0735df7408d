/** How long an endpoint takes to reply, with the bad news at once and the good news slowly. */

/** What was ten seconds ago counts for a third of what is now. */
const TAU_MS = 10_000

/**
 * A peak-sensitive moving average: a sample above it replaces it at once, lower ones pull it down as time goes by, and so does time
 * alone.
 *
 * @see Finagle `PeakEwma` (its cost and its decay of 10 s)
 */
export class Latency {
  #value = 0
  #at: number | undefined = undefined

  /** Whether there was ever a sample. */
  get known(): boolean {
    return this.#at !== undefined
  }

  /** Takes in the time of one reply, in ms. */
  observe(ms: number, now: number): void {
    const kept = this.#at === undefined ? 0 : Math.exp((this.#at - now) / TAU_MS)
    this.#value = ms > this.#value ? ms : ms * (1 - kept) + this.#value * kept
    this.#at = now
  }

  /** The average as of now, in ms: without news it goes down, so that whoever was slow is tried again. */
  at(now: number): number {
    return this.#at === undefined ? 0 : this.#value * Math.exp((this.#at - now) / TAU_MS)
  }
}
