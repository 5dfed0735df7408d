/** The places for connections: one slot, the lists it can stand in, and the slots of one shard. */

import type { CloseReason } from '@cenote/pool-worker'

/** Where a slot stands. Every state but `free` holds one permit of `maxConnections`. */
export type SlotState = 'opening' | 'probing' | 'idle' | 'shared' | 'leased' | 'resetting' | 'closing' | 'free'

/** How many slots are in each state. */
export type Tally = Record<SlotState, number>

/** All zero. */
export function emptyTally(): Tally {
  return { opening: 0, probing: 0, idle: 0, shared: 0, leased: 0, resetting: 0, closing: 0, free: 0 }
}

/** One place for a connection. The object is reused: `serial` tells one connection from the next. Written by the books alone. */
export class Slot {
  readonly shard: number
  /** Within the shard; reused only after the slot was free. */
  readonly index: number
  readonly home: ShardSlots
  /** Of the connection that fills the slot: an int32 above 0 that grows with each. */
  serial = 0
  endpoint = 0
  state: SlotState = 'free'
  /** Requests on a shared connection, abandoned ones too while their reply is owed. */
  inFlight = 0
  /** Takes no more requests: at zero in flight it goes to the oldest waiter. */
  reserved = false
  /** Its oldest owed reply was abandoned: takes no new request meanwhile. */
  blocked = false
  /** Its connect is one of those that its endpoint's admission counts. */
  admitted = false
  /** Failed connects in a row before its own. */
  failuresBefore = 0
  /** A handler runs on it. */
  handler = false
  /** When it was opened, or became idle last, in ms. */
  idleSince = 0
  /** While idle: until when it may stay so, and be used again. */
  idleUntil: number = Number.POSITIVE_INFINITY
  /** How long its server keeps it when it is idle. */
  keepAliveMs: number = Number.POSITIVE_INFINITY
  /** The same of this one stay, from whoever gives it back. */
  restMs: number = Number.POSITIVE_INFINITY
  /** When it has had its time, in ms: fixed at its birth. */
  expiresAt: number = Number.POSITIVE_INFINITY
  /** Leases and requests granted on it. */
  uses = 0
  /** Why it closes as soon as nobody uses it; a shared one takes no more requests meanwhile. */
  worn: CloseReason | undefined = undefined

  list: SlotList | undefined = undefined
  listNext: Slot | undefined = undefined
  listPrev: Slot | undefined = undefined

  constructor(home: ShardSlots, index: number) {
    this.home = home
    this.shard = home.shard
    this.index = index
  }
}

/** A doubly linked list threaded through the slots themselves: a slot stands in one list at most, and leaves it in one step. */
export class SlotList {
  head: Slot | undefined = undefined
  tail: Slot | undefined = undefined
  size = 0

  /** Puts a slot that is in no list at the head. */
  unshift(slot: Slot): void {
    slot.list = this
    slot.listPrev = undefined
    slot.listNext = this.head
    if (this.head === undefined) this.tail = slot
    else this.head.listPrev = slot
    this.head = slot
    this.size++
  }

  /** Takes out a slot of this list. */
  remove(slot: Slot): void {
    const { listNext: next, listPrev: previous } = slot
    if (previous === undefined) this.head = next
    else previous.listNext = next
    if (next === undefined) this.tail = previous
    else next.listPrev = previous
    slot.list = undefined
    slot.listNext = undefined
    slot.listPrev = undefined
    this.size--
  }
}

const MAX_SERIAL = 0x7fff_ffff

/**
 * The slots of one shard, found without a scan:
 * ```
 *  idle     most recently used ⇄ … ⇄ least recently used; with 'fifo' those long idle go on to `aged`, in the same order
 *  levels   [1] ⇄ …   [2] ⇄ …   …   [pipelining] ⇄ …    shared ones by requests in flight; reserved, blocked and worn ones not
 *  blocked  ⇄ …                                         shared, not reserved, not worn
 * ```
 */
export class ShardSlots {
  readonly shard: number
  /** May be granted from and opened on. */
  live = false
  /** Shows no sign of life: passed over while others can serve. */
  suspect = false
  readonly slots: Slot[] = []
  readonly tally: Tally = emptyTally()
  /** Handlers that run. */
  handlers = 0
  readonly idle: SlotList = new SlotList()
  /** First in, first out: those that need a probe, passed over once. Else empty. */
  readonly aged: SlotList = new SlotList()
  readonly levels: readonly SlotList[]
  readonly blocked: SlotList = new SlotList()
  readonly #unused: Slot[] = []
  #serial = 0
  /** No level below it holds a slot. */
  #lowest: number
  readonly #fifo: boolean

  constructor(shard: number, pipelining: number, fifo: boolean) {
    this.shard = shard
    this.#fifo = fifo
    this.levels = Array.from({ length: pipelining + 1 }, () => new SlotList())
    this.#lowest = this.levels.length
  }

  /** Slots that hold a permit. */
  get connections(): number {
    return this.slots.length - this.tally.free
  }

  /** How much work the shard has: what placement compares. */
  get busy(): number {
    return this.tally.leased + this.tally.shared + this.handlers
  }

  /** A free slot with a new serial. */
  take(): Slot {
    const slot = this.#unused.pop() ?? this.#grow()
    this.#serial = this.#serial === MAX_SERIAL ? 1 : this.#serial + 1
    slot.serial = this.#serial
    return slot
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

  /** Keeps a freed slot for the next `take`. */
  giveBack(slot: Slot): void {
    this.#unused.push(slot)
  }

  /** Lists a shared slot by its load. */
  shelve(slot: Slot): void {
    const level = this.levels[slot.inFlight]
    if (slot.blocked || level === undefined) {
      this.blocked.unshift(slot)
      return
    }
    level.unshift(slot)
    if (slot.inFlight < this.#lowest) this.#lowest = slot.inFlight
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

  #grow(): Slot {
    const slot = new Slot(this, this.slots.length)
    this.slots.push(slot)
    this.tally.free++
    return slot
  }
}

/** A step that does not fit the slot's state is an error of ours. */
export function expect(slot: Slot, holds: boolean, step: string): void {
  if (!holds) throw new Error(`${step} of a slot that is ${slot.state}`)
}
