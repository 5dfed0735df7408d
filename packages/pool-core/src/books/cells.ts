/** Where the connections of one endpoint in one shard stand, found without a scan. */
import type { Site } from './sites.ts'
import { type ShardSlots, type Slot, SlotList } from './slots.ts'

/**
 * Lists of slots:
 * ```
 *  idle     most recently used ⇄ … ⇄ least recently used; with 'fifo' those long idle go on to `aged`, in the same order
 *  levels   [1] ⇄ …   [2] ⇄ …   …   [pipelining] ⇄ …    shared ones by requests in flight; reserved, blocked and worn ones not
 *  blocked  ⇄ …                                         shared, not reserved, not worn
 * ```
 */
export class Cell {
  readonly home: ShardSlots
  readonly site: Site
  /** Slots of it that hold a permit, wherever they stand. */
  connections = 0
  readonly idle: SlotList = new SlotList()
  /** First in, first out: those that need a probe, passed over once. Else empty. */
  readonly aged: SlotList = new SlotList()
  /** As many as were needed so far. */
  readonly levels: SlotList[] = []
  readonly blocked: SlotList = new SlotList()
  /** No level below it holds a slot. */
  #lowest = 0
  readonly #fifo: boolean

  constructor(home: ShardSlots, site: Site, fifo: boolean) {
    this.home = home
    this.site = site
    this.#fifo = fifo
  }

  /** The idle slot whose turn it is among those that became idle after `since`, which never goes back; -Infinity: among all. */
  idleAfter(since: number): Slot | undefined {
    if (this.#fifo) return since === Number.NEGATIVE_INFINITY ? this.oldestIdle : this.#firstAfter(since)
    const { head } = this.idle
    return head !== undefined && head.idleSince > since ? head : undefined
  }

  /** The slot that has been idle longest. */
  get oldestIdle(): Slot | undefined {
    return this.aged.tail ?? this.idle.tail
  }

  #firstAfter(since: number): Slot | undefined {
    let { tail } = this.idle
    while (tail !== undefined && tail.idleSince <= since) {
      this.idle.remove(tail)
      this.aged.unshift(tail)
      tail = this.idle.tail
    }
    return tail
  }

  /** Lists a shared slot by its load. */
  shelve(slot: Slot): void {
    const { inFlight } = slot
    if (slot.blocked) {
      this.blocked.unshift(slot)
      return
    }
    this.#level(inFlight).unshift(slot)
    if (inFlight < this.#lowest) this.#lowest = inFlight
  }

  /** The shared slot with the fewest in flight, neither reserved nor blocked; it may be full. */
  leastLoaded(): Slot | undefined {
    const { levels } = this
    let level = this.#lowest
    while (level < levels.length) {
      const head = levels[level]?.head
      if (head !== undefined) {
        this.#lowest = level
        return head
      }
      level++
    }
    this.#lowest = level
    return undefined
  }

  #level(inFlight: number): SlotList {
    for (let level = this.levels.length; level <= inFlight; level++) this.levels.push(new SlotList())
    return this.levels[inFlight] as SlotList // just seen to
  }
}
