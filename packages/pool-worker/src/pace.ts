/**
 * When the caller's side is told of handlers' results: each at once, or, while all are quick, several together. Waking a thread that sleeps
 * costs more than all the rest of a call.
 */

/** A handler that holds the thread for longer, in ms, would keep the results before it from whoever waits for them. */
const QUICK_MS = 0.5
/** So many must have been quick in a row. */
const ENOUGH = 8
/** Nothing waits to be told longer than this, in ms, and until a handler then ends or asks its connection, or the turn is over. */
const HELD_MS = 1

/** Of the handlers of one link. */
export class Pace {
  #since = 0
  #quick = 0
  /** Results that are held back, and how many there were at the end of the turn before. */
  #held = 0
  #before = 0
  /** Since when something waits to be told, a result or anything else; Infinity: nothing does. */
  #heldAt = Number.POSITIVE_INFINITY

  /** A handler has the thread from now on. */
  begun(now: number): void {
    this.#since = now
  }

  /** It has given it back, or done something that shows that it still has it. */
  ended(now: number): void {
    this.#quick = now - this.#since > QUICK_MS ? 0 : this.#quick + 1
  }

  /** Whether all of the last ones were quick. */
  get even(): boolean {
    return this.#quick >= ENOUGH
  }

  /** A result is there that the caller's side was not woken for. */
  hold(now: number): void {
    this.#held++
    this.wait(now)
  }

  /** Anything is there that the caller's side was not woken for. */
  wait(now: number): void {
    if (now < this.#heldAt) this.#heldAt = now
  }

  /** Whether something has waited long enough: it is told though none of the handlers has ended. */
  late(now: number): boolean {
    return now - this.#heldAt >= HELD_MS
  }

  /** The caller's side is told of all. */
  told(): void {
    this.#held = this.#before = 0
    this.#heldAt = Number.POSITIVE_INFINITY
  }

  /**
   * Whether it may be told later: fewer results are held than handlers are still to end, so that their callers' next ones come in time.
   * @param live - How many are still to end.
   */
  mayHold(live: number, now: number): boolean {
    return this.even && this.#held < live && !this.late(now)
  }

  /** At the end of a turn: the same, unless the turn has brought no result. Then all that are still to end wait for something. */
  mayHoldOn(live: number, now: number): boolean {
    const more = this.#held > this.#before
    this.#before = this.#held
    return more && this.mayHold(live, now)
  }
}
