/** Which connection serves: of the endpoint whose turn it is, else of another that can. */
import type { Cell } from './cells.ts'
import type { Placement, PlacementLimits } from './placement.ts'
import type { Site } from './sites.ts'
import type { Slot } from './slots.ts'

/** Looks at one candidate per live shard and endpoint; with one endpoint there is nothing to choose above the shards. */
export class Choice {
  /** Of the endpoint that `joinable` found a connection of last: the fewest in flight, Infinity when it found none. */
  lowestLoad: number = Number.POSITIVE_INFINITY
  /** Whether an endpoint was chosen that could not serve, and has not been seen to. */
  missed = false
  readonly #limits: PlacementLimits
  readonly #placement: Placement

  constructor(limits: PlacementLimits, placement: Placement) {
    this.#limits = limits
    this.#placement = placement
  }

  /** Of the least busy shard with one that needs no probe: the idle connection whose turn it is. */
  freshIdle(now: number): Slot | undefined {
    const since = now - this.#limits.probeAfterIdleMs
    const { sites, tally } = this.#placement
    if (tally.idle === 0 && sites.usable.length === 1) return undefined
    const site = sites.pick(now)
    const slot = site === undefined ? undefined : this.idleAt(site, since, now)
    if (slot !== undefined || site === undefined || sites.usable.length === 1) return slot
    if (site.living === 0) this.#miss(site)
    return this.#elsewhere(site, now, (other) => this.idleAt(other, since, now))
  }

  /** The same, probe or not. */
  anyIdle(now: number): Slot | undefined {
    const { sites } = this.#placement
    const site = sites.pick(now)
    const slot = site === undefined ? undefined : this.idleAt(site, Number.NEGATIVE_INFINITY, now)
    if (slot !== undefined || site === undefined || sites.usable.length === 1) return slot
    return this.#elsewhere(site, now, (other) => this.idleAt(other, Number.NEGATIVE_INFINITY, now))
  }

  /** Where a request goes: shards without running handlers first, then the fewest in flight, then the least busy shard. */
  joinable(now: number): Slot | undefined {
    const since = now - this.#limits.probeAfterIdleMs
    const { sites } = this.#placement
    const site = sites.pick(now)
    const slot = site === undefined ? undefined : this.#joinableAt(site, since, now)
    if (slot !== undefined || site === undefined || sites.usable.length === 1) return slot
    this.#miss(site)
    let lowest = Number.POSITIVE_INFINITY
    const other = this.#elsewhere(site, now, (each) => {
      const found = this.#joinableAt(each, since, now)
      if (found !== undefined) lowest = this.lowestLoad
      return found
    })
    this.lowestLoad = lowest
    return other
  }

  /** An idle connection of one endpoint, from the least busy shard, that became idle after `since`. */
  idleAt(site: Site, since: number, now: number): Slot | undefined {
    for (;;) {
      let best: Slot | undefined
      for (const cell of this.#placement.cellsOf(site)) {
        const slot = cell.idleAfter(since)
        if (slot === undefined) continue
        if (best === undefined || cell.home.busy < best.home.busy) best = slot
      }
      if (best === undefined || this.#placement.isUsable(best, now)) return best
    }
  }

  #joinableAt(site: Site, since: number, now: number): Slot | undefined {
    for (;;) {
      const best = this.#bestToJoin(this.#placement.cellsOf(site), since)
      if (best === undefined || this.#placement.isUsable(best, now)) return best
    }
  }

  #bestToJoin(cells: readonly Cell[], since: number): Slot | undefined {
    let best: Slot | undefined
    this.lowestLoad = Number.POSITIVE_INFINITY
    for (const cell of cells) {
      const slot = cell.idleAfter(since) ?? cell.leastLoaded()
      if (slot === undefined || slot.inFlight >= this.#limits.pipelining) continue
      if (slot.inFlight < this.lowestLoad) this.lowestLoad = slot.inFlight
      if (best === undefined || isBetter(slot, best)) best = slot
    }
    return best
  }

  /** One at a time: a single caller looks more than once, and another endpoint may be chosen each time. */
  #miss(site: Site): void {
    if (this.missed) return
    this.missed = site.missed = true
  }

  /** Of all other endpoints that can serve: the one where it costs least. */
  #elsewhere(site: Site, now: number, at: (site: Site) => Slot | undefined): Slot | undefined {
    const { sites } = this.#placement
    const { usable } = sites
    const start = sites.anyIndex() // of those that are alike, not always the first
    let best: Slot | undefined
    let lowest = Number.POSITIVE_INFINITY
    for (let offset = 0; offset < usable.length; offset++) {
      const other = usable[(start + offset) % usable.length]
      if (other === undefined || other === site) continue
      const cost = sites.cost(other, now)
      if (best !== undefined && cost >= lowest) continue
      const slot = at(other)
      if (slot === undefined) continue
      best = slot
      lowest = cost
    }
    return best
  }
}

function isBetter(slot: Slot, best: Slot): boolean {
  const avoid = slot.home.handlers > 0
  if (avoid !== best.home.handlers > 0) return !avoid
  if (slot.inFlight !== best.inFlight) return slot.inFlight < best.inFlight
  return slot.home.busy < best.home.busy
}
