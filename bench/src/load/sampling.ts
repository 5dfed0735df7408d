/** Which requests are looked at closely: all while they are few; of many so many a second, at random. */

/** Looking at so many a second costs about a hundredth of a thread. */
const MOST_PER_SECOND = 5_000

export class Sampling {
  readonly #random: () => number
  #stride: number
  #left = 0

  /** @param perSecond - How many are expected, before `adapt` is told. */
  constructor(random: () => number, perSecond: number) {
    this.#random = random
    this.#stride = strideOf(perSecond)
  }

  /** Whether the next one is one of them. Distances vary, so that no rhythm of the requests meets one of ours. */
  next(): boolean {
    if (this.#left > 0) {
      this.#left--
      return false
    }
    if (this.#stride > 1) this.#left = Math.floor(this.#random() * (2 * this.#stride - 1))
    return true
  }

  /** So many a second there are. Not for each change of pace: times of slow stretches would then count more than those of fast ones. */
  adapt(perSecond: number): void {
    this.#stride = strideOf(perSecond)
    this.#left = 0
  }
}

function strideOf(perSecond: number): number {
  return Math.max(1, Math.ceil(perSecond / MOST_PER_SECOND))
}
