/** How much of the connections' time was used: what Little's law needs. */

/** All of it only grows; the difference of two says what was between them. */
export interface LoadStats {
  /** Since the pool was made, in milliseconds. */
  readonly overMs: number
  /** Callers who came for a connection, or for a place on a shared one. */
  readonly calls: number
  /** Those of them who got it. */
  readonly served: number
  /** Time that connections were in use, added up: `usedMs / overMs` were in use on average. */
  readonly usedMs: number
  /** Time that callers stood in the queue, added up: `waitedMs / overMs` waited on average. */
  readonly waitedMs: number
}

/** Adds up time. Whoever changes what is in use, or who waits, first says until when it was as it is. */
export class Load {
  calls = 0
  /** Callers who went without. */
  left = 0
  #usedMs = 0
  #waitedMs = 0
  #since: number | undefined = undefined
  #until = 0

  /** So many were in use, and so many waited, until now. */
  until(now: number, inUse: number, waiting: number): void {
    this.#since ??= this.#until = now
    const passed = now - this.#until
    this.#usedMs += passed * inUse
    this.#waitedMs += passed * waiting
    this.#until = now
  }

  /** Of the time that was, or will be, told as used, so much was not. */
  spared(ms: number): void {
    this.#usedMs -= ms
  }

  stats(waiting: number): LoadStats {
    const { calls, left } = this
    const overMs = this.#since === undefined ? 0 : this.#until - this.#since
    return { overMs, calls, served: calls - left - waiting, usedMs: this.#usedMs, waitedMs: this.#waitedMs }
  }
}
