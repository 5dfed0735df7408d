/** Failures in a row at one endpoint, and how long it is left out for them. */

/** What ejection keeps to. */
export interface EjectionLimits {
  readonly ejection: {
    /** Failures in a row; Infinity: never. */
    readonly afterFailures: number
    readonly baseMs: number
    readonly maxMs: number
    /** The largest part of the list that is left out, 0 to 1. */
    readonly maxEjected: number
  }
}

/** What fails: to connect, or to reply. A connect does not make good for replies: a server may take connections and never answer. */
export type Fault = 'connect' | 'reply'

/**
 * The record of one endpoint. Each ejection is longer than the one before, and each time as good as the first one's length takes
 * one back.
 *
 * @see Envoy outlier detection (`consecutive_*`, `base_ejection_time`, `max_ejection_time`)
 */
export class Faults {
  /** When it is back, while it is ejected. */
  until = 0
  /** How long it is, or was, left out for. */
  forMs = 0
  #connect = 0
  #reply = 0
  #times = 0
  #goodSince = 0
  readonly #limits: EjectionLimits

  constructor(limits: EjectionLimits) {
    this.#limits = limits
  }

  /** Counts one. Returns whether there were enough of its kind in a row. */
  failed(fault: Fault): boolean {
    const row = fault === 'connect' ? ++this.#connect : ++this.#reply
    return row >= this.#limits.ejection.afterFailures
  }

  /** A connect has succeeded. */
  connected(): void {
    this.#connect = 0
  }

  /** A good reply came: it serves, whatever else fails. */
  replied(): void {
    this.#connect = this.#reply = 0
  }

  /** Left out from now on. */
  eject(now: number): void {
    const { baseMs, maxMs } = this.#limits.ejection
    const forgiven = Math.floor((now - this.#goodSince) / baseMs)
    this.#times = Math.min(Math.max(0, this.#times - forgiven) + 1, Math.ceil(maxMs / baseMs)) // no more than count, so none is forgiven late
    this.forMs = Math.min(maxMs, baseMs * this.#times)
    this.until = now + this.forMs
  }

  /** Back, with an empty record but for how often it was left out. */
  readmit(now: number): void {
    this.#connect = this.#reply = 0
    this.#goodSince = now
  }
}
