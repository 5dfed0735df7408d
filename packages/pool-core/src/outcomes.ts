/** How callers fare: each call is counted once when it begins and once when it settles. */
import { PoolError, type PoolErrorCode } from '@cenote/pool-worker'

/** How the calls of one kind have ended. Begun less all three: not settled yet. */
export interface Endings {
  /** With what was asked for. An error that the server, or the client library, answered with is a reply. */
  readonly succeeded: number
  /** With a `PoolError`; `failedBy` tells the codes. */
  readonly failed: number
  /** By the caller's own signal. */
  readonly aborted: number
}

/** By code, calls of all kinds together. */
export type FailedBy = Partial<Record<PoolErrorCode, number>>

/** Counts the calls of one kind. */
export class Outcomes {
  begun = 0
  succeeded = 0
  #failed = 0
  #aborted = 0
  readonly #failedBy: FailedBy

  /** @param failedBy - Counted in by several kinds. */
  constructor(failedBy: FailedBy) {
    this.#failedBy = failedBy
  }

  /** The caller's signal ends one, whatever its reason is. */
  abort(): void {
    this.#aborted++
  }

  /** @param signal - Its caller's, unless an abort is counted by itself. */
  rejected(error: unknown, signal?: AbortSignal): void {
    if (signal?.aborted === true && error === signal.reason) this.#aborted++
    else if (PoolError.is(error)) {
      this.#failed++
      this.#failedBy[error.code] = (this.#failedBy[error.code] ?? 0) + 1
    } else this.succeeded++
  }

  /** Calls that have not settled. */
  get unsettled(): number {
    return this.begun - this.succeeded - this.#failed - this.#aborted
  }

  get endings(): Endings {
    return { succeeded: this.succeeded, failed: this.#failed, aborted: this.#aborted }
  }
}
