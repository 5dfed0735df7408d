/** How many connections there should be, and which of them have had their time. */
import type { CloseReason } from '@cenote/pool-worker'
import type { Choice } from './choice.ts'
import type { Effects } from './effects.ts'
import { endKept } from './keep-alive.ts'
import type { Placement } from './placement.ts'
import type { Site } from './sites.ts'
import type { Slot } from './slots.ts'

/** What sizing keeps to. */
export interface SizingLimits {
  /** Connections, those on their way out included. */
  maxConnections: number
  minConnections: number
  /** Of one endpoint, those on their way out included. */
  maxPerEndpoint: number
  /** More idle connections than this are closed when one is released or becomes ready. */
  maxIdle: number
  /** Idle connections kept ready beyond those in use. */
  readonly minIdle: number
  readonly idleTimeoutMs: number
  /** The longest life of a connection; each is given up to a tenth less. */
  readonly maxLifetimeMs: number
}

/** Lifetimes are looked at this many times within the longest of them, at most: so a sweep that looks at all slots stays rare. */
const LOOKS = 1_000

/** The part of each lifetime that chance may take, so that connections opened together do not end together. */
const JITTER = 0.1

/** In use, or about to be: first those that hold nobody up. */
const BUSY = ['opening', 'probing', 'resetting', 'shared', 'leased'] as const

/** Opens and closes for the books; never serves anybody. */
export class Sizing {
  /** The pool is being closed. */
  retired = false
  /** An endpoint without any connection that the next place is for. */
  #roomFor: Site | undefined = undefined
  /** The shared connection that takes no more requests for such a one. */
  #givenUp: Slot | undefined = undefined
  readonly #limits: SizingLimits
  /** `maxIdle` and `maxPerEndpoint` are no limits of their own: settled once, for a resize may bring `maxConnections` down to one that is. */
  readonly #allIdle: boolean
  readonly #allAtOne: boolean
  readonly #placement: Placement
  readonly #choice: Choice
  readonly #effects: Effects

  constructor(limits: SizingLimits, placement: Placement, choice: Choice, effects: Effects) {
    this.#limits = limits
    this.#allIdle = limits.maxIdle === limits.maxConnections
    this.#allAtOne = limits.maxPerEndpoint === limits.maxConnections
    this.#placement = placement
    this.#choice = choice
    this.#effects = effects
  }

  /** Whether one more connection may stay idle. */
  get mayIdle(): boolean {
    return this.#placement.tally.idle < this.#limits.maxIdle || this.#placement.living <= this.#limits.minConnections
  }

  /** Whether one that comes back simply stays. */
  get calm(): boolean {
    return !this.retired && this.#roomFor === undefined && this.mayIdle
  }

  /** Whether a connection that nobody waits for may become idle. */
  mayRest(slot: Slot, now: number): boolean {
    return !this.retired && this.mayIdle && !this.givesUp(slot) && this.#placement.wornBy(slot, now) === undefined
  }

  /** Opens one more connection, to the endpoint with the fewest for its weight, unless the limits forbid it. */
  open(): boolean {
    const site = this.#placement.sites.poorest()
    return site !== undefined && this.#openAt(site)
  }

