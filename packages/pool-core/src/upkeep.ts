/** What the pool's owner does to it while it works: waits until it is ready, resizes, recycles, pauses it. */
import { badOption, type World } from '@cenote/pool-worker'
import { type Advice, advise, loadBetween } from './advise.ts'
import type { LoadStats } from './books/load.ts'
import type { Slot } from './books/slots.ts'
import type { CallOptions } from './call-options.ts'
import { Call } from './calls.ts'
import type { Dispatch } from './dispatch.ts'
import type { ConnectionInfo } from './lease.ts'
import type { ResizeOptions } from './option-types.ts'
import { checkSizes, type Settings } from './options.ts'
import { poolClosed } from './refusals.ts'
import type { PoolStats } from './stats.ts'

export class Upkeep {
  readonly #settings: Settings
  readonly #world: World
  readonly #dispatch: Dispatch
  readonly #readyCalls: Set<Call> = new Set()

  constructor(settings: Settings, world: World, dispatch: Dispatch) {
    this.#settings = settings
    this.#world = world
    this.#dispatch = dispatch
  }

  /** Resolves when `minConnections` are open. */
  ready(options: CallOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      const { waits } = this.#dispatch
      const call = new Call('lease', options.timeoutMs ?? this.#settings.acquireTimeoutMs, () => resolve(), reject)
      if (!waits.begin(call, options.signal)) return
      if (this.#dispatch.closing) return waits.reject(call, poolClosed(this.#settings.name, 'not-sent'))
      this.#readyCalls.add(call)
      this.checkReady()
    })
  }

  /** A connection was opened, or fewer are wanted: tells those who wait for `ready`, if it is so. */
  checkReady(): void {
    if (this.#readyCalls.size === 0) return
    if (this.#dispatch.books.open < this.#dispatch.books.limits.minConnections) return
    for (const call of this.#readyCalls) this.#dispatch.waits.resolve(call, undefined)
    this.#readyCalls.clear()
  }

  /** A call's time is up, or its signal aborted. Returns whether it waited for `ready`; it is not settled here. */
  dropReady(call: Call): boolean {
    return this.#readyCalls.delete(call)
  }

  /** The pool closes: nobody is told that it is ready any more. */
  refuseReady(): void {
    for (const call of this.#readyCalls) this.#dispatch.waits.reject(call, poolClosed(this.#settings.name, 'not-sent'))
    this.#readyCalls.clear()
  }

  /** Other limits from now on. */
  resize(sizes: ResizeOptions): void {
    this.#refuseClosed()
    const { books } = this.#dispatch
    const { maxConnections, minConnections } = checkSizes(sizes, books.limits)
    this.#dispatch.flight.pool('resized', maxConnections)
    books.resize(maxConnections, minConnections, this.#world.now())
    this.#dispatch.act()
    this.checkReady()
  }

  /** How many connections the work needs, by what was measured since then. */
  advise(since: PoolStats | undefined): Advice {
    const { books } = this.#dispatch
    const load = this.#dispatch.load()
    const before = since?.load
    if (since !== undefined && !isEarlier(before, load))
      throw badOption('advise', 'its argument must be what stats() of this pool has returned')
    const { maxConnections, minConnections } = books.limits
    return advise(before === undefined ? load : loadBetween(before, load), { maxConnections, minConnections })
  }

  /** Ends all connections, or those that the predicate chooses among the open ones, when nobody uses them. */
  recycle(predicate: ((connection: ConnectionInfo) => boolean) | undefined): void {
    this.#refuseClosed()
    let chosen: Slot[] | undefined
    if (predicate !== undefined) {
      const lines = this.#dispatch.links.flatMap((link) => [...(link?.lines() ?? [])]).filter((line) => line.openedAt > 0)
      // The predicate is the user's: what it did to the pool meanwhile counts, and when it throws nothing was chosen.
      const matching = lines.filter((line) => predicate(this.#dispatch.describe(line)) === true)
      chosen = matching.filter((line) => this.#dispatch.links[line.slot.shard]?.line(line.slot) === line).map((line) => line.slot)
    }
    this.#dispatch.flight.pool('recycled')
    this.#dispatch.books.recycle(chosen, this.#world.now())
    this.#dispatch.act()
  }

  /** Holds callers in the queue, or serves them again. */
  pause(on: boolean): void {
    this.#refuseClosed()
    this.#dispatch.flight.pool(on ? 'paused' : 'resumed')
    this.#dispatch.books.pause(on, this.#world.now())
    if (!on) this.#dispatch.resumed()
    this.#dispatch.act()
  }

  #refuseClosed(): void {
    if (this.#dispatch.closing) throw poolClosed(this.#settings.name, 'not-sent')
  }
}

/** Whether somebody's value is the load of this pool at an earlier moment, as far as can be seen. */
function isEarlier(before: unknown, load: LoadStats): before is LoadStats {
  if (typeof before !== 'object' || before === null) return false
  return Object.entries(load).every(([name, value]) => {
    const earlier: unknown = Object.getOwnPropertyDescriptor(before, name)?.value
    return typeof earlier === 'number' && earlier <= value
  })
}
