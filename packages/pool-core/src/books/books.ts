/**
 * The books: who holds which connection, who waits, what has to be opened or closed. Pure: no clock, no I/O, no promise.
 *
 * Each step changes the state at once and ends by serving, so that whatever freed a place or a permit, the queue sees it.
 */
import type { CloseReason } from '@cenote/pool-worker'
import { checkBooks } from './check.ts'
import { Choice } from './choice.ts'
import { type BooksCounts, countBooks } from './counts.ts'
import { Effects } from './effects.ts'
import { Encore } from './encore.ts'
import type { Fault } from './faults.ts'
import { keepAlive } from './keep-alive.ts'
import { Load, type LoadStats } from './load.ts'
import type { Waiter } from './pending.ts'
import { Placement, type PlacementLimits } from './placement.ts'
import { Serving } from './serving.ts'
import { type ListedEndpoint, type Site, type SiteChanges, Sites, type SitesLimits } from './sites.ts'
import { Sizing, type SizingLimits } from './sizing.ts'
import { expect, type Slot } from './slots.ts'

/** What the books keep to. */
export interface BooksLimits extends PlacementLimits, SizingLimits, SitesLimits {
  /** Callers who may wait. */
  readonly maxPending: number
}

/** The state of the coordinator. All times are in ms, and never go back. */
export class Books {
  /** To be carried out after each step, then cleared. */
  readonly effects: Effects = new Effects()
  /** The endpoints, and how each does. */
  readonly sites: Sites
  readonly #limits: BooksLimits
  readonly #placement: Placement
  readonly #sizing: Sizing
  readonly #serving: Serving
  readonly #load: Load = new Load()
  readonly #encore: Encore

  /**
   * @param fit - Reads a slot's shared word: false means that its shard already knows it dead. It must stay false until `gone`.
   * @param random - At least 0, below 1: chooses among endpoints.
   */
  constructor(limits: BooksLimits, fit: (slot: Slot) => boolean, random: () => number) {
    this.#limits = { ...limits }
    this.sites = new Sites(this.#limits, random)
    this.#placement = new Placement(this.#limits, this.sites, fit, this.effects)
    const choice = new Choice(this.#limits, this.#placement)
    this.#sizing = new Sizing(this.#limits, this.#placement, choice, this.effects)
    this.#serving = new Serving(this.#limits, this.#placement, choice, this.#sizing, this.effects)
    this.#encore = new Encore(this.#limits, this.#placement, this.#serving, this.#load)
  }

  get #now(): number {
    return this.#serving.now
  }

  /** Until now everything was as it is. */
  set #now(now: number) {
    this.#settle()
    const { shared, leased } = this.#placement.tally
    this.#load.until(now, shared + leased, this.#serving.pending.size)
    this.#serving.now = now
  }

  /** What was given back goes the long way after all. */
  #settle(): void {
    const slot = this.#encore.end()
    if (slot !== undefined) this.release(slot, this.#encore.since)
  }

  /** As they are now: `resize` changes them. */
  get limits(): Readonly<BooksLimits> {
    return this.#limits
  }

