/**
 * The books: who holds which connection, who waits, what has to be opened or closed. Pure: no clock, no I/O, no promise.
 *
 * Each step changes the state at once and ends by `#serve`, so that whatever freed a place or a permit, the queue sees it.
 */
import type { CloseReason } from '@cenote/pool-worker'
import { Admission, type AdmissionLimits } from './admission.ts'
import { checkBooks } from './check.ts'
import { type BooksCounts, countBooks } from './counts.ts'
import { Effects } from './effects.ts'
import { Pending, type Waiter } from './pending.ts'
import { growAt, Placement, type PlacementLimits } from './placement.ts'
import { Sizing, type SizingLimits } from './sizing.ts'
import { expect, type Slot } from './slots.ts'

/** What the books keep to. */
export interface BooksLimits extends PlacementLimits, SizingLimits, AdmissionLimits {
  /** Callers who may wait. */
  readonly maxPending: number
}

/** The state of the coordinator. All times are in ms, and never go back. */
export class Books {
  /** To be carried out after each step, then cleared. */
  readonly effects: Effects = new Effects()
  /** How connecting goes. */
  readonly admission: Admission
  readonly #limits: BooksLimits
  readonly #placement: Placement
  readonly #sizing: Sizing
  readonly #pending: Pending = new Pending()
  #paused = false
  #now = 0

