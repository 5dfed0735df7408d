/** Who is served, with what: those who come and those who wait. */
import type { Choice } from './choice.ts'
import type { Effects } from './effects.ts'
import { Pending, type Waiter } from './pending.ts'
import { growAt, type Placement, type PlacementLimits } from './placement.ts'
import type { Sizing } from './sizing.ts'
import { expect, type Slot } from './slots.ts'

/** What serving keeps to. */
export type ServingLimits = Pick<PlacementLimits, 'pipelining'> & { readonly minIdle: number }

/** Grants what there is, and lets come what is missing. */
export class Serving {
  readonly pending: Pending = new Pending()
  /** While it is true nobody is granted anything. */
  paused = false
  /** Of the step that the books are in. */
  now = 0
  readonly #growAt: number
  readonly #limits: ServingLimits
  readonly #placement: Placement
  readonly #choice: Choice
  readonly #sizing: Sizing
  readonly #effects: Effects

  constructor(limits: ServingLimits, placement: Placement, choice: Choice, sizing: Sizing, effects: Effects) {
    this.#growAt = growAt(limits)
    this.#limits = limits
    this.#placement = placement
    this.#choice = choice
    this.#sizing = sizing
    this.#effects = effects
  }

  /** Whether a connection that comes back becomes idle and nothing else happens, and whoever comes next is given the last that came back. */
  get calm(): boolean {
    const { sites, reserved } = this.#placement
    if (this.paused || this.pending.size > 0 || reserved.size > 0 || this.#limits.minIdle > 0) return false
    return sites.usable.length === 1 && !sites.troubled && !this.#choice.missed && this.#sizing.calm
  }

  /** A connection for a lease that need not wait, if there is one. */
  leaseNow(): Slot | undefined {
    if (this.paused || this.pending.leases > 0) return undefined
    const slot = this.#choice.freshIdle(this.now)
    if (slot === undefined) return undefined
    this.#lend(slot)
    if (this.#choice.missed) this.#attend()
    return slot
  }

  #lend(slot: Slot): void {
    slot.uses++
    this.#placement.move(slot, 'leased')
  }

  /** A place for a request that need not wait, if there is one. */
  joinNow(): Slot | undefined {
    // If requests wait, no connection has room; while a lease waits uncovered, none is left unreserved: `#serve` saw to both.
    if (this.paused || this.pending.requests > 0) return undefined
    const slot = this.#choice.joinable(this.now)
    if (slot === undefined) return undefined
    this.#join(slot)
    if (this.#choice.lowestLoad >= this.#growAt) this.#sizing.grow(slot.site, this.now)
    if (this.#choice.missed) this.#attend()
    return slot
  }

  #join(slot: Slot): void {
    this.#placement.seat(slot)
    this.#placement.move(slot, 'shared')
  }

  /** One request of a shared connection has ended, or an abandoned one's place has become free. */
  finish(slot: Slot): void {
    if (slot.state === 'closing') {
      if (slot.inFlight > 0) slot.inFlight--
      return
    }
    expect(slot, slot.state === 'shared', 'finish')
    slot.inFlight--
    if (slot.inFlight === 0) slot.blocked = false // nothing is owed any more
    if (slot.inFlight > 0) {
      if (slot.reserved) this.#placement.weigh(slot)
      else this.#placement.move(slot, 'shared')
      this.serveQueue()
      this.keepIdle()
    } else if (this.pending.size > 0 || !this.#sizing.mayRest(slot, this.now)) this.available(slot)
    else this.#placement.rest(slot, this.now)
  }

  /** A connection with nothing in flight: closed if it has had its time; else to the first waiter, else idle, else closed. */
  available(slot: Slot): void {
    const oldest = this.pending.head
    if (this.#placement.isFit(slot)) {
      const worn = this.#placement.wornBy(slot, this.now) ?? (this.#sizing.givesUp(slot) ? 'balance' : undefined)
      if (worn !== undefined) this.#placement.close(slot, worn)
      else if (oldest !== undefined && !this.paused) this.#give(slot, oldest)
      else if (this.#sizing.retired) this.#placement.close(slot, 'shutdown')
      else if (this.#sizing.mayIdle) this.#placement.rest(slot, this.now)
      else this.#placement.close(slot, 'idle')
    }
    this.serve()
  }

  /** A connection with nothing in flight goes to the first waiter; if that is a request, those right behind it share it. */
  #give(slot: Slot, oldest: Waiter): void {
    if (oldest.kind === 'lease') {
      this.#lend(slot)
      this.#grant(slot, oldest)
      return
    }
    slot.reserved = false
    slot.inFlight = 0
    let next: Waiter | undefined = oldest
    while (next?.kind === 'request' && slot.inFlight < this.#limits.pipelining && slot.worn === undefined) {
      this.#placement.seat(slot)
      this.#grant(slot, next)
      next = this.pending.head
    }
    this.#placement.move(slot, 'shared')
  }

  #grant(slot: Slot, waiter: Waiter): void {
    this.pending.remove(waiter)
    this.#effects.push('grant', slot, waiter, 'idle')
  }

  /** Ends a step of the books: whatever has become free is given away, whatever is missing comes. */
  serve(): void {
    this.#sizing.claim()
    this.serveQueue()
    this.#attend()
    this.keepIdle()
  }

  #attend(): void {
    if (this.#choice.missed || this.#placement.sites.troubled) this.#choice.missed = this.#sizing.attend(this.now)
  }

  /** Opens what `minIdle` asks for. */
  keepIdle(): void {
    if (this.#limits.minIdle > 0) this.#sizing.keepIdle(this.paused ? 0 : this.pending.connections(this.#growAt))
  }

  /**
   * Serves the queue after any change, in this order: idle connections to the oldest; a coming connection for each waiting
   * lease; a reservation for each lease still without; places for requests on what is left; a coming connection for the rest.
   * One pass is enough: a lease is left without only when nothing can be opened, and then nothing opens for requests either.
   */
  serveQueue(): void {
    const pending = this.pending
    if (pending.size === 0 && this.#placement.reserved.size === 0) return
    if (this.paused) return this.#placement.reserve(0)
    for (let oldest = pending.head; oldest !== undefined; oldest = pending.head) {
      const slot = this.#choice.freshIdle(this.now)
      if (slot === undefined) break
      this.#give(slot, oldest)
    }
    this.#sizing.bring(pending.leases, this.now)
    this.#placement.reserve(pending.leases - this.#placement.coming)
    for (let request = pending.firstRequest; request !== undefined; request = pending.firstRequest) {
      const slot = this.#choice.joinable(this.now)
      if (slot === undefined) break
      this.#join(slot)
      this.#grant(slot, request)
    }
    this.#sizing.bring(pending.connections(this.#growAt), this.now)
  }
}
