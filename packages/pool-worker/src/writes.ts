/** When connections write: once a turn, and to one that was idle only when the kernel had the chance to report its end. */
import type { World } from './world.ts'

/** What has its turn later: a socket is written to, a handler begins. It must not throw. */
export interface Flushable {
  /** Set while in a batch. */
  scheduled: boolean
  flush(): void
}

/**
 * Batches of writes. What is due goes at the end of the turn. A socket that was idle waits for a whole poll phase that
 * began after its frame was seen: a FIN that the kernel holds is read before a byte is written.
 */
export class Writes {
  readonly #world: World
  #due: Flushable[] = []
  #seen: Flushable[] = []
  #polled: Flushable[] = []
  #turning = false
  #asked = false
  /** While those have their turn who waited for a poll phase: nobody else does anything meanwhile. */
  #polling = false

  constructor(world: World) {
    this.#world = world
  }

  /**
   * Writes to `target` in this turn, or, if it was idle, after the next poll phase. A handler that begins has waited for that already:
   * what it sends at once goes in this turn.
   */
  schedule(target: Flushable, wasIdle: boolean): void {
    if (target.scheduled) return
    target.scheduled = true
    if (!wasIdle || this.#polling) {
      this.#due.push(target)
      if (this.#asked) return
      this.#asked = true
      queueMicrotask(this.flushDue)
      return
    }
    this.#seen.push(target)
    if (!this.#turning) this.#nextTurn()
  }

  /** Writes all that is due. A pump calls it at its end, so that nothing waits for the microtasks. */
  readonly flushDue = (): void => {
    this.#asked = false
    if (this.#due.length === 0) return
    const ready = this.#due
    this.#due = []
    for (const target of ready) flush(target)
  }

  #nextTurn(): void {
    this.#turning = true
    this.#world.immediate(this.#turn)
  }

  readonly #turn = (): void => {
    this.#turning = false
    const ready = this.#polled
    this.#polled = this.#seen
    this.#seen = []
    this.#polling = true
    for (const target of ready) flush(target)
    this.#polling = false
    if (this.#polled.length > 0 && !this.#turning) this.#nextTurn()
  }
}

function flush(target: Flushable): void {
  target.scheduled = false
  target.flush()
}
