/** Which connection: the slots of all shards, where each stands, and the choice among them. */
import { type CloseReason, MAX_SLOTS } from '@cenote/pool-worker'
import type { Admission } from './admission.ts'
import type { Effects } from './effects.ts'
import { beginRest } from './keep-alive.ts'
import { emptyTally, ShardSlots, type Slot, SlotList, type SlotState, type Tally } from './slots.ts'

/** What placement must know of the limits. */
export interface PlacementLimits {
  maxConnections: number
  /** Requests in flight on one connection; 1 is exclusive. */
  readonly pipelining: number
  /** A connection idle for this long is probed before it is lent; Infinity: never. */
  readonly probeAfterIdleMs: number
  /** Which idle connection is used first: the one used last, or the one idle longest. */
  readonly scheduling: 'lifo' | 'fifo'
  /** Leases and requests that one connection serves. */
  readonly maxUses: number
}

/** In flight on all connections before another opens: a quarter of the pipelining limit. */
export function growAt({ pipelining }: { readonly pipelining: number }): number {
  return Math.ceil(pipelining / 4)
}

/** All slots. Choosing looks at one candidate per live shard, however many connections there are. */
export class Placement {
  /** By shard number. */
  readonly shards: (ShardSlots | undefined)[] = []
  live: readonly ShardSlots[] = []
  readonly tally: Tally = emptyTally()
  /** Reserved slots, the last reserved at the head. */
  readonly reserved: SlotList = new SlotList()
  /** Of all that `joinable` looked at last: the fewest in flight, Infinity when there was none. */
  lowestLoad: number = Number.POSITIVE_INFINITY
  /** Of the endpoint. */
  readonly admission: Admission
  readonly #limits: PlacementLimits
  /** Whether a slot's shard holds its connection fit to lend. */
  readonly fit: (slot: Slot) => boolean
  readonly #effects: Effects
  #suspects = 0

  constructor(limits: PlacementLimits, admission: Admission, fit: (slot: Slot) => boolean, effects: Effects) {
    this.#limits = limits
    this.admission = admission
    this.fit = fit
    this.#effects = effects
  }

  /** Slots that hold a permit. */
  get connections(): number {
    return this.living + this.tally.closing
  }

  /** Connections that are not on their way out. */
  get living(): number {
    const { opening, probing, idle, shared, leased, resetting } = this.tally
    return opening + probing + idle + shared + leased + resetting
  }

  /** Connections that somebody will be served by as soon as they are ready. */
  get coming(): number {
    if (this.suspects === 0) return countComing(this.tally)
    return this.choices.reduce((sum, home) => sum + countComing(home.tally), 0)
  }

  /**
   * The shards that grants and new connections are chosen from: a suspect one is passed over, unless the others can serve nobody, for want
   * of connections and of permits.
   */
  get choices(): readonly ShardSlots[] {
    if (this.suspects === 0) return this.live
    const sound = this.live.filter((home) => !home.suspect)
    if (sound.length > 0 && this.connections < this.#limits.maxConnections) return sound
    return sound.some((home) => home.connections > 0) ? sound : this.live
  }

  /** How many live shards are suspect. */
  get suspects(): number {
    return this.#suspects
  }

  /** A live shard shows no sign of life, or shows one again. */
  setSuspect(shard: number, suspect: boolean): void {
    const home = this.shards[shard]
    if (home?.live !== true || home.suspect === suspect) return
    home.suspect = suspect
    this.#suspects += suspect ? 1 : -1
    for (const slot of suspect ? home.slots : []) if (slot.reserved) this.#lift(slot) // the lease may hope for another
    this.#readmit()
  }

  /** Connects of a shard that stands still do not count while another shard could connect: a stall must not keep the endpoint shut. */
  #readmit(): void {
    const passed = this.suspects < this.live.length
    for (const slot of this.slotsIn('opening')) this.#admit(slot, !(passed && slot.home.suspect))
  }

