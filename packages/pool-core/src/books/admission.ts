/** Connecting to one endpoint: how many at a time, the pause after a failure, and when it is called down. */
import { backoffMs } from '../backoff.ts'
import type { Slot } from './slots.ts'

/** In ms: what its server ends unused within this time was no connection. */
const STILLBORN_MS = 1_000

/**
 * Whether a connection that its server has ended was of no use to anybody: just opened, and idle since or found dead at once. So answers
 * what stands before a server that is down, or a server that has too many already; opening others at once would go on for ever.
 */
export function isStillborn({ state, uses, worn, idleSince }: Slot, now: number): boolean {
  const unused = uses === 0 && (state === 'idle' || (state === 'closing' && worn === undefined))
  return unused && now - idleSince < STILLBORN_MS
}

/** What admission keeps to. */
export interface AdmissionLimits {
  /** Connects under way at a time. */
  readonly maxConnecting: number
  /** Failures in a row, with no live connection, after which the endpoint is down; Infinity: never. */
  readonly failFastAfter: number
  readonly backoff: { readonly initialMs: number; readonly maxMs: number; readonly factor: number }
}

/**
 * The state of one endpoint:
 * ```
 *  up      connects as wanted, `limit` at a time, which begins as `maxConnecting`
 *  resting nothing: a connect has failed, and its back-off is not over. Then one, and with each success twice as many
 *  down    one connect after each rest, whether somebody waits or not; the first success ends it
 * ```
 * @see go-redis `dialErrorsNum` (one prober while down), TCP slow start (what is admitted afterwards)
 */
export class Admission {
  /** Connects under way, but for those of shards that stand still. Counted by `Placement`, as slots come to be opening and cease to be. */
  connecting = 0
  /** So many may be under way. */
  limit: number
  /** Failed connects in a row. Those that failed together, within one rest, are one. */
  failures = 0
  /** Whether a back-off is under way. */
  resting = false
  /** Whether waiting for it is in vain: so many failures in a row, and no live connection. */
  down = false
  readonly #limits: AdmissionLimits

  constructor(limits: AdmissionLimits) {
    this.#limits = limits
    this.limit = limits.maxConnecting
  }

  /** Whether one more connect may begin. */
  get open(): boolean {
    return !this.resting && this.connecting < this.limit
  }

  /** A connect has succeeded. A rest under way goes on. Returns the failures in a row before it. */
  succeeded(): number {
    const before = this.failures
    this.failures = 0
    this.down = false
    this.limit = Math.min(this.#limits.maxConnecting, this.limit * 2)
    return before
  }

  /**
   * A connect has failed.
   *
   * @param live - Whether a connection of the endpoint is open.
   * @param final - Whether trying again can hardly help: it counts for as many as it takes.
   * @param chance - At least 0, below 1: how much of the longest pause is taken.
   * @param before - Of one that seemed to have succeeded: the failures in a row before it.
   * @returns Milliseconds until `rested` must be called; undefined: it is to be called already.
   */
  failed(live: boolean, final: boolean, chance: number, before: number): number | undefined {
    const { failFastAfter, backoff } = this.#limits
    const rests = !this.resting
    this.limit = 1
    this.resting = true
    this.failures = Math.max(this.failures + (rests ? 1 : 0), before + 1)
    const enough = this.failures >= failFastAfter || (final && failFastAfter !== Number.POSITIVE_INFINITY)
    if (enough && !live) this.down = true
    return rests ? backoffMs(backoff, this.failures, chance) : undefined
  }

  /** The back-off is over. */
  rested(): void {
    this.resting = false
  }
}
