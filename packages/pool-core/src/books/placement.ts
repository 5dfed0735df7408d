/** The slots of all shards: where each stands, and where the next one is taken. */
import { type CloseReason, MAX_SLOTS } from '@cenote/pool-worker'
import type { Cell } from './cells.ts'
import type { Effects } from './effects.ts'
import { beginRest } from './keep-alive.ts'
import type { Site, Sites } from './sites.ts'
import { count, countMove, emptyTally, livingIn, ShardSlots, type Slot, SlotList, type SlotState, type Tally } from './slots.ts'

/** What placement must know of the limits. */
export interface PlacementLimits {
  maxConnections: number
  /** Requests in flight on one connection; 1 is exclusive. */
  readonly pipelining: number
  /** A connection idle for this long is probed before it is lent; Infinity: never. */
  readonly probeAfterIdleMs: number
  /** Leases and requests that one connection serves. */
  readonly maxUses: number
}

/** In flight on all connections before another opens: a quarter of the pipelining limit. */
export function growAt({ pipelining }: { readonly pipelining: number }): number {
  return Math.ceil(pipelining / 4)
}

/** All slots. Each stands in a list of its cell, so that choosing looks at one candidate per cell, however many connections there are. */
export class Placement {
  /** By shard number. */
  readonly shards: (ShardSlots | undefined)[] = []
  live: readonly ShardSlots[] = []
  readonly tally: Tally = emptyTally()
  /** Reserved slots, the last reserved at the head. */
  readonly reserved: SlotList = new SlotList()
  readonly sites: Sites
  readonly #limits: PlacementLimits
  /** Whether a slot's shard holds its connection fit to lend. */
  readonly fit: (slot: Slot) => boolean
  readonly #effects: Effects
  #suspects = 0

  constructor(limits: PlacementLimits, sites: Sites, fit: (slot: Slot) => boolean, effects: Effects) {
    this.#limits = limits
    this.sites = sites
    this.fit = fit
    this.#effects = effects
  }

  /** Slots that hold a permit. */
  get connections(): number {
    return this.living + this.tally.closing
  }

  /** Whether there is no permit left. */
  get full(): boolean {
    return this.connections >= this.#limits.maxConnections
  }

  /** Connections that are not on their way out. */
  get living(): number {
    return livingIn(this.tally)
  }

  /** Connections that somebody will be served by as soon as they are ready. */
  get coming(): number {
    let coming = 0
    if (this.suspects === 0) for (const site of this.sites.usable) coming += site.coming
    else for (const home of this.choices) for (const slot of home.slots) if (isComing(slot)) coming++
    return coming
  }

  /** Those of them that are open already, and prove themselves fit. */
  get proving(): number {
    let proving = 0
    if (this.suspects === 0) for (const site of this.sites.usable) proving += site.proving
    else for (const home of this.choices) for (const slot of home.slots) if (isProving(slot)) proving++
    return proving
  }

  /**
   * The shards that grants and new connections are chosen from: a suspect one is passed over, unless the others can serve nobody, for want
   * of connections and of permits.
   */
  get choices(): readonly ShardSlots[] {
    if (this.suspects === 0) return this.live
    const sound = this.live.filter((home) => !home.suspect)
    if (sound.length > 0 && this.connections < this.#limits.maxConnections && this.sites.haveRoom) return sound
    return sound.some((home) => home.connections > 0) ? sound : this.live
  }

  /** The same of one endpoint. */
  cellsOf(site: Site): readonly Cell[] {
    if (this.suspects === 0) return site.cells
    const { choices } = this
    return site.cells.filter(({ home }) => choices.includes(home))
  }

  /** Connections that there are or can be besides those that somebody holds alone. */
  get withoutHolders(): number {
    return Math.min(this.#limits.maxConnections - this.tally.leased, this.sites.withoutHolders)
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

  /** Connects of a shard that stands still do not count while another shard could connect: a stall must not keep an endpoint shut. */
  #readmit(): void {
    const passed = this.suspects < this.live.length
    for (const slot of this.slotsIn('opening')) this.#admit(slot, !(passed && slot.home.suspect))
  }

  /** Counts a connect among those under way, or no longer. */
  #admit(slot: Slot, on: boolean): void {
    if (slot.admitted === on) return
    slot.admitted = on
    slot.site.admission.connecting += on ? 1 : -1
  }

  /** Makes a shard live, or no longer. */
  setLive(shard: number, live: boolean): ShardSlots {
    const home = this.shards[shard] ?? new ShardSlots(shard)
    this.shards[shard] = home
    this.setSuspect(shard, false)
    home.live = live
    this.live = this.shards.filter((each) => each?.live) as ShardSlots[] // the filter leaves no undefined
    this.sites.setLive(this.live)
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
    slot.worn ??= reason
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
    // These two may be taken back, the others never.
    if (slot.worn === undefined || slot.worn === 'resize' || slot.worn === 'drain') slot.worn = reason
    slot.reserved = false
    if (slot.state === 'shared') this.move(slot, 'shared')
  }

  /** Takes that back. */
  unwear(slot: Slot): void {
    slot.worn = undefined
    if (slot.state === 'shared') this.move(slot, 'shared')
  }

  /** Whether a connection may be used now. One that may not goes, or will. */
  isUsable(slot: Slot, now: number): boolean {
    if (!this.isFit(slot)) return false
    const over = slot.expiresAt <= now ? 'lifetime' : slot.state === 'idle' && slot.idleUntil <= now ? 'idle' : undefined
    if (over === undefined) return true
    if (slot.state === 'idle') this.close(slot, over)
    else this.wear(slot, 'lifetime')
    return false
  }

  /** Puts a slot into a state and into the list that goes with it. For `shared`, set `inFlight` first. */
  move(slot: Slot, state: SlotState): void {
    const { cell, state: before } = slot
    slot.list?.remove(slot)
    if (before !== state) this.#count(slot, before, state)
    if (state !== 'resetting') slot.restMs = Number.POSITIVE_INFINITY
    if (state === 'shared') {
      if (slot.reserved) this.reserved.unshift(slot)
      else if (slot.worn === undefined) cell.shelve(slot)
      return this.weigh(slot)
    }
    slot.reserved = false
    slot.blocked = false
    this.weigh(slot)
    if (state === 'idle') cell.idle.unshift(slot)
    else if (state === 'free') this.#free(slot)
  }

  /** Notes how much work a slot is to its endpoint: after its state or `inFlight` has changed. */
  weigh(slot: Slot): void {
    const load = slot.state === 'shared' ? slot.inFlight : slot.state === 'leased' ? 1 : 0
    slot.site.pending += load - slot.load
    slot.load = load
  }

  #free(slot: Slot): void {
    slot.home.giveBack(slot)
    this.sites.forget(slot.site)
  }

