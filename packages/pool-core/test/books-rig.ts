/** Drives the books as the coordinator does, and keeps an account of its own: who waits, who holds what. For the tests of the books. */
import type { CloseReason, Endpoint } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'
import { Books, type BooksLimits } from '../src/books/books.ts'
import type { Fault } from '../src/books/faults.ts'
import type { Waiter, WaiterKind } from '../src/books/pending.ts'
import type { ListedEndpoint, Site } from '../src/books/sites.ts'
import type { Slot, SlotState } from '../src/books/slots.ts'

/** A caller with a name. */
export interface Caller extends Waiter {
  readonly id: number
  slot: Slot | undefined
}

/** Who holds a connection. */
export interface Hold {
  readonly serial: number
  lease: Caller | undefined
  readonly requests: Caller[]
}

/** Of a rig; no pool has them. */
export const defaults: BooksLimits = {
  maxConnections: 2,
  minConnections: 0,
  minIdle: 0,
  maxIdle: 100,
  scheduling: 'lifo',
  maxPending: 1_000,
  pipelining: 4,
  idleTimeoutMs: 30_000,
  maxLifetimeMs: Number.POSITIVE_INFINITY,
  maxUses: Number.POSITIVE_INFINITY,
  probeAfterIdleMs: Number.POSITIVE_INFINITY,
  maxConnecting: Number.POSITIVE_INFINITY,
  failFastAfter: Number.POSITIVE_INFINITY,
  backoff: { initialMs: 100, maxMs: 1_000, factor: 2 },
  balancing: 'least-pending',
  maxPerEndpoint: 100,
  ejection: { afterFailures: Number.POSITIVE_INFINITY, baseMs: 1_000, maxMs: 10_000, maxEjected: 0.5 },
}

/** An endpoint by its number. */
function endpointAt(number: number): Endpoint {
  return { transport: 'unix', path: `/${number}` }
}

/** What a rig has besides its limits. */
export interface RigOptions {
  readonly shards?: number
  /** Of the endpoints 0, 1, …; default: one. */
  readonly weights?: readonly number[]
  /** Default: the same numbers each time. */
  readonly random?: () => number
}

/** Numbers at least 0, below 1: the same for each seed. */
export function numbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** After each step the effects are taken into the account, and every invariant is checked. */
export class Rig {
  limits: BooksLimits
  readonly books: Books
  now = 1_000
  /** How much of the jitter the next connection's lifetime loses. */
  chance = 0
  /** Serials of connections that their shard knows to be dead. */
  readonly #dead: Map<Slot, number> = new Map()
  /** Serials of connections that must not be granted again. */
  readonly #recycled: Map<Slot, number> = new Map()
  /** In the order of their calls. */
  readonly waiting: Caller[] = []
  readonly held: Map<Slot, Hold> = new Map()
  readonly shards: number
  readonly #suspended: Set<number> = new Set()
  readonly #seen: Set<Slot> = new Set()
  #log: string[] = []
  #ids = 0
  /** After a resize or a suspicion a shard may hold more than its part, of earlier days. */
  #uneven = false

  constructor(limits: Partial<BooksLimits> = {}, options: number | RigOptions = 1) {
    const { shards = 1, weights = [1], random = numbers(1) } = typeof options === 'number' ? { shards: options } : options
    this.shards = shards
    this.limits = { ...defaults, ...limits }
    this.books = new Books(this.limits, (slot) => !this.isDead(slot), random)
    this.list(...weights)
    this.step(() => {
      for (let shard = 0; shard < shards; shard++) this.books.addShard(shard)
      this.#keepIdle()
    })
  }

  /** The endpoints 0, 1, … with these weights; those with 0 are not on the list. */
  list(...weights: number[]): void {
    const list = weights.map((weight, number): ListedEndpoint => ({ endpoint: endpointAt(number), weight }))
    this.step(() =>
      this.books.list(
        list.filter(({ weight }) => weight > 0),
        this.now,
      ),
    )
  }

  /** One that is known. */
  site(number = 0): Site {
    const { path } = endpointAt(number) as { path: string }
    const site = this.books.sites.all.find(({ endpoint }) => endpoint.transport === 'unix' && endpoint.path === path)
    if (site === undefined) throw new Error(`endpoint ${number} is not known`)
    return site
  }

  /** Something has failed there. */
  blame(site: Site, fault: Fault = 'reply'): boolean {
    return this.step(() => this.books.blame(site, fault, this.now))
  }

  /** Ejected ones come back whose time is up. */
  readmit(): Site[] {
    return this.step(() => this.books.readmit(this.now))
  }

