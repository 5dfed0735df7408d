/** The places for connections: one slot, the lists it can stand in, and the slots of one shard. */
import { type CloseReason, unreachable } from '@cenote/pool-worker'
import type { Cell } from './cells.ts'
import type { Site } from './sites.ts'

/** Where a slot stands. Every state but `free` holds one permit of `maxConnections`. */
export type SlotState = 'opening' | 'probing' | 'idle' | 'shared' | 'leased' | 'resetting' | 'closing' | 'free'

/** How many slots are in each state. */
export type Tally = Record<SlotState, number>

/** All zero. */
export function emptyTally(): Tally {
  return { opening: 0, probing: 0, idle: 0, shared: 0, leased: 0, resetting: 0, closing: 0, free: 0 }
}

/** Counts more slots in a state, or fewer. A field that is found by name at run time takes ten times as long. */
export function count(tally: Tally, state: SlotState, by: number): void {
  switch (state) {
    case 'idle':
      tally.idle += by
      break
    case 'shared':
      tally.shared += by
      break
    case 'leased':
      tally.leased += by
      break
    case 'resetting':
      tally.resetting += by
      break
    case 'probing':
      tally.probing += by
      break
    case 'opening':
      tally.opening += by
      break
    case 'closing':
      tally.closing += by
      break
    case 'free':
      tally.free += by
      break
    default:
      unreachable(state)
  }
}

/** Counts one slot that has left one state for another. The two ways that every lease goes are taken without looking for them. */
export function countMove(tally: Tally, before: SlotState, after: SlotState): void {
  if (before === 'idle' && after === 'leased') {
    tally.idle--
    tally.leased++
  } else if (before === 'leased' && after === 'idle') {
    tally.leased--
    tally.idle++
  } else {
    count(tally, before, -1)
    count(tally, after, 1)
  }
}

/** How many are not on their way out. */
export function livingIn({ opening, probing, idle, shared, leased, resetting }: Tally): number {
  return opening + probing + idle + shared + leased + resetting
}

/** One place for a connection. The object is reused: `serial` tells one connection from the next. Written by the books alone. */
export class Slot {
  readonly home: ShardSlots
  readonly shard: number
  /** Within the shard; reused only after the slot was free. */
  readonly index: number
  /** Where it stands while it is free for others: of its shard and its endpoint. */
  cell: Cell
  /** What it adds to `pending` of its endpoint. */
  load = 0
  /** Of the connection that fills the slot: an int32 above 0 that grows with each. */
  serial = 0
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
  /** While idle: the part of that which whoever gave it back has set; its server's word does not move it. */
  restUntil: number = Number.POSITIVE_INFINITY
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

  constructor(cell: Cell, index: number) {
    this.home = cell.home
    this.shard = cell.home.shard
    this.cell = cell
    this.index = index
  }

  /** The endpoint of its connection, from birth to end. */
  get site(): Site {
    return this.cell.site
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

/** The slots of one shard, whatever their endpoint. */
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
  readonly #unused: Slot[] = []
  #serial = 0

  constructor(shard: number) {
    this.shard = shard
  }

  /** Slots that hold a permit. */
  get connections(): number {
    return this.slots.length - this.tally.free
  }

  /** How much work the shard has: what placement compares. */
  get busy(): number {
    return this.tally.leased + this.tally.shared + this.handlers
  }

  /** A free slot with a new serial, for one of the shard's cells. */
  take(cell: Cell): Slot {
    const slot = this.#unused.pop() ?? this.#grow(cell)
    slot.cell = cell
    this.#serial = this.#serial === MAX_SERIAL ? 1 : this.#serial + 1
    slot.serial = this.#serial
    return slot
  }

  /** Keeps a freed slot for the next `take`. */
  giveBack(slot: Slot): void {
    this.#unused.push(slot)
  }

  #grow(cell: Cell): Slot {
    const slot = new Slot(cell, this.slots.length)
    this.slots.push(slot)
    this.tally.free++
    return slot
  }
}

/** A step that does not fit the slot's state is an error of ours. */
export function expect(slot: Slot, holds: boolean, step: string): void {
  if (!holds) throw new Error(`${step} of a slot that is ${slot.state}`)
}
