/** Those who wait: one queue, first come first served, threaded through the waiters themselves. */

/** What a waiter needs: a connection alone (leases, handlers), or one place on a shared one. */
export type WaiterKind = 'lease' | 'request'

/** One caller. The books write `queued` and the links; nobody else does. */
export interface Waiter {
  readonly kind: WaiterKind
  waiterNext: Waiter | undefined
  waiterPrev: Waiter | undefined
  queued: boolean
}

/** Joins at the tail and leaves from anywhere in one step. Knows the oldest of each kind. */
export class Pending {
  /** The oldest of all. */
  head: Waiter | undefined = undefined
  #tail: Waiter | undefined = undefined
  leases = 0
  requests = 0
  #firstRequest: Waiter | undefined = undefined

  get size(): number {
    return this.leases + this.requests
  }

  /** The oldest waiting request. */
  get firstRequest(): Waiter | undefined {
    return this.#firstRequest
  }

  push(waiter: Waiter): void {
    if (waiter.queued) throw new Error('a waiter is queued twice')
    waiter.queued = true
    waiter.waiterPrev = this.#tail
    waiter.waiterNext = undefined
    if (this.#tail === undefined) this.head = waiter
    else this.#tail.waiterNext = waiter
    this.#tail = waiter
    if (waiter.kind === 'lease') this.leases++
    else {
      this.requests++
      this.#firstRequest ??= waiter
    }
  }

  remove(waiter: Waiter): void {
    const { waiterNext: next, waiterPrev: previous } = waiter
    if (waiter.kind === 'lease') this.leases--
    else {
      this.requests--
      if (waiter === this.#firstRequest) this.#firstRequest = this.#requestAfter(next)
    }
    if (previous === undefined) this.head = next
    else previous.waiterNext = next
    if (next === undefined) this.#tail = previous
    else next.waiterPrev = previous
    waiter.queued = false
    waiter.waiterNext = undefined
    waiter.waiterPrev = undefined
  }

  /** The pointer only ever moves towards the tail, so each lease is passed over once. */
  #requestAfter(waiter: Waiter | undefined): Waiter | undefined {
    if (this.requests === 0) return undefined
    let found = waiter
    while (found !== undefined && found.kind === 'lease') found = found.waiterNext
    return found
  }
}