  /** Counts a connect among those under way, or no longer. */
  #admit(slot: Slot, on: boolean): void {
    if (slot.admitted === on) return
    slot.admitted = on
    this.admission.connecting += on ? 1 : -1
  }

  /** Makes a shard live, or no longer. */
  setLive(shard: number, live: boolean): ShardSlots {
    const home = this.shards[shard] ?? new ShardSlots(shard, this.#limits.pipelining, this.#limits.scheduling === 'fifo')
    this.shards[shard] = home
    this.setSuspect(shard, false)
    home.live = live
    this.live = this.shards.filter((each) => each?.live) as ShardSlots[] // the filter leaves no undefined
    this.#readmit()
    return home
  }

  /** Whether a connection may be lent: a dead one goes to closing here, its LOST is on the way. */
  isFit(slot: Slot): boolean {
    if (this.fit(slot)) return true
    this.move(slot, 'closing')
    return false
  }

  /** A connection that nobody uses any more stays open. */
  rest(slot: Slot, now: number): void {
    beginRest(slot, now)
    this.move(slot, 'idle')
  }

  /** One more request on a shared connection; none after it when it has served `maxUses`. */
  seat(slot: Slot): void {
    slot.inFlight++
    if (++slot.uses >= this.#limits.maxUses) slot.worn = 'uses'
  }

  /** Ends a connection: its shard is told. */
  close(slot: Slot, reason: CloseReason): void {
    this.move(slot, 'closing')
    this.#effects.push('close', slot, undefined, reason)
  }

  /** Why a connection must not be used again, if so. */
  wornBy(slot: Slot, now: number): CloseReason | undefined {
    if (slot.worn !== undefined) return slot.worn
    if (slot.expiresAt <= now) return 'lifetime'
    return slot.uses >= this.#limits.maxUses ? 'uses' : undefined
  }

  /** A connection in use will close when nobody uses it; a shared one takes no more requests, and is nobody's reservation. */
  wear(slot: Slot, reason: CloseReason): void {
    if (slot.worn === undefined || slot.worn === 'resize') slot.worn = reason // another reason than size is never taken back
    slot.reserved = false
    if (slot.state === 'shared') this.move(slot, 'shared')
  }

  /** Takes that back. */
  unwear(slot: Slot): void {
    slot.worn = undefined
    if (slot.state === 'shared') this.move(slot, 'shared')
  }

  /** Whether a connection may be used now. One that may not goes, or will. */
  #usable(slot: Slot, now: number): boolean {
    if (!this.isFit(slot)) return false
    const over = slot.expiresAt <= now ? 'lifetime' : slot.state === 'idle' && slot.idleUntil <= now ? 'idle' : undefined
    if (over === undefined) return true
    if (slot.state === 'idle') this.close(slot, over)
    else this.wear(slot, 'lifetime')
    return false
  }

  /** Puts a slot into a state and into the list that goes with it. For `shared`, set `inFlight` first. */
  move(slot: Slot, state: SlotState): void {
    const { home, state: before } = slot
    slot.list?.remove(slot)
    if (before !== state) this.#count(slot, before, state)
    if (state !== 'resetting') slot.restMs = Number.POSITIVE_INFINITY
    if (state === 'shared') {
      if (slot.reserved) this.reserved.unshift(slot)
      else if (slot.worn === undefined) home.shelve(slot)
      return
    }
    slot.reserved = false
    slot.blocked = false
    if (state === 'idle') home.idle.unshift(slot)
    else if (state === 'free') home.giveBack(slot)
  }

  #count(slot: Slot, before: SlotState, state: SlotState): void {
    const { home } = slot
    home.tally[before]--
    home.tally[state]++
    this.tally[before]--
    this.tally[state]++
    slot.state = state
    if (state === 'opening' || before === 'opening') this.#admit(slot, state === 'opening')
    if (slot.handler && state !== 'closing') this.setHandler(slot, false)
    if (state !== 'free') return
    slot.inFlight = 0
    slot.uses = 0
    slot.failuresBefore = 0
    slot.expiresAt = slot.keepAliveMs = Number.POSITIVE_INFINITY
    slot.worn = undefined
  }

  /** Notes that a handler runs on a slot, or no longer. */
  setHandler(slot: Slot, running: boolean): void {
    if (slot.handler === running) return
    slot.handler = running
    slot.home.handlers += running ? 1 : -1
  }

  /** Of the least busy shard with one that needs no probe: the idle connection whose turn it is. */
  freshIdle(now: number): Slot | undefined {
    return this.#idle(now - this.#limits.probeAfterIdleMs, now)
  }

  /** The same, probe or not. */
  anyIdle(now: number): Slot | undefined {
    return this.#idle(Number.NEGATIVE_INFINITY, now)
  }

  #idle(since: number, now: number): Slot | undefined {
    for (;;) {
      let best: Slot | undefined
      for (const home of this.choices) {
        const slot = home.idleAfter(since)
        if (slot === undefined) continue
        if (best === undefined || home.busy < best.home.busy) best = slot
      }
      if (best === undefined || this.#usable(best, now)) return best
    }
  }

  /** Where a request goes: shards without running handlers first, then the fewest in flight, then the least busy shard. */
  joinable(now: number): Slot | undefined {
    for (;;) {
      const best = this.#bestToJoin(now - this.#limits.probeAfterIdleMs)
      if (best === undefined || this.#usable(best, now)) return best
    }
  }

  #bestToJoin(since: number): Slot | undefined {
    let best: Slot | undefined
    this.lowestLoad = Number.POSITIVE_INFINITY
    for (const home of this.choices) {
      const slot = home.idleAfter(since) ?? home.leastLoaded()
      if (slot === undefined || slot.inFlight >= this.#limits.pipelining) continue
      if (slot.inFlight < this.lowestLoad) this.lowestLoad = slot.inFlight
      if (best === undefined || isBetter(slot, best)) best = slot
    }
    return best
  }

  /** The shared connection to reserve: the fewest in flight; one that is blocked only if there is no other. */
  #reservable(): Slot | undefined {
    for (;;) {
      let best: Slot | undefined
      for (const home of this.choices) {
        const slot = home.leastLoaded()
        if (slot !== undefined && (best === undefined || slot.inFlight < best.inFlight)) best = slot
      }
      best ??= this.choices.find((home) => home.blocked.size > 0)?.blocked.head
      if (best === undefined || this.isFit(best)) return best
    }
  }

  /** Reserves shared connections, or lifts reservations, until there are `wanted` or no more to reserve. */
  reserve(wanted: number): void {
    const { reserved } = this
    while (reserved.size < wanted) {
      const slot = this.#reservable()
      if (slot === undefined) return
      slot.reserved = true
      this.move(slot, 'shared')
    }
    for (let last = reserved.head; last !== undefined && reserved.size > wanted; last = reserved.head) {
      this.#lift(last)
    }
  }

  /** Takes a reservation back. */
  #lift(slot: Slot): void {
    slot.reserved = false
    this.move(slot, 'shared')
  }

  /** All slots of live shards in these states, state by state. */
  *slotsIn(...states: readonly SlotState[]): IterableIterator<Slot> {
    for (const state of states) for (const home of this.live) for (const slot of home.slots) if (slot.state === state) yield slot
  }

  /** The connection that has been idle longest. */
  oldestIdle(): Slot | undefined {
    let oldest: Slot | undefined
    for (const home of this.live) {
      const slot = home.oldestIdle
      if (slot !== undefined && (oldest === undefined || slot.idleSince < oldest.idleSince)) oldest = slot
    }
    return oldest
  }

  /**
   * The shard with the fewest connections among those to choose from, if the limits and the endpoint allow it one more. Below the cap of
   * all, the fewest is always less than an even share: so no shard opens more than `maxConnections` / shards to choose from, rounded up.
   */
  #shardToOpenOn(): ShardSlots | undefined {
    if (this.connections >= this.#limits.maxConnections || !this.admission.open) return undefined
    let best: ShardSlots | undefined
    for (const home of this.choices) if (best === undefined || home.connections < best.connections) best = home
    return best !== undefined && best.connections < MAX_SLOTS ? best : undefined
  }

  /** A slot for a new connection, or undefined: asked here alone, so the caps hold. */
  open(): Slot | undefined {
    const home = this.#shardToOpenOn()
    if (home === undefined) return undefined
    const before = home.slots.length
    const slot = home.take()
    this.tally.free += home.slots.length - before
    this.move(slot, 'opening')
    return slot
  }
}

function countComing({ opening, probing, resetting }: Tally): number {
  return opening + probing + resetting
}

function isBetter(slot: Slot, best: Slot): boolean {
  const avoid = slot.home.handlers > 0
  if (avoid !== best.home.handlers > 0) return !avoid
  if (slot.inFlight !== best.inFlight) return slot.inFlight < best.inFlight
  return slot.home.busy < best.home.busy
}
