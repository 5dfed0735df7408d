/** When connections write: once a turn, and to one that was idle only when the kernel had the chance to report its end. */

/** What has its turn later: a socket is written to, a handler begins. It must not throw. */
export interface Flushable {
  /** Set while in a batch. */
  scheduled: boolean
  /** The end of a turn, by its number, before which it is not its turn. */
  notBefore: number
  flush(): void
}

/**
 * Batches of writes. What is due goes at the end of a batch of frames. A socket that was idle waits for a whole poll phase that
 * began after its frame was seen: a FIN that the kernel holds is read before a byte is written.
 */
export class Writes {
  readonly #arm: () => void
  #due: Flushable[] = []
  /** For the end of a turn. */
  #waiting: Flushable[] = []
  #spare: Flushable[] = []
  #asked = false
  /** How many ends of turns there were, with the one that goes on. */
  #ends = 0
  /** From the beginning of an end: the poll phase that comes next begins after what is seen now. */
  #ending = false
  /** While those have their turn who waited for a poll phase: nobody else does anything meanwhile. */
  #polling = false

  /** @param arm - Sees that this turn, or the next, ends with `beginEnd`, `write` and `end`. */
  constructor(arm: () => void) {
    this.#arm = arm
  }

  /**
   * Writes to `target` in this turn, or, if it was idle, after the next poll phase. A handler that begins has waited for that already:
   * what it sends at once goes in this turn.
   */
  schedule(target: Flushable, wasIdle: boolean): void {
    const wait = wasIdle && !this.#polling
    if (wait) target.notBefore = this.#ends + (this.#ending ? 1 : 2)
    if (target.scheduled) return
    target.scheduled = true
    if (wait) return this.#await(target)
    this.#due.push(target)
    if (this.#asked) return
    this.#asked = true
    queueMicrotask(this.flushDue)
  }

  /** Writes all that is due. Whoever reads a batch of frames calls it afterwards, so that nothing waits for the microtasks. */
  readonly flushDue = (): void => {
    this.#asked = false
    if (this.#due.length === 0) return
    const ready = this.#due
    this.#due = []
    for (const target of ready) this.#flush(target)
  }

  /** A poll phase is over. What is seen from now on waits for the next. */
  beginEnd(): void {
    this.#ends++
    this.#ending = true
  }

  /** Writes to all who have waited for this poll phase. */
  write(): void {
    const ready = this.#waiting
    this.#waiting = this.#spare
    this.#polling = true
    for (const target of ready) this.#flush(target)
    this.#polling = false
    ready.length = 0
    this.#spare = ready
  }

  /** The next poll phase begins. Returns whether somebody waits for it. */
  end(): boolean {
    this.#ending = false
    return this.#waiting.length > 0
  }

  #await(target: Flushable): void {
    this.#waiting.push(target)
    this.#arm()
  }

  /** One that became idle and was asked again meanwhile waits on. */
  #flush(target: Flushable): void {
    if (target.notBefore > this.#ends) return this.#await(target)
    target.scheduled = false
    target.flush()
  }
}