  #count(slot: Slot, before: SlotState, state: SlotState): void {
    const { home, site } = slot
    countMove(home.tally, before, state)
    countMove(this.tally, before, state)
    if (before === 'free') {
      slot.cell.connections++
      count(site.tally, state, 1) // a free slot is nobody's
    } else if (state === 'free') {
      slot.cell.connections--
      count(site.tally, before, -1)
    } else countMove(site.tally, before, state)
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

  /** The shared connection to reserve: the fewest in flight; one that is blocked only if there is no other. */
  #reservable(): Slot | undefined {
    while (this.tally.shared > 0) {
      let best: Slot | undefined
      let blocked: Slot | undefined
      for (const cell of this.#cells()) {
        const slot = cell.leastLoaded()
        if (slot !== undefined && (best === undefined || slot.inFlight < best.inFlight)) best = slot
        blocked ??= cell.blocked.head
      }
      best ??= blocked
      if (best === undefined || this.isFit(best)) return best
    }
    return undefined
  }

  /** Of shards to choose from and endpoints that take new work. */
  *#cells(): IterableIterator<Cell> {
    for (const site of this.sites.usable) yield* this.cellsOf(site)
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
    return this.oldestIdleOf(this.sites.usable)
  }

  /** The same, of some endpoints. */
  oldestIdleOf(sites: readonly Site[]): Slot | undefined {
    let oldest: Slot | undefined
    for (const { cells } of sites) {
      for (const { oldestIdle: slot } of cells)
        if (slot !== undefined && (oldest === undefined || slot.idleSince < oldest.idleSince)) oldest = slot
    }
    return oldest
  }

  /** A slot for a new connection of an endpoint, or undefined: asked here alone, so the caps hold. */
  open(site: Site): Slot | undefined {
    if (this.full || !this.sites.mayOpen(site)) return undefined
    const home = this.#shardToOpenOn(site)
    if (home === undefined) return undefined
    const before = home.slots.length
    const slot = home.take(site.cell(home))
    this.tally.free += home.slots.length - before
    this.move(slot, 'opening')
    return slot
  }

  /**
   * The shard with the fewest connections among those to choose from, and of those alike the one with the fewest of the endpoint. Below the
   * cap of all, the fewest is always less than an even share: so no shard opens more than `maxConnections` / shards to choose from, rounded up.
   */
  #shardToOpenOn(site: Site): ShardSlots | undefined {
    let best: Cell | undefined
    for (const cell of this.cellsOf(site)) if (best === undefined || hasFewer(cell, best)) best = cell
    return best !== undefined && best.home.connections < MAX_SLOTS ? best.home : undefined
  }
}

function isComing(slot: Slot): boolean {
  const { state, site } = slot
  return isProving(slot) || (state === 'opening' && site.state === 'listed' && site.admission.failures === 0)
}

function isProving({ state, site }: Slot): boolean {
  return site.state === 'listed' && (state === 'probing' || state === 'resetting')
}

function hasFewer(cell: Cell, best: Cell): boolean {
  const { connections } = cell.home
  if (connections !== best.home.connections) return connections < best.home.connections
  return cell.connections < best.connections
}
