/** The rule for a reply that nobody waits for: its connection ends when no byte at all comes for 5 s. */
import type { Timed } from './deadlines.ts'
import type { Place } from './side.ts'

/** How long an abandoned reply may keep its connection waiting. */
export const SILENCE_MS = 5_000

/** Watches one connection while its oldest reply is abandoned. Time in which reading is paused does not count. */
export class SilenceWatch implements Timed {
  deadline: number = Infinity
  wheelNext: Timed | undefined = undefined
  wheelPrev: Timed | undefined = undefined
  wheelBucket: number = -1
  readonly #place: Place
  readonly #wanted: () => boolean
  #heardAt = 0

  /** @param wanted - Whether the oldest reply is abandoned still. */
  constructor(place: Place, wanted: () => boolean) {
    this.#place = place
    this.#wanted = wanted
  }

  /** Whether it watches: then it wants to hear of bytes. */
  get armed(): boolean {
    return this.wheelBucket >= 0
  }

  arm(): void {
    if (this.armed) return
    this.heard()
    this.#wait(this.#heardAt + SILENCE_MS)
  }

  heard(): void {
    this.#heardAt = this.#place.world.now()
  }

  disarm(): void {
    this.#place.wheel.remove(this)
  }

  /** The wheel's turn: after a stall of this thread the kernel may hold bytes, so one poll phase goes before the verdict. */
  expired(): void {
    const { world } = this.#place
    if (!this.#again()) world.immediate(() => void (this.#again() || this.#place.lose('abort')))
  }

  /** Whether there is no reason to end the connection now; waits on if there may be one later. */
  #again(): boolean {
    if (!this.#wanted()) return true
    const { world, connection } = this.#place
    if (connection.paused) this.heard()
    const deadline = this.#heardAt + SILENCE_MS
    if (deadline <= world.now()) return false
    if (!this.armed) this.#wait(deadline)
    return true
  }

  #wait(deadline: number): void {
    this.deadline = deadline
    this.#place.wheel.add(this)
  }
}
