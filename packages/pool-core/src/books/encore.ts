/** Whoever asks, gives back and asks again, with nothing in between: that one connection need not go to the idle ones and come from there. */
import type { Load } from './load.ts'
import type { Placement, PlacementLimits } from './placement.ts'
import type { Serving } from './serving.ts'
import type { Slot } from './slots.ts'

/** What it keeps to. */
export type EncoreLimits = Pick<PlacementLimits, 'probeAfterIdleMs' | 'maxUses'> & { readonly scheduling: 'lifo' | 'fifo' }

/**
 * The connection that was lent in the last step of the books:
 * ```
 *        lent(slot)          keep(slot)                 take(): the slot
 *  ────▶ lent by the ──────▶ given back; still counts ─────────┐
 *        last step   ◀─────  as leased                 ◀───────┘
 *          │ end(): nothing   │ end(): the slot, to be released as it would have been then
 * ```
 * Any other step of the books ends it first, and so does everybody who counts. The choice of the next would be the same: what it was chosen
 * from is as it was then.
 */
export class Encore {
  /** When it was given back. */
  since = 0
  readonly #limits: EncoreLimits
  readonly #placement: Placement
  readonly #serving: Serving
  readonly #load: Load
  #lent: Slot | undefined = undefined
  #returned: Slot | undefined = undefined

  constructor(limits: EncoreLimits, placement: Placement, serving: Serving, load: Load) {
    this.#limits = limits
    this.#placement = placement
    this.#serving = serving
    this.#load = load
  }

  /** This one was just lent: the idle one whose turn it was. What decides of its return does not change before another step. */
  lent(slot: Slot): void {
    if (this.#limits.scheduling === 'lifo' && slot.worn === undefined && this.#serving.calm) this.#lent = slot
  }

  /** It is given back. False: it must take the long way, for it would not simply become idle, or would not be the next. */
  keep(slot: Slot, now: number): boolean {
    if (slot !== this.#lent || slot.keepAliveMs !== Number.POSITIVE_INFINITY) return false
    if (slot.expiresAt <= now || slot.uses >= this.#limits.maxUses) return false
    this.#returned = slot
    this.since = now
    return true
  }

  /** Lends it again, if it may still be lent. */
  take(now: number): Slot | undefined {
    const slot = this.#returned
    if (slot === undefined || this.since <= now - this.#limits.probeAfterIdleMs) return undefined
    if (slot.expiresAt <= now || !this.#placement.fit(slot)) return undefined
    this.#returned = undefined
    slot.uses++
    this.#load.calls++
    this.#load.spared(now - this.since)
    return slot
  }

  /** Something else happens. Returns the one that was given back, if it was. */
  end(): Slot | undefined {
    const slot = this.#returned
    this.#lent = this.#returned = undefined
    return slot
  }
}
