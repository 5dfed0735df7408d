/** Connects under way: each ends opened, failed, or abandoned, so that the counters subtract. */
import type { Slot } from './books/slots.ts'

export class Attempts {
  /** How many have begun. */
  begun = 0
  readonly #underWay: Map<Slot, number> = new Map()
  #abandoned = 0

  /** A connection is to be opened for the slot. */
  begin(slot: Slot): void {
    if (this.#underWay.has(slot)) this.#abandoned++ // its slot was freed and taken again
    this.begun++
    this.#underWay.set(slot, slot.serial)
  }

  /** It has opened, or failed. */
  end(slot: Slot): void {
    this.#underWay.delete(slot)
  }

  /** How many were given up before they had opened or failed: their shard died, or nobody wanted them any more. */
  get abandoned(): number {
    for (const [slot, serial] of this.#underWay) {
      if (slot.serial === serial && slot.state !== 'free') continue
      this.#underWay.delete(slot)
      this.#abandoned++
    }
    return this.#abandoned
  }
}
