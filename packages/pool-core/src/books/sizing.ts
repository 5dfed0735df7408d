/** How many connections there should be, and which of them have had their time. */
import type { CloseReason } from '@cenote/pool-worker'
import type { Effects } from './effects.ts'
import { endKept } from './keep-alive.ts'
import type { Placement } from './placement.ts'
import type { Slot } from './slots.ts'

/** What sizing keeps to. */
export interface SizingLimits {
  /** Connections, those on their way out included. */
  maxConnections: number
  minConnections: number
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
  readonly #limits: SizingLimits
  readonly #placement: Placement
  readonly #effects: Effects

  constructor(limits: SizingLimits, placement: Placement, effects: Effects) {
    this.#limits = limits
    this.#placement = placement
    this.#effects = effects
  }

  /** Whether one more connection may stay idle. */
  get mayIdle(): boolean {
    const { tally, living } = this.#placement
    return tally.idle < this.#limits.maxIdle || living <= this.#limits.minConnections
  }

  /** Whether a connection that nobody waits for may become idle. */
  mayRest(slot: Slot, now: number): boolean {
    return !this.retired && this.mayIdle && this.#placement.wornBy(slot, now) === undefined
  }

  /** Opens one more connection, unless the limits forbid it. */
  open(): boolean {
    const slot = this.retired ? undefined : this.#placement.open()
    if (slot !== undefined) this.#effects.push('open', slot, undefined, 'idle')
    return slot !== undefined
  }

  /** Lets connections come until there are `wanted`, or no more can. */
  bring(wanted: number, now: number): void {
    while (this.#placement.coming < wanted && this.bringOne(now)) {}
  }

  /** Lets one more connection come: one idle for long by a probe, else a new one. */
  bringOne(now: number): boolean {
    const slot = this.#placement.anyIdle(now)
    if (slot === undefined) return this.open()
    this.#placement.move(slot, 'probing')
    this.#effects.push('probe', slot, undefined, 'idle')
    return true
  }

  /** Opens up to `minConnections`. */
  refill(): void {
    while (this.#placement.living < this.#limits.minConnections && this.open()) {}
  }

  /** While the endpoint is down one connect is under way, whenever there may be one, though nobody waits for it. */
  tryAgain(): void {
    if (this.#placement.admission.down) this.open()
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

  /** Other limits. A `maxIdle` that was all of them stays all of them. */
  resize(maxConnections: number, minConnections: number): void {
    const limits = this.#limits
    if (limits.maxIdle === limits.maxConnections) limits.maxIdle = maxConnections
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
    for (const slot of [...slots]) {
      if (slot.state === 'idle') this.#placement.close(slot, 'recycle')
      else if (slot.state !== 'closing' && slot.state !== 'free') this.#placement.wear(slot, 'recycle')
    }
  }

  /** Closes all that is idle. */
  closeIdle(reason: CloseReason): void {
    for (let slot: Slot | undefined = this.#placement.oldestIdle(); slot !== undefined; slot = this.#placement.oldestIdle())
      this.#placement.close(slot, reason)
  }
}