  #openAt(site: Site): boolean {
    const slot = this.retired ? undefined : this.#placement.open(site)
    if (slot === undefined) return false
    site.missed = false
    this.#effects.push('open', slot, undefined, 'idle')
    return true
  }

  /**
   * Lets connections come until there are `wanted`, or no more can: first those idle for long, by a probe, then new ones. A connect that is
   * under way, for whatever reason, is no cause to leave an idle one alone: a probe takes a round trip, a connect may hang.
   */
  bring(wanted: number, now: number): void {
    const { tally } = this.#placement
    while (tally.idle > 0 && this.#placement.proving < wanted && this.#probeOne(now)) {}
    while (!this.#placement.full && this.#placement.coming < wanted && this.open()) {}
  }

  #probeOne(now: number): boolean {
    const slot = this.#choice.anyIdle(now)
    if (slot !== undefined) this.#probe(slot)
    return slot !== undefined
  }

  /** Lets one more connection of an endpoint come, if none does. */
  grow(site: Site, now: number): boolean {
    const { opening, probing } = site.tally
    if (opening + probing > 0) return true
    const slot = this.#choice.idleAt(site, Number.NEGATIVE_INFINITY, now)
    if (slot === undefined) return this.#openAt(site)
    this.#probe(slot)
    return true
  }

  #probe(slot: Slot): void {
    this.#placement.move(slot, 'probing')
    this.#effects.push('probe', slot, undefined, 'idle')
  }

  /** Opens up to `minConnections`. */
  refill(): void {
    while (this.#placement.living < this.#limits.minConnections && this.open()) {}
  }

  /**
   * Sees to endpoints that need a connection though nobody waits for it: one that is down is tried again whenever it may be, one that was
   * chosen and could not serve grows. At the cap, one without any connection gets the place of another's.
   */
  attend(now: number): boolean {
    let missed = false
    for (const site of this.#placement.sites.usable) {
      if (!site.admission.down && !site.missed) continue
      const grown = site.admission.down ? this.#openAt(site) : this.grow(site, now)
      if (grown || !site.admission.open) site.missed = false
      else this.#makeRoom(site)
      missed ||= site.missed
    }
    return missed
  }

  /**
   * Else a pool whose connections all stay open would never come to an endpoint that is new, or was down. One connection at a time is given
   * up for it, of an endpoint that has others: an idle one, else the first that nobody uses any more. Shared ones may never come to that, so
   * one of them takes no more requests.
   */
  #makeRoom(site: Site): void {
    if (site.connections > 0) {
      site.missed = false
      return
    }
    if (this.retired || (this.#roomFor !== undefined && this.#roomFor !== site)) return
    this.#roomFor = site
    if (this.#hasRoom) return
    const rich = this.#placement.sites.usable.filter((each) => this.#isRich(each))
    const idle = this.#placement.oldestIdleOf(rich)
    if (idle !== undefined) return this.#placement.close(idle, 'balance')
    if (this.#givenUp?.worn === 'balance') return // of a slot that is free again it is undefined
    for (const slot of this.#placement.slotsIn('shared')) {
      if (slot.worn !== undefined || slot.reserved || !rich.includes(slot.site)) continue // a reserved one is somebody's already
      this.#givenUp = slot
      return this.#placement.wear(slot, 'balance')
    }
  }

  /** Whether there is a place, or will be when a connection on its way out has gone. */
  get #hasRoom(): boolean {
    const { connections, tally } = this.#placement
    return connections < this.#limits.maxConnections || tally.closing > 0
  }

  /** Whether an endpoint keeps a connection when it gives one up. */
  #isRich(site: Site): boolean {
    const leaving = this.#givenUp?.worn === 'balance' && this.#givenUp.site === site && this.#givenUp.state === 'shared'
    return site.living > (leaving ? 2 : 1)
  }

  /** Whether a connection that has been used, and is not any more, makes room for an endpoint without any. */
  givesUp(slot: Slot): boolean {
    const site = this.#roomFor
    if (site === undefined || this.retired || slot.reserved || slot.state === 'opening' || slot.state === 'probing') return false
    return site.connections === 0 && this.#placement.sites.mayOpen(site) && !this.#hasRoom && this.#isRich(slot.site)
  }

  /** The next place is of the endpoint that it was made for: the queue would take it for another, that connects have not failed to. */
  claim(): void {
    const site = this.#roomFor
    if (site === undefined) return
    if (site.connections > 0 || !this.#placement.sites.mayOpen(site) || this.#openAt(site)) this.#roomFor = undefined
  }

  /** The connections of an endpoint that takes no more work: idle ones close, the others when nobody uses them. */
  shed(site: Site): void {
    for (const slot of [...this.#placement.slotsIn('idle', ...BUSY)]) if (slot.site === site) this.#end(slot, 'drain')
  }

  /** It takes work again: what is in use, or on its way, stays, as far as the limits have room for it now. */
  keep(site: Site): void {
    const { maxConnections, maxPerEndpoint } = this.#limits
    const busy = [...this.#placement.slotsIn(...BUSY)]
    const staying = busy.filter((slot) => slot.worn === undefined)
    const room = maxConnections - this.#placement.tally.idle - staying.length
    const roomThere = maxPerEndpoint - site.tally.idle - staying.filter((slot) => slot.site === site).length
    const drained = busy.filter((slot) => slot.site === site && slot.worn === 'drain')
    for (const slot of drained.slice(0, Math.max(0, Math.min(room, roomThere)))) this.#placement.unwear(slot)
  }

  /** Opens until `minIdle` are idle or coming, beyond the `wanted` that somebody waits for. */
  keepIdle(wanted: number): void {
    while (this.#placement.tally.idle + this.#placement.coming < this.#limits.minIdle + wanted && this.open()) {}
  }

  /** A connection is born; `chance` is at least 0, below 1. */
  bear(slot: Slot, now: number, chance: number): void {
    slot.idleSince = now
    slot.expiresAt = now + this.#limits.maxLifetimeMs * (1 - chance * JITTER)
  }

  /** Closes what is idle too long or older than its lifetime. Returns when to look again. */
  sweep(now: number): number {
    const aged = this.#endOld(now)
    const kept = endKept(this.#placement, now)
    const idle = this.#endIdle(now)
    return this.#placement.living === 0 ? Number.POSITIVE_INFINITY : Math.min(aged, kept, idle)
  }

  /** No connection lives shorter, so a look after this time, and then by `sweep`, finds each in time. */
  get shortestLifetimeMs(): number {
    return this.#limits.maxLifetimeMs * (1 - JITTER)
  }

  /** Idle ones past their lifetime close; shared ones take no more requests. One held alone ends when it comes back. */
  #endOld(now: number): number {
    const { maxLifetimeMs } = this.#limits
    if (maxLifetimeMs === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY
    let due = now + this.shortestLifetimeMs
    for (const home of this.#placement.live) {
      for (const slot of home.slots) {
        if (slot.expiresAt > now) due = Math.min(due, slot.expiresAt)
        else if (slot.state === 'idle') this.#placement.close(slot, 'lifetime')
        else if (slot.state === 'shared') this.#placement.wear(slot, 'lifetime')
      }
    }
    return Math.max(due, now + maxLifetimeMs / LOOKS)
  }

  /** The longest idle first, as long as `minConnections` live and `minIdle` are idle without it. */
  #endIdle(now: number): number {
    const { idleTimeoutMs, minConnections, minIdle } = this.#limits
    const { tally } = this.#placement
    if (idleTimeoutMs === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY
    let oldest = this.#placement.oldestIdle()
    while (oldest !== undefined && oldest.idleSince + idleTimeoutMs <= now) {
      if (this.#placement.living <= minConnections || tally.idle <= minIdle) break
      this.#placement.close(oldest, 'idle')
      oldest = this.#placement.oldestIdle()
    }
    const due = (oldest?.idleSince ?? now) + idleTimeoutMs
    return due > now ? due : now + idleTimeoutMs
  }

  /** Other limits. A `maxIdle` or `maxPerEndpoint` that was all of them from the beginning stays all of them; any other stays what it was. */
  resize(maxConnections: number, minConnections: number): void {
    const limits = this.#limits
    if (this.#allIdle) limits.maxIdle = maxConnections
    if (this.#allAtOne) limits.maxPerEndpoint = maxConnections
    limits.maxConnections = maxConnections
    limits.minConnections = minConnections
    for (const slot of this.#placement.slotsIn(...BUSY)) if (slot.worn === 'resize') this.#placement.unwear(slot)
    this.#shrink()
    this.refill()
  }

  /** Ends so many connections that those which stay are `maxConnections`. */
  #shrink(): void {
    const busy = [...this.#placement.slotsIn(...BUSY)].filter((slot) => slot.worn === undefined)
    let surplus = busy.length + this.#placement.tally.idle - this.#limits.maxConnections
    for (; surplus > 0; surplus--) {
      const slot = this.#placement.oldestIdle()
      if (slot === undefined) break
      this.#placement.close(slot, 'resize')
    }
    for (const slot of busy.slice(0, Math.max(0, surplus))) this.#placement.wear(slot, 'resize')
  }

  /** Ends the given connections, or all. */
  recycle(slots: Iterable<Slot> = this.#placement.slotsIn('idle', ...BUSY)): void {
    for (const slot of [...slots]) this.#end(slot, 'recycle')
  }

  /** Now, if nobody uses it; else when nobody does. */
  #end(slot: Slot, reason: CloseReason): void {
    if (slot.state === 'idle') this.#placement.close(slot, reason)
    else if (slot.state !== 'closing' && slot.state !== 'free') this.#placement.wear(slot, reason)
  }

  /** Closes all that is idle. */
  closeIdle(reason: CloseReason): void {
    for (let slot: Slot | undefined = this.#placement.oldestIdle(); slot !== undefined; slot = this.#placement.oldestIdle())
      this.#placement.close(slot, reason)
  }
}
