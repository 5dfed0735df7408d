/** Whose turn it is among endpoints. */
import type { Latency } from './latency.ts'

/** How an endpoint is chosen. */
export type Balancing = 'least-pending' | 'peak-ewma' | 'round-robin'

/** One of those to choose among. */
export interface Candidate {
  /** Above 0. */
  readonly weight: number
  /** Requests in flight, and leases. */
  readonly pending: number
  readonly latency: Latency
  /** Of `round-robin`: written by the balancer alone. */
  credit: number
}

/** Dearer than any latency: of what has never answered, and has something to answer. One call finds out how it is. */
const UNKNOWN_MS = 1e9

/**
 * Chooses among candidates:
 * ```
 *  least-pending  of two at random, the one with fewer pending for its weight
 *  peak-ewma      of two at random, the one with the lower average latency × (pending for its weight + 1)
 *  round-robin    each as often as its weight says, spread evenly
 * ```
 * Chance draws by weight, so that a pool at rest keeps to the weights too. Of two that are alike the first drawn wins.
 *
 * @see Finagle `p2c`, `PeakEwma`; nginx's smooth weighted round-robin
 */
export class Balancer<Each extends Candidate> {
  readonly #balancing: Balancing
  readonly #random: () => number
  #candidates: readonly Each[] = []
  /** The sum of the weights up to each, itself included. */
  #ends: readonly number[] = []
  #total = 0

  /** @param random - At least 0, below 1. */
  constructor(balancing: Balancing, random: () => number) {
    this.#balancing = balancing
    this.#random = random
  }

  /** Those to choose among from now on, with the weights that they have now. */
  set(candidates: readonly Each[]): void {
    let total = 0
    this.#candidates = candidates
    this.#ends = candidates.map(({ weight }) => {
      total += weight
      return total
    })
    this.#total = total
  }

  /** Undefined only when there is none. */
  pick(now: number): Each | undefined {
    if (this.#candidates.length <= 1) return this.#candidates[0]
    return this.#balancing === 'round-robin' ? this.#next() : this.#better(now)
  }

  /** What one more call costs there: for comparing. */
  cost({ latency, pending, weight }: Each, now: number): number {
    const share = pending / weight
    if (this.#balancing !== 'peak-ewma') return share
    if (latency.known) return latency.at(now) * (share + 1)
    return pending === 0 ? 0 : UNKNOWN_MS + share
  }

  #better(now: number): Each | undefined {
    const index = this.#indexAt(this.#random() * this.#total)
    const first = this.#candidates[index]
    if (first === undefined) return undefined
    const start = this.#ends[index - 1] ?? 0
    const at = this.#random() * (this.#total - first.weight) // among the others: the first's share is stepped over
    const second = this.#candidates[this.#indexAt(at < start ? at : at + first.weight)]
    return second !== undefined && this.cost(second, now) < this.cost(first, now) ? second : first
  }

  /** Each earns its weight in every round, and who has most pays for the round. */
  #next(): Each | undefined {
    let best: Each | undefined
    for (const each of this.#candidates) {
      each.credit += each.weight
      if (best === undefined || each.credit > best.credit) best = each
    }
    if (best !== undefined) best.credit -= this.#total
    return best
  }

  /** Whose share of all weights a point lies in. */
  #indexAt(point: number): number {
    let low = 0
    let high = this.#ends.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#ends[middle] ?? 0) > point) high = middle
      else low = middle + 1
    }
    return low
  }
}
