/** The rules for replies that do not come: their connection ends when no byte at all arrives for too long. */
import type { Timed } from './deadlines.ts'
import { PoolError } from './errors.ts'
import type { Place } from './side.ts'

/** How long an abandoned reply may keep its connection waiting. */
export const SILENCE_MS = 5_000

/** What a connection owes next: nothing, a reply that somebody waits for, or one that nobody wants any more. */
export type Debt = 'nothing' | 'awaited' | 'abandoned'

/**
 * Watches one connection while it owes a reply: an abandoned one for 5 s, any for `inactivityTimeoutMs`. Time in which reading is
 * paused does not count.
 */
export class SilenceWatch implements Timed {
  deadline: number = Number.POSITIVE_INFINITY
  wheelNext: Timed | undefined = undefined
  wheelPrev: Timed | undefined = undefined
  wheelBucket: number = -1
  /** Whether replies that somebody waits for are watched too: then it wants to know of each debt. */
  readonly always: boolean
  readonly #place: Place
  readonly #debt: () => Debt
  #heardAt = 0
  #resumes = 0

  constructor(place: Place, debt: () => Debt) {
    this.#place = place
    this.#debt = debt
    this.always = place.settings.inactivityTimeoutMs < Number.POSITIVE_INFINITY
  }

  /** Whether it watches: then it wants to hear of bytes. */
  get armed(): boolean {
    return this.wheelBucket >= 0
  }

  /** What is owed may have changed: watches from now on, watches on, or has nothing to watch. */
  look(): void {
    const limit = this.#limit()
    if (limit === Number.POSITIVE_INFINITY) return this.disarm()
    if (!this.armed) this.heard()
    else if (this.#heardAt + limit >= this.deadline) return
    this.disarm()
    this.#wait(this.#heardAt + limit)
  }

  /** Bytes have come, or have gone of a request that is long. */
  heard(): void {
    this.#heardAt = this.#place.world.now()
    this.#resumes = this.#place.connection.resumes
  }

  disarm(): void {
    this.#place.wheel.remove(this)
  }

  /** The wheel's turn: after a stall of this thread the kernel may hold bytes, so one poll phase goes before the verdict. */
  expired(): void {
    const { world } = this.#place
    if (!this.#again()) world.immediate(() => void (this.#again() || this.#lose()))
  }

  #limit(): number {
    const debt = this.#debt()
    if (debt === 'nothing') return Number.POSITIVE_INFINITY
    const { inactivityTimeoutMs } = this.#place.settings
    return debt === 'awaited' ? inactivityTimeoutMs : Math.min(SILENCE_MS, inactivityTimeoutMs)
  }

  /** Whether there is no reason to end the connection now; waits on if there may be one later. */
  #again(): boolean {
    const limit = this.#limit()
    if (limit === Number.POSITIVE_INFINITY) return true
    const { world, connection } = this.#place
    if (connection.paused || connection.resumes !== this.#resumes) this.heard()
    const deadline = this.#heardAt + limit
    if (deadline <= world.now()) return false
    if (!this.armed) this.#wait(deadline)
    return true
  }

  #lose(): void {
    if (this.#debt() === 'abandoned') return this.#place.lose('abort')
    const ms = this.#place.settings.inactivityTimeoutMs
    const details = { phase: 'reply', outcome: 'maybe-executed' } as const
    this.#place.lose(
      'error',
      new PoolError('CONNECTION_LOST', `no byte for ${ms} ms (inactivityTimeoutMs) while replies were owed`, details),
    )
  }

  #wait(deadline: number): void {
    this.deadline = deadline
    this.#place.wheel.add(this)
  }
}