  step<Result>(action: () => Result): Result {
    const result = action()
    this.#carryOut()
    for (const [slot, hold] of this.held) {
      if (slot.state === 'free' || slot.serial !== hold.serial) this.held.delete(slot)
      else if (slot.state === 'shared') assert.is(slot.inFlight, hold.requests.length)
    }
    assert.equal(this.books.check(), [])
    return result
  }

  #carryOut(): void {
    const { effects } = this.books
    for (let index = 0; index < effects.count; index++) {
      const { type, slot, waiter, reason } = effects.at(index)
      this.#seen.add(slot)
      this.#log.push(`${type} ${slot.shard}/${slot.index}${type === 'close' ? ` ${reason}` : ''}`)
      if (type === 'open') this.#opened(slot)
      else if (type === 'probe') assert.is(slot.state, 'probing')
      else if (type === 'close') assert.is(slot.state, 'closing')
      else this.#granted(waiter as Caller, slot) // callers are the only waiters here
    }
    effects.clear()
  }

  /** Effects since the last call, in words: `open 0/1`, `close 0/1 idle`. */
  take(): string[] {
    const log = this.#log
    this.#log = []
    return log
  }

  get(kind: WaiterKind, priority = 0): Caller {
    const caller = this.#caller(kind, priority)
    this.step(() => {
      const before = this.waiting.length
      const slot = this.books.get(caller, this.now)
      if (slot !== undefined || caller.queued) this.waiting.push(caller)
      else assert.is(before, this.limits.maxPending)
      if (slot !== undefined) this.#granted(caller, slot)
    })
    return caller
  }

  lease(priority?: number): Caller {
    return this.get('lease', priority)
  }

  request(priority?: number): Caller {
    return this.get('request', priority)
  }

  tryLease(): Slot | undefined {
    return this.step(() => {
      const slot = this.books.tryLease(this.now)
      if (slot === undefined) return undefined
      assert.not(this.waiting.some((caller) => caller.kind === 'lease'))
      this.#hold(slot, this.#caller('lease'))
      return slot
    })
  }

  /** Whoever of them waits leaves the queue. Returns whether all have waited. */
  cancel(...callers: Caller[]): boolean {
    const queued = callers.map((caller) => caller.queued)
    for (const [index, caller] of callers.entries()) {
      const place = this.waiting.indexOf(caller)
      assert.is(queued[index], place >= 0)
      if (place >= 0) this.waiting.splice(place, 1)
    }
    this.step(() => this.books.cancel(callers, this.now))
    return queued.every(Boolean)
  }

  /** Ends the oldest request of a connection. */
  finish(slot: Slot): void {
    this.held.get(slot)?.requests.shift()
    this.step(() => this.books.finish(slot, this.now))
  }

  release(slot: Slot, restMs?: number): void {
    this.held.delete(slot)
    this.step(() => this.books.release(slot, this.now, restMs))
  }

  reset(slot: Slot, restMs?: number): void {
    this.held.delete(slot)
    this.step(() => this.books.reset(slot, this.now, restMs))
  }

  ready(slot: Slot): void {
    this.step(() => (slot.state === 'opening' ? this.books.opened(slot, this.now, this.chance) : this.books.ready(slot, this.now)))
  }

  /** Its connect fails. Returns the pause that begins. */
  fail(slot: Slot, final = false): number | undefined {
    return this.step(() => this.books.failed(slot, this.now, final, this.chance))
  }

  /** The pause is over. */
  rested(site: Site = this.site()): void {
    this.step(() => this.books.rested(site, this.now))
  }

  gone(slot: Slot): void {
    this.step(() => this.books.gone(slot, this.now))
  }

  /** Its shard finds a connection dead; LOST is on the way. */
  die(slot: Slot): void {
    this.#dead.set(slot, slot.serial)
  }

  isDead(slot: Slot): boolean {
    return this.#dead.get(slot) === slot.serial
  }

  close(slot: Slot, reason: CloseReason): void {
    this.step(() => this.books.close(slot, reason, this.now))
  }

  markHandler(slot: Slot, running: boolean): void {
    this.step(() => this.books.markHandler(slot, running))
  }

  block(slot: Slot, blocked: boolean): void {
    this.step(() => this.books.block(slot, blocked))
  }

  /** A shard dies; its connections keep their permits. */
  suspend(shard: number): void {
    this.#suspended.add(shard)
    this.step(() => this.books.suspendShard(shard, this.now))
  }

  /** The thread of a dead shard is gone, and a new one has started. A live shard stays as it is. */
  restart(shard: number): void {
    if (!this.#suspended.has(shard)) return
    this.step(() => this.books.removeShard(shard, this.now))
    this.#suspended.delete(shard)
    this.step(() => {
      this.books.addShard(shard)
      this.#keepIdle()
    })
  }

  /** A shard shows no sign of life, or shows one again. */
  suspect(shard: number, suspect: boolean): void {
    this.#uneven = true
    this.step(() => this.books.suspectShard(shard, suspect, this.now))
  }

  /** What the coordinator does when shards have started. */
  #keepIdle(): void {
    if (this.limits.minIdle > 0) this.books.refill(this.now)
  }

  resize(maxConnections: number, minConnections: number): void {
    this.#uneven = true
    this.limits = { ...this.limits, maxConnections, minConnections }
    this.step(() => this.books.resize(maxConnections, minConnections, this.now))
  }

  recycle(...slots: Slot[]): void {
    for (const slot of slots.length > 0 ? slots : this.#seen) this.#recycled.set(slot, slot.serial)
    this.step(() => this.books.recycle(slots.length > 0 ? slots : undefined, this.now))
  }

  pause(on: boolean): void {
    this.step(() => this.books.pause(on, this.now))
  }

  /** Opens a connection and leaves it idle. */
  idle(): Slot {
    const slot = this.leased()
    this.release(slot)
    return slot
  }

  /** Opens a connection for a lease. */
  leased(): Slot {
    const caller = this.lease()
    const slot = this.in('opening').at(-1)
    if (slot !== undefined) this.ready(slot)
    if (caller.slot === undefined) throw new Error('the lease was not granted')
    this.take()
    return caller.slot
  }

  /** The slots in a state, in the order of their first use. */
  in(...states: SlotState[]): Slot[] {
    return [...this.#seen].filter((slot) => states.includes(slot.state))
  }

  #opened(slot: Slot): void {
    assert.is(slot.state, 'opening')
    assert.ok(this.books.counts().connections <= this.limits.maxConnections, 'a connection opened beyond the limit')
    const { admission, connections, state } = slot.site
    const admitted = this.in('opening').filter((each) => each.admitted && each.site === slot.site)
    assert.is(state, 'listed', 'a connection opened to an endpoint that takes no work')
    assert.not(admission.resting, 'a connection opened before the back-off was over')
    assert.ok(admitted.length <= admission.limit, 'more connect than are admitted')
    assert.ok(connections <= this.books.limits.maxPerEndpoint, 'a connection opened beyond the limit of its endpoint')
    const live = this.shards - this.#suspended.size
    if (!this.#uneven) assert.ok(slot.home.connections <= Math.ceil(this.limits.maxConnections / live), 'a shard opened more than its part')
  }

  #granted(caller: Caller, slot: Slot): void {
    const rivals = this.waiting.filter((each) => each.kind === caller.kind)
    const highest = Math.max(...rivals.map((each) => each.priority))
    const oldest = rivals.find((each) => each.priority === highest)
    assert.is(oldest, caller, `caller ${caller.id} was granted before caller ${oldest?.id}, or twice, or after it gave up`)
    this.waiting.splice(this.waiting.indexOf(caller), 1)
    assert.not(caller.queued)
    caller.slot = slot
    this.#hold(slot, caller)
  }

  #caller(kind: WaiterKind, priority = 0): Caller {
    return { id: this.#ids++, kind, priority, waiterNext: undefined, waiterPrev: undefined, queued: false, slot: undefined }
  }

  #hold(slot: Slot, caller: Caller): void {
    assert.not(this.books.paused, 'somebody was granted something during a pause')
    assert.is(slot.serial === this.#recycled.get(slot), false, 'a recycled connection was granted')
    assert.not(this.isDead(slot), 'a dead connection was granted')
    const before = this.held.get(slot)
    const hold: Hold = before?.serial === slot.serial ? before : { serial: slot.serial, lease: undefined, requests: [] }
    this.held.set(slot, hold)
    assert.is(hold.lease, undefined)
    if (caller.kind === 'request') {
      assert.is(slot.state, 'shared')
      this.#notWorn(slot)
      assert.ok(hold.requests.push(caller) <= this.limits.pipelining)
      return
    }
    assert.is(hold.requests.length, 0)
    assert.is(slot.state, 'leased')
    hold.lease = caller
    this.#notWorn(slot)
  }

  #notWorn(slot: Slot): void {
    assert.ok(slot.expiresAt > this.now, 'a connection was granted after its lifetime')
    assert.ok(slot.uses <= this.limits.maxUses, 'a connection was granted more than maxUses times')
  }
}
