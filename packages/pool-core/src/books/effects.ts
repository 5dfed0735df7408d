/** What the coordinator has to do after a step of the books. */
import type { CloseReason } from '@cenote/pool-worker'
import type { Waiter } from './pending.ts'
import type { Slot } from './slots.ts'

/** One deed: connect the slot, probe it, close it, or give it to the waiter. The record is reused: read it, do not keep it. */
export interface Effect {
  type: 'open' | 'probe' | 'close' | 'grant'
  slot: Slot
  /** Of a grant. */
  waiter: Waiter | undefined
  /** Of a close. */
  reason: CloseReason
}

/** The effects since the last `clear`, oldest first, in records that are used again. */
export class Effects {
  count = 0
  readonly #records: Effect[] = []

  at(index: number): Effect {
    const record = this.#records[index]
    if (record === undefined || index >= this.count) throw new RangeError(`there is no effect ${index}`)
    return record
  }

  push(type: Effect['type'], slot: Slot, waiter: Waiter | undefined, reason: CloseReason): void {
    const record = this.#records[this.count++]
    if (record === undefined) {
      this.#records.push({ type, slot, waiter, reason })
      return
    }
    record.type = type
    record.slot = slot
    record.waiter = waiter
    record.reason = reason
  }

  /** Forgets them, and the waiters with them. */
  clear(): void {
    for (let index = 0; index < this.count; index++) {
      const record = this.#records[index]
      if (record !== undefined) record.waiter = undefined
    }
    this.count = 0
  }
}