  /** `fit` reads a slot's shared word: false means that its shard already knows it dead. It must stay false until `gone`. */
  constructor(limits: BooksLimits, fit: (slot: Slot) => boolean) {
    this.#limits = { ...limits }
    this.admission = new Admission(this.#limits)
    this.#placement = new Placement(this.#limits, this.admission, fit, this.effects)
    this.#sizing = new Sizing(this.#limits, this.#placement, this.effects)
  }

  /** As they are now: `resize` changes them. */
  get limits(): Readonly<BooksLimits> {
    return this.#limits
  }

  /** A shard is live, with no slots: for the first time, or again after `removeShard`. */
  addShard(shard: number): void {
    if ((this.#placement.shards[shard]?.connections ?? 0) > 0) throw new Error(`shard ${shard} still has connections`)
    this.#placement.setLive(shard, true)
    this.#serveQueue() // others may follow: `refill` opens what nobody waits for
    this.#sizing.tryAgain()
  }

  /** A shard has died: its connections are lost to all, but hold their permits until `gone` or `removeShard`. */
  suspendShard(shard: number): void {
    const home = this.#placement.setLive(shard, false)
    for (const slot of home.slots) if (slot.state !== 'free') this.#placement.move(slot, 'closing')
    this.#serve()
  }

  /** A dead shard's thread is gone, and every connection with it. */
  removeShard(shard: number): void {
    const home = this.#placement.setLive(shard, false)
    for (const slot of home.slots) if (slot.state !== 'free') this.#placement.move(slot, 'free')
    this.#serve()
  }

  /** A live shard shows no sign of life, or shows one again. */
  suspectShard(shard: number, suspect: boolean, now: number): void {
    this.#now = now
    this.#placement.setSuspect(shard, suspect)
    this.#serve()
  }

  /**
   * Asks for a connection (lease) or a place on one (request).
   *
   * @returns The slot, granted at once. Undefined with `waiter.queued`: a grant will follow among the effects.
   * Undefined without: refused, `maxPending` wait already.
   */
  get(waiter: Waiter, now: number): Slot | undefined {
    this.#now = now
    const slot = waiter.kind === 'request' ? this.#joinNow() : this.#leaseNow()
    this.#keepIdle()
    if (slot !== undefined || this.#pending.size >= this.#limits.maxPending) return slot
    this.#pending.push(waiter)
    this.#serve()
    return undefined
  }

  /** A lease without waiting and without a probe, or undefined. Never passes one that waits. */
  tryLease(now: number): Slot | undefined {
    this.#now = now
    const slot = this.#leaseNow()
    this.#keepIdle()
    return slot
  }

  /** Connections that are open and not on their way out, those being probed among them. */
  get open(): number {
    return this.#placement.living - this.#placement.tally.opening
  }

  /** All who wait, in the order of their turns. */
  get waiters(): Iterable<Waiter> {
    return this.#pending
  }

  /** Whether a waiter is served only when somebody gives back what he holds alone: no other connection is left, or can be opened. */
  dependsOnHolders(waiter: Waiter): boolean {
    return !this.#paused && this.#pending.aloneUpTo(waiter) > this.#limits.maxConnections - this.#placement.tally.leased
  }

  /** Takes waiters out of the queue, all before anybody is served for it. Connections being opened for them stay in the pool. */
  cancel(waiters: readonly Waiter[]): void {
    for (const waiter of waiters) if (waiter.queued) this.#pending.remove(waiter)
    this.#serve()
  }

  /** One request of a shared connection has ended, or an abandoned one's place has become free. */
  finish(slot: Slot, now: number): void {
    this.#now = now
    if (slot.state === 'closing') {
      if (slot.inFlight > 0) slot.inFlight--
      return
    }
    expect(slot, slot.state === 'shared', 'finish')
    slot.inFlight--
    if (slot.inFlight === 0) slot.blocked = false // nothing is owed any more
    if (slot.inFlight > 0) {
      if (!slot.reserved) this.#placement.move(slot, 'shared')
      this.#serve()
    } else if (this.#pending.size > 0 || !this.#sizing.mayRest(slot, this.#now)) this.#available(slot)
    else this.#placement.rest(slot, this.#now)
  }

  /** A lease has ended and left nothing behind: to the next waiter, else idle for `restMs` at most, else closed above `maxIdle`. */
  release(slot: Slot, now: number, restMs: number = Number.POSITIVE_INFINITY): void {
    this.#now = now
    if (slot.state === 'closing') return
    expect(slot, slot.state === 'leased', 'release')
    slot.restMs = restMs
    this.#available(slot)
  }

  /** A lease has ended, and its shard is asked to prove the connection fit: `ready` or `gone` follows. */
  reset(slot: Slot, restMs: number = Number.POSITIVE_INFINITY): void {
    if (slot.state === 'closing') return
    expect(slot, slot.state === 'leased', 'reset')
    const worn = this.#placement.wornBy(slot, this.#now)
    if (worn !== undefined) return this.close(slot, worn)
    slot.restMs = restMs
    this.#placement.move(slot, 'resetting')
    this.#serve()
  }

  /** A connection was opened. `chance`, at least 0 and below 1, is how much of the jitter its lifetime loses. */
  opened(slot: Slot, now: number, chance: number): void {
    this.#now = now
    slot.failuresBefore = this.admission.succeeded()
    if (slot.state === 'closing') return this.#serve()
    expect(slot, slot.state === 'opening', 'opened')
    this.#sizing.bear(slot, now, chance)
    this.#available(slot)
  }

  /** A connection was probed or reset. */
  ready(slot: Slot, now: number): void {
    this.#now = now
    if (slot.state === 'closing') return
    expect(slot, slot.state === 'probing' || slot.state === 'resetting', 'ready')
    this.#available(slot)
  }

  /** A leased connection is sent a request. */
  use(slot: Slot): void {
    slot.uses++
  }

  /** A handler runs on this leased connection, or no longer: requests avoid its shard meanwhile. */
  markHandler(slot: Slot, running: boolean): void {
    if (slot.state === 'leased' || slot.state === 'closing') this.#placement.setHandler(slot, running)
  }

  /** The oldest owed reply of a shared connection was abandoned: it takes no new request until this is taken back. */
  block(slot: Slot, blocked: boolean): void {
    if (slot.state !== 'shared' || slot.blocked === blocked) return
    slot.blocked = blocked
    if (!slot.reserved) this.#placement.move(slot, 'shared')
    this.#serve()
  }

  /** Ends a connection. It keeps its permit until `gone`. */
  close(slot: Slot, reason: CloseReason): void {
    if (slot.state === 'closing' || slot.state === 'free') return
    this.#placement.close(slot, reason)
    this.#serve()
  }

  /** A connection has ended, in whatever state it was: its permit returns and its slot is free. */
  gone(slot: Slot, now: number): void {
    this.#now = now
    if (slot.state === 'free') return
    this.#placement.move(slot, 'free')
    this.#serve()
  }

  /** A connect has failed, or was stillborn. `final`, `chance` and what is returned: see `Admission.failed`. */
  failed(slot: Slot, now: number, final: boolean, chance: number): number | undefined {
    const restMs = this.admission.failed(this.open > (slot.state === 'idle' ? 1 : 0), final, chance, slot.failuresBefore)
    this.gone(slot, now)
    return restMs
  }

  /** The pause after a failed connect is over: what is wanted opens. */
  rested(now: number): void {
    this.admission.rested()
    this.refill(now)
    this.#serve()
  }

  /** Opens up to `minConnections` and `minIdle`. */
  refill(now: number): void {
    this.#now = now
    this.#sizing.refill()
    this.#keepIdle()
  }

  /**
   * Closes what has been idle for `idleTimeoutMs`, the longest first, as long as `minConnections` others live; and what is older
   * than its lifetime, once nobody uses it.
   *
   * @returns When to call again. Infinity: not before another connection has been opened.
   */
  sweep(now: number): number {
    this.#now = now
    const next = this.#sizing.sweep(now)
    this.#serve()
    return next
  }

  /** The longest wait before the first `sweep` of a connection that opens now. */
  get sweepMs(): number {
    return Math.min(this.#limits.idleTimeoutMs, this.#sizing.shortestLifetimeMs)
  }

  /** Shutdown: closes what is idle, opens nothing more, and closes every other connection when nobody waits for it. */
  retire(now: number): void {
    this.#now = now
    this.#sizing.retired = true
    this.#sizing.closeIdle('shutdown')
  }

  /** While it is true nobody is granted anything: who comes waits, and what was granted goes on. */
  get paused(): boolean {
    return this.#paused
  }

  /** Holds whoever comes or waits in the queue, or serves them again. */
  pause(on: boolean, now: number): void {
    this.#now = now
    this.#paused = on
    this.#serve()
  }

  /** Other limits from now on. What is too many closes: idle ones at once, the others when nobody uses them. */
  resize(maxConnections: number, minConnections: number, now: number): void {
    this.#now = now
    this.#sizing.resize(maxConnections, minConnections)
    this.#serve()
  }

  /** These connections close: idle ones at once, the others when nobody uses them. Without, all that there are. */
  recycle(slots: Iterable<Slot> | undefined, now: number): void {
    this.#now = now
    this.#sizing.recycle(slots)
    this.#serve()
  }

  /** The state in numbers. `opening` counts those being probed too; the states add up to `connections`. */
  counts(): BooksCounts {
    return countBooks(this.#placement, this.#pending)
  }

  /** Derives every invariant anew. Empty: all hold. For tests. */
  check(): string[] {
    return checkBooks({
      placement: this.#placement,
      pending: this.#pending,
      limits: this.#limits,
      retired: this.#sizing.retired,
      paused: this.#paused,
      now: this.#now,
    })
  }

  #leaseNow(): Slot | undefined {
    if (this.#paused || this.#pending.leases > 0) return undefined
    const slot = this.#placement.freshIdle(this.#now)
    if (slot !== undefined) this.#lend(slot)
    return slot
  }

  #lend(slot: Slot): void {
    slot.uses++
    this.#placement.move(slot, 'leased')
  }

  #joinNow(): Slot | undefined {
    // If requests wait, no connection has room; while a lease waits uncovered, none is left unreserved: `#serve` saw to both.
    if (this.#paused || this.#pending.requests > 0) return undefined
    const slot = this.#placement.joinable(this.#now)
    if (slot === undefined) return undefined
    this.#join(slot)
    const { opening, probing } = this.#placement.tally
    if (this.#placement.lowestLoad >= growAt(this.#limits) && opening + probing === 0) this.#sizing.bringOne(this.#now)
    return slot
  }

  #join(slot: Slot): void {
    this.#placement.seat(slot)
    this.#placement.move(slot, 'shared')
  }

  /** A connection with nothing in flight: closed if it has had its time; else to the first waiter, else idle, else closed. */
  #available(slot: Slot): void {
    const oldest = this.#pending.head
    if (this.#placement.isFit(slot)) {
      const worn = this.#placement.wornBy(slot, this.#now)
      if (worn !== undefined) this.#placement.close(slot, worn)
      else if (oldest !== undefined && !this.#paused) this.#give(slot, oldest)
      else if (this.#sizing.retired) this.#placement.close(slot, 'shutdown')
      else if (this.#sizing.mayIdle) this.#placement.rest(slot, this.#now)
      else this.#placement.close(slot, 'idle')
    }
    this.#serve()
  }

  /** A connection with nothing in flight goes to the first waiter; if that is a request, those right behind it share it. */
  #give(slot: Slot, oldest: Waiter): void {
    if (oldest.kind === 'lease') {
      this.#lend(slot)
      return this.#grant(slot, oldest)
    }
    slot.reserved = false
    slot.inFlight = 0
    let next: Waiter | undefined = oldest
    while (next?.kind === 'request' && slot.inFlight < this.#limits.pipelining && slot.worn === undefined) {
      this.#placement.seat(slot)
      this.#grant(slot, next)
      next = this.#pending.head
    }
    this.#placement.move(slot, 'shared')
  }

  #grant(slot: Slot, waiter: Waiter): void {
    this.#pending.remove(waiter)
    this.effects.push('grant', slot, waiter, 'idle')
  }

  #serve(): void {
    this.#serveQueue()
    this.#keepIdle()
    this.#sizing.tryAgain()
  }

  #keepIdle(): void {
    if (this.#limits.minIdle > 0) this.#sizing.keepIdle(this.#paused ? 0 : this.#pending.connections(growAt(this.#limits)))
  }

  /**
   * Serves the queue after any change, in this order: idle connections to the oldest; a coming connection for each waiting
   * lease; a reservation for each lease still without; places for requests on what is left; a coming connection for the rest.
   * One pass is enough: a lease is left without only when nothing can be opened, and then nothing opens for requests either.
   */
  #serveQueue(): void {
    const pending = this.#pending
    if (pending.size === 0 && this.#placement.reserved.size === 0) return
    if (this.#paused) return this.#placement.reserve(0)
    for (let oldest = pending.head; oldest !== undefined; oldest = pending.head) {
      const slot = this.#placement.freshIdle(this.#now)
      if (slot === undefined) break
      this.#give(slot, oldest)
    }
    this.#sizing.bring(pending.leases, this.#now)
    this.#placement.reserve(pending.leases - this.#placement.coming)
    for (let request = pending.firstRequest; request !== undefined; request = pending.firstRequest) {
      const slot = this.#placement.joinable(this.#now)
      if (slot === undefined) break
      this.#join(slot)
      this.#grant(slot, request)
    }
    this.#sizing.bring(pending.connections(growAt(this.#limits)), this.#now)
  }
}
