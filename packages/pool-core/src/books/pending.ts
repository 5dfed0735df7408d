/** Those who wait: one queue for each priority, first come first served, threaded through the waiters themselves. */

/** What a waiter needs: a connection alone (leases, handlers), or one place on a shared one. */
export type WaiterKind = 'lease' | 'request'

/** The highest priority; the lowest is 0. */
export const MAX_PRIORITY = 9

/** One caller. The books write `queued` and the links; nobody else does. */
export interface Waiter {
  readonly kind: WaiterKind
  /** From 0 to `MAX_PRIORITY`, higher first; it does not change while the waiter is queued. */
  readonly priority: number
  waiterNext: Waiter | undefined
  waiterPrev: Waiter | undefined
  queued: boolean
}

/** Joins at the tail and leaves from anywhere in one step. Knows the first of each kind. */
class Queue {
  head: Waiter | undefined = undefined
  firstRequest: Waiter | undefined = undefined
  #tail: Waiter | undefined = undefined
  #requests = 0

  push(waiter: Waiter): void {
    waiter.waiterPrev = this.#tail
    waiter.waiterNext = undefined
    if (this.#tail === undefined) this.head = waiter
    else this.#tail.waiterNext = waiter
    this.#tail = waiter
    if (waiter.kind === 'lease') return
    this.#requests++
    this.firstRequest ??= waiter
  }

  remove(waiter: Waiter): void {
    const { waiterNext: next, waiterPrev: previous } = waiter
    if (waiter.kind === 'request') {
      this.#requests--
      if (waiter === this.firstRequest) this.firstRequest = this.#requestAfter(next)
    }
    if (previous === undefined) this.head = next
    else previous.waiterNext = next
    if (next === undefined) this.#tail = previous
    else next.waiterPrev = previous
    waiter.waiterNext = undefined
    waiter.waiterPrev = undefined
  }

  /** The pointer only ever moves towards the tail, so each lease is passed over once. */
  #requestAfter(waiter: Waiter | undefined): Waiter | undefined {
    if (this.#requests === 0) return undefined
    let found = waiter
    while (found !== undefined && found.kind === 'lease') found = found.waiterNext
    return found
  }
}

/**
 * All queues as one: higher priorities first. A bit for each queue says whether somebody waits in it, and whether a request
 * does, so that the first is found without a scan.
 */
export class Pending {
  leases = 0
  requests = 0
  readonly #queues: readonly Queue[] = Array.from({ length: MAX_PRIORITY + 1 }, () => new Queue())
  #waited = 0
  #requested = 0

  get size(): number {
    return this.leases + this.requests
  }

  /** Connections that they need, when `growAt` requests share one. */
  connections(growAt: number): number {
    return this.leases + Math.ceil(this.requests / growAt)
  }

  /** Whose turn it is: of those with the highest priority, the one who has waited longest. */
  get head(): Waiter | undefined {
    return this.#waited === 0 ? undefined : this.#queues[highest(this.#waited)]?.head
  }

  /** The request whose turn it is. */
  get firstRequest(): Waiter | undefined {
    return this.#requested === 0 ? undefined : this.#queues[highest(this.#requested)]?.firstRequest
  }

  push(waiter: Waiter): void {
    if (waiter.queued) throw new Error('a waiter is queued twice')
    waiter.queued = true
    this.#queue(waiter).push(waiter)
    if (waiter.kind === 'lease') this.leases++
    else this.requests++
    this.#note(waiter.priority)
  }

  remove(waiter: Waiter): void {
    this.#queue(waiter).remove(waiter)
    waiter.queued = false
    if (waiter.kind === 'lease') this.leases--
    else this.requests--
    this.#note(waiter.priority)
  }

  /** Connections that go to those before a waiter, and to it, each alone. */
  aloneUpTo(waiter: Waiter): number {
    let connections = 1
    for (const each of this) {
      if (each === waiter) break
      if (each.kind === 'lease') connections++
    }
    return connections
  }

  /** All who wait, in the order of their turns. */
  *[Symbol.iterator](): IterableIterator<Waiter> {
    for (const { head } of this.#queues.toReversed()) for (let waiter = head; waiter !== undefined; waiter = waiter.waiterNext) yield waiter
  }

  #queue({ priority }: Waiter): Queue {
    const queue = this.#queues[priority]
    if (queue === undefined) throw new RangeError(`there is no priority ${priority}`)
    return queue
  }

  #note(priority: number): void {
    const bit = 1 << priority
    const queue = this.#queues[priority]
    this.#waited = queue?.head === undefined ? this.#waited & ~bit : this.#waited | bit
    this.#requested = queue?.firstRequest === undefined ? this.#requested & ~bit : this.#requested | bit
  }
}

/** The highest of the bits, one of which is set: to ask an array for what it has at -1 takes longer than all the rest of a step. */
function highest(bits: number): number {
  return 31 - Math.clz32(bits)
}
