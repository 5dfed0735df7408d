/** One wheel for all deadlines of a side, instead of one timer a call. */
import type { Cancel, World } from './world.ts'

/** What waits for a deadline. The fields are the wheel's: intrusive, so that adding one allocates nothing. */
export interface Timed {
  /** Absolute, in the world's milliseconds. */
  deadline: number
  wheelNext: Timed | undefined
  wheelPrev: Timed | undefined
  /** The bucket it is in, or -1. */
  wheelBucket: number
}

const TICK_MS = 8
const BUCKETS = 512

/** A timer that fires so much later than it should was kept from it: the event loop stood still. */
export const STALL_MS = 100

/**
 * A hashed wheel of doubly linked lists: add and remove are O(1). Entries fire at most two ticks (16 ms) late, never early.
 * A deadline beyond one revolution (4 s) is met again each time round.
 */
export class Deadlines {
  readonly #world: World
  readonly #expire: (entry: Timed) => void
  readonly #before: () => void
  readonly #buckets: (Timed | undefined)[] = new Array<Timed | undefined>(BUCKETS).fill(undefined)
  #size = 0
  #tick: number
  #timer: Cancel | undefined
  #ref = false
  #armedRef = false
  #dueAt = 0
  #late = 0

  /**
   * @param expire - Told of each entry whose deadline has passed, once; it is out of the wheel by then.
   * @param before - Called before any entry of a tick expires, so that what has already arrived counts first.
   */
  constructor(world: World, expire: (entry: Timed) => void, before: () => void = () => undefined) {
    this.#world = world
    this.#expire = expire
    this.#before = before
    this.#tick = Math.floor(world.now() / TICK_MS)
  }

  get size(): number {
    return this.#size
  }

  /** While entries expire: how much later than it should the wheel's turn has come, in ms. Above `STALL_MS`, the thread stood still. */
  get late(): number {
    return this.#late
  }

  /** Adds an entry whose `deadline` is set. `Infinity` is never added. */
  add(entry: Timed): void {
    if (entry.deadline === Infinity) return
    if (this.#size === 0) this.#tick = Math.floor(this.#world.now() / TICK_MS)
    // The tick after the deadline's own, so that it has passed by then; never one that was already visited.
    const tick = Math.max(Math.floor(entry.deadline / TICK_MS) + 1, this.#tick + 1)
    const bucket = tick % BUCKETS
    const first = this.#buckets[bucket]
    entry.wheelBucket = bucket
    entry.wheelPrev = undefined
    entry.wheelNext = first
    if (first !== undefined) first.wheelPrev = entry
    this.#buckets[bucket] = entry
    this.#size++
    if (this.#timer === undefined) this.#arm()
  }

  /** Takes an entry out; nothing happens when it is not in. */
  remove(entry: Timed): void {
    if (entry.wheelBucket < 0) return
    const { wheelPrev: before, wheelNext: after } = entry
    if (before === undefined) this.#buckets[entry.wheelBucket] = after
    else before.wheelNext = after
    if (after !== undefined) after.wheelPrev = before
    entry.wheelBucket = -1
    entry.wheelPrev = entry.wheelNext = undefined
    this.#size--
  }

  /** Whether the wheel's timer keeps the process alive. */
  setRef(ref: boolean): void {
    this.#ref = ref
    // Put off once at most, or a caller who comes and goes faster than the timer would starve it; unref'd at the next tick.
    if (!ref || this.#armedRef || this.#timer === undefined) return
    this.#timer()
    this.#arm()
  }

  /** Forgets all entries and stops the timer. */
  clear(): void {
    this.#timer?.()
    this.#timer = undefined
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      for (let entry = this.#buckets[bucket]; entry !== undefined; entry = this.#buckets[bucket]) this.remove(entry)
    }
  }

  #arm(): void {
    this.#armedRef = this.#ref
    this.#dueAt = this.#world.now() + TICK_MS
    this.#timer = this.#world.timer(TICK_MS, this.#ref, () => this.#turn())
  }

  #turn(): void {
    this.#timer = undefined
    const now = this.#world.now()
    const last = Math.floor(now / TICK_MS)
    const first = Math.max(this.#tick + 1, last - BUCKETS + 1)
    this.#tick = last // what is added meanwhile goes to a bucket still to be visited
    const due: Timed[] = []
    for (let tick = first; tick <= last; tick++) {
      for (let entry = this.#buckets[tick % BUCKETS]; entry !== undefined; entry = entry.wheelNext)
        if (entry.deadline <= now) due.push(entry)
    }
    this.#late = now - this.#dueAt
    if (due.length > 0) this.#before()
    for (const entry of due) {
      if (entry.wheelBucket < 0) continue // its wait has ended meanwhile
      this.remove(entry)
      this.#expire(entry)
    }
    this.#late = 0
    if (this.#size > 0 && this.#timer === undefined) this.#arm()
  }
}
