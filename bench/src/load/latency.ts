/** Times as a distribution, exact to three figures whatever their size. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/** In milliseconds; all 0 when there are none. */
export interface LatencySummary {
  readonly count: number
  readonly meanMs: number
  readonly minMs: number
  readonly p50Ms: number
  readonly p75Ms: number
  readonly p90Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly p9999Ms: number
  readonly maxMs: number
}

/** A percentile, 0 to 100, and its time in milliseconds. */
export type Quantile = readonly [percentile: number, ms: number]

const NANOSECONDS = 1e6
const LONGEST_MS = 86_400_000
const CURVE = [0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 99.995, 99.999, 99.9999]
const BISECTIONS = 24

/** A histogram of times. Kept in nanoseconds, for three figures of a time of microseconds. */
export class Latency {
  readonly #histogram: RecordableHistogram = createHistogram({ lowest: 1, highest: LONGEST_MS * NANOSECONDS, figures: 3 })
  #sumMs = 0

  /** Records a time in milliseconds. A negative one, which only a clock can make, counts as nothing. */
  record(ms: number): void {
    this.#histogram.record(Math.min(LONGEST_MS * NANOSECONDS, Math.max(1, Math.round(ms * NANOSECONDS))))
    this.#sumMs += ms
  }

  /** Takes over what another has. */
  add(other: Latency): void {
    if (other.count === 0) return
    this.#histogram.add(other.#histogram)
    this.#sumMs += other.#sumMs
  }

  reset(): void {
    this.#histogram.reset()
    this.#sumMs = 0
  }

  get count(): number {
    return this.#histogram.count
  }

  get maxMs(): number {
    return this.count === 0 ? 0 : this.#histogram.max / NANOSECONDS
  }

  /** The time that so many of a hundred stay within. */
  percentileMs(percentile: number): number {
    if (this.count === 0) return 0
    return percentile === 0 ? this.#histogram.min / NANOSECONDS : this.#histogram.percentile(percentile) / NANOSECONDS
  }

  /** The percentiles that so many records can tell apart, and the maximum as the last. */
  curve(): Quantile[] {
    if (this.count === 0) return []
    const known = CURVE.filter((percentile) => this.count * (1 - percentile / 100) >= 1)
    return [...known.map((percentile): Quantile => [percentile, this.percentileMs(percentile)]), [100, this.maxMs]]
  }

  /** Which part of the times is not above this one, 0 to 1: the histogram gives percentiles only, so it is searched for. */
  shareWithin(ms: number): number {
    if (this.count === 0 || ms >= this.maxMs) return 1
    let [low, high] = [0, 100]
    for (let step = 0; step < BISECTIONS; step++) {
      const middle = (low + high) / 2
      if (this.percentileMs(middle) <= ms) low = middle
      else high = middle
    }
    return low / 100
  }

  get summary(): LatencySummary {
    const ms = (percentile: number) => this.percentileMs(percentile)
    return {
      count: this.count,
      meanMs: this.count === 0 ? 0 : this.#sumMs / this.count,
      minMs: ms(0),
      p50Ms: ms(50),
      p75Ms: ms(75),
      p90Ms: ms(90),
      p99Ms: ms(99),
      p999Ms: ms(99.9),
      p9999Ms: ms(99.99),
      maxMs: this.maxMs,
    }
  }
}
