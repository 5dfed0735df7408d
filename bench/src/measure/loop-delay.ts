/** How long the event loop of this thread keeps a timer waiting. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

const PERIOD_MS = 1
const MICROSECONDS = 1_000

/** Delays in milliseconds, the idle floor taken off. */
export interface LoopDelay {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/**
 * A timer set for each millisecond. While the loop is blocked, the timers that could not even be set count as well, each
 * with its share of the pause: so a percentile tells what a request sees that comes at any moment.
 */
export class LoopDelaySampler {
  #histogram: RecordableHistogram = createHistogram({ lowest: 1, highest: 600_000_000, figures: 3 })
  #timer: NodeJS.Timeout | undefined
  #floorMs = 0

  /** Measures the floor: the median delay of a loop with nothing else to do. */
  async measureFloor(durationMs: number): Promise<void> {
    this.start()
    await new Promise((resolve) => setTimeout(resolve, durationMs))
    this.stop()
    this.#floorMs = this.#histogram.percentile(50) / MICROSECONDS
    this.#histogram.reset()
  }

  /** Samples from now on, into the same histogram as before. */
  start(): void {
    let due = performance.now() + PERIOD_MS
    const tick = () => {
      const now = performance.now()
      for (let delay = now - due; delay > 0; delay -= PERIOD_MS) this.#histogram.record(Math.max(1, Math.round(delay * MICROSECONDS)))
      due = now + PERIOD_MS
      this.#timer = setTimeout(tick, PERIOD_MS)
    }
    this.#timer = setTimeout(tick, PERIOD_MS)
  }

  /** Stops sampling. A pause that has just ended counts still if the loop turned since. */
  stop(): void {
    clearTimeout(this.#timer)
  }

  /** Forgets what was seen, not the floor. */
  reset(): void {
    this.#histogram.reset()
  }

  /** What was seen since the floor was measured, or since the last reset. */
  read(): LoopDelay {
    const less = (microseconds: number) => Math.max(0, microseconds / MICROSECONDS - this.#floorMs)
    return { p50Ms: less(this.#histogram.percentile(50)), p99Ms: less(this.#histogram.percentile(99)), maxMs: less(this.#histogram.max) }
  }

  /** The floor that is taken off. */
  get floorMs(): number {
    return this.#floorMs
  }
}