  /** A shard is live, with no slots: for the first time, or again after `removeShard`. */
  addShard(shard: number): void {
    this.#settle()
    if ((this.#placement.shards[shard]?.connections ?? 0) > 0) throw new Error(`shard ${shard} still has connections`)
    this.#placement.setLive(shard, true)
    this.#serving.serveQueue() // others may follow: `refill` opens what nobody waits for
    this.#sizing.attend(this.#now)
  }

  /** Another list of endpoints. What is open to those that are no longer on it closes: idle ones at once, the others when nobody uses them. */
  list(endpoints: readonly ListedEndpoint[], now: number): SiteChanges {
    this.#now = now
    const changes = this.sites.list(endpoints, now)
    for (const site of changes.removed) this.#sizing.shed(site)
    for (const site of [...changes.added, ...changes.returned]) this.#sizing.keep(site)
    this.#serving.serve()
    this.refill(now)
    return changes
  }

  /** A connect or a reply has failed. Returns whether the endpoint takes no new work for a time; its connections go as if it were not on the list. */
  blame(site: Site, fault: Fault, now: number): boolean {
    this.#now = now
    const ejected = this.sites.blame(site, fault, now)
    if (!ejected) return false
    this.#sizing.shed(site)
    this.#serving.serve()
    return true
  }

  /** Lets ejected endpoints take work again whose time is up, or that are needed. Returns them. */
  readmit(now: number): Site[] {
    this.#now = now
    const back = this.sites.readmit(now)
    for (const site of back) this.#sizing.keep(site)
    if (back.length > 0) this.#serving.serve()
    return back
  }

  /** A shard has died: its connections are lost to all, but hold their permits until `gone` or `removeShard`. */
  suspendShard(shard: number, now: number): void {
    this.#now = now
    const home = this.#placement.setLive(shard, false)
    for (const slot of home.slots) if (slot.state !== 'free') this.#placement.move(slot, 'closing')
    this.#serving.serve()
  }

  /** A dead shard's thread is gone, and every connection with it. */
  removeShard(shard: number, now: number): void {
    this.#now = now
    const home = this.#placement.setLive(shard, false)
    for (const slot of home.slots) if (slot.state !== 'free') this.#placement.move(slot, 'free')
    this.#serving.serve()
  }

  /** A live shard shows no sign of life, or shows one again. */
  suspectShard(shard: number, suspect: boolean, now: number): void {
    this.#now = now
    this.#placement.setSuspect(shard, suspect)
    this.#serving.serve()
  }

  /**
   * Asks for a connection (lease) or a place on one (request).
   *
   * @returns The slot, granted at once. Undefined with `waiter.queued`: a grant will follow among the effects.
   * Undefined without: refused, `maxPending` wait already.
   */
  get(waiter: Waiter, now: number): Slot | undefined {
    this.#now = now
    this.#load.calls++
    const slot = waiter.kind === 'request' ? this.#serving.joinNow() : this.#serving.leaseNow()
    this.#serving.keepIdle()
    if (slot !== undefined) return slot
    if (this.#serving.pending.size >= this.#limits.maxPending) {
      this.#load.left++
      return undefined
    }
    this.#serving.pending.push(waiter)
    this.#serving.serve()
    return undefined
  }

  /** A lease without waiting and without a probe, or undefined. Never passes one that waits. */
  tryLease(now: number): Slot | undefined {
    const again = this.#encore.take(now)
    if (again !== undefined) return again
    this.#now = now
    const slot = this.#serving.leaseNow()
    this.#serving.keepIdle()
    if (slot === undefined) return undefined
    this.#load.calls++
    this.#encore.lent(slot)
    return slot
  }

  /** Connections that are open and not on their way out, those being probed among them. */
  get open(): number {
    return this.#placement.living - this.#placement.tally.opening
  }

  /** Whether no endpoint that takes work can be connected to. */
  get down(): boolean {
    return this.sites.down
  }

  /** All who wait, in the order of their turns. */
  get waiters(): Iterable<Waiter> & { readonly size: number } {
    return this.#serving.pending
  }

  /** Whether a waiter is served only when somebody gives back what he holds alone: no other connection is left, or can be opened. */
  dependsOnHolders(waiter: Waiter): boolean {
    return !this.paused && this.#serving.pending.aloneUpTo(waiter) > this.#placement.withoutHolders
  }

  /** Takes waiters out of the queue, all before anybody is served for it. Connections being opened for them stay in the pool. */
  cancel(waiters: readonly Waiter[], now: number): void {
    this.#now = now
    for (const waiter of waiters) {
      if (!waiter.queued) continue
      this.#serving.pending.remove(waiter)
      this.#load.left++
    }
    this.#serving.serve()
  }

  /** One request of a shared connection has ended, or an abandoned one's place has become free. */
  finish(slot: Slot, now: number): void {
    this.#now = now
    this.#serving.finish(slot)
  }

  /** A lease has ended and left nothing behind: to the next waiter, else idle for `restMs` at most, else closed above `maxIdle`. */
  release(slot: Slot, now: number, restMs: number = Number.POSITIVE_INFINITY): void {
    if (restMs === Number.POSITIVE_INFINITY && this.#encore.keep(slot, now)) return
    this.#now = now
    if (slot.state === 'closing') return
    expect(slot, slot.state === 'leased', 'release')
    slot.restMs = restMs
    this.#serving.available(slot)
  }

  /** A lease has ended, and its shard is asked to prove the connection fit: `ready` or `gone` follows. */
  reset(slot: Slot, now: number, restMs: number = Number.POSITIVE_INFINITY): void {
    this.#now = now
    if (slot.state === 'closing') return
    expect(slot, slot.state === 'leased', 'reset')
    const worn = this.#placement.wornBy(slot, now)
    if (worn !== undefined) return this.close(slot, worn, now)
    slot.restMs = restMs
    this.#placement.move(slot, 'resetting')
    this.#serving.serve()
  }

  /** A connection was opened. `chance`, at least 0 and below 1, is how much of the jitter its lifetime loses. */
  opened(slot: Slot, now: number, chance: number): void {
    this.#now = now
    const { admission, faults } = slot.site
    const { down } = admission
    slot.failuresBefore = admission.succeeded()
    faults.connected()
    if (down) this.sites.attend()
    if (slot.state === 'closing') return this.#serving.serve()
    expect(slot, slot.state === 'opening', 'opened')
    this.#sizing.bear(slot, now, chance)
    this.#serving.available(slot)
  }

  /** A connection was probed or reset. */
  ready(slot: Slot, now: number): void {
    this.#now = now
    if (slot.state === 'closing') return
    expect(slot, slot.state === 'probing' || slot.state === 'resetting', 'ready')
    this.#serving.available(slot)
  }

  /** A leased connection is sent a request. */
  use(slot: Slot): void {
    slot.uses++
  }

  /** A handler runs on this leased connection, or no longer: requests avoid its shard meanwhile. */
  markHandler(slot: Slot, running: boolean): void {
    this.#settle()
    if (slot.state === 'leased' || slot.state === 'closing') this.#placement.setHandler(slot, running)
  }

  /** The oldest owed reply of a shared connection was abandoned: it takes no new request until this is taken back. */
  block(slot: Slot, blocked: boolean): void {
    this.#settle()
    if (slot.state !== 'shared' || slot.blocked === blocked) return
    slot.blocked = blocked
    if (!slot.reserved) this.#placement.move(slot, 'shared')
    this.#serving.serve()
  }

  /** So long its server keeps a connection when it is idle, from now on. */
  keepAlive(slot: Slot, ms: number, now: number): void {
    this.#settle()
    keepAlive(slot, ms, now)
  }

  /** Ends a connection. It keeps its permit until `gone`. */
  close(slot: Slot, reason: CloseReason, now: number): void {
    this.#now = now
    if (slot.state === 'closing' || slot.state === 'free') return
    this.#placement.close(slot, reason)
    this.#serving.serve()
  }

  /** A connection has ended, in whatever state it was: its permit returns and its slot is free. */
  gone(slot: Slot, now: number): void {
    this.#now = now
    if (slot.state === 'free') return
    this.#placement.move(slot, 'free')
    this.#serving.serve()
  }

  /** A connect has failed, or was stillborn. `final`, `chance` and what is returned: see `Admission.failed`. */
  failed(slot: Slot, now: number, final: boolean, chance: number): number | undefined {
    this.#now = now
    const { living, tally, admission } = slot.site
    const { down } = admission
    const others = living - tally.opening - (slot.state === 'idle' ? 1 : 0)
    const restMs = admission.failed(others > 0, final, chance, slot.failuresBefore)
    if (admission.down !== down) this.sites.attend()
    this.gone(slot, now)
    return restMs
  }

  /** The pause after a failed connect is over: what is wanted opens. */
  rested(site: Site, now: number): void {
    site.admission.rested()
    this.refill(now)
    this.#serving.serve()
  }

  /** Opens up to `minConnections` and `minIdle`. */
  refill(now: number): void {
    this.#now = now
    this.#sizing.refill()
    this.#serving.keepIdle()
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
    this.#serving.serve()
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
    return this.#serving.paused
  }

  /** Holds whoever comes or waits in the queue, or serves them again. */
  pause(on: boolean, now: number): void {
    this.#now = now
    this.#serving.paused = on
    this.#serving.serve()
  }

  /** Other limits from now on. What is too many closes: idle ones at once, the others when nobody uses them. */
  resize(maxConnections: number, minConnections: number, now: number): void {
    this.#now = now
    this.#sizing.resize(maxConnections, minConnections)
    this.#serving.serve()
  }

  /** These connections close: idle ones at once, the others when nobody uses them. Without, all that there are. */
  recycle(slots: Iterable<Slot> | undefined, now: number): void {
    this.#now = now
    this.#sizing.recycle(slots)
    this.#serving.serve()
  }

  /** The state in numbers. `opening` counts those being probed too; the states add up to `connections`. */
  counts(): BooksCounts {
    this.#settle()
    return countBooks(this.#placement, this.#serving.pending)
  }

  /** How much the connections were used until now. */
  load(now: number): LoadStats {
    this.#now = now
    return this.#load.stats(this.#serving.pending.size)
  }

  /** Derives every invariant anew. Empty: all hold. For tests. */
  check(): string[] {
    this.#settle()
    return checkBooks({
      placement: this.#placement,
      pending: this.#serving.pending,
      limits: this.#limits,
      retired: this.#sizing.retired,
      paused: this.#serving.paused,
      now: this.#now,
    })
  }
}
