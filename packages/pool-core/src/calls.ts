/** The record of what a caller waits for: its own entry in the queue, in the wheel and in its connection's list. */
import { PoolError, type Timed } from '@cenote/pool-worker'
import type { Waiter, WaiterKind } from './books/pending.ts'
import type { Slot } from './books/slots.ts'
import type { Lease } from './lease.ts'
import type { Outcomes } from './outcomes.ts'
import type { Captured } from './overdue.ts'
import { withOutcome } from './refusals.ts'
import type { Run } from './runs.ts'
import type { SignalWatch } from './signals.ts'
import type { CallTrace } from './telemetry/traces.ts'

/** Who makes a lease of the connection that a call was granted, and gives it that. */
export interface Lender {
  lend(call: Call, slot: Slot): void
}

/**
 * One wait. As a 'request' it takes a place on a shared connection, or goes over its lease; as a 'lease' it waits for a
 * connection of its own and resolves with its slot, or with what its lender makes of that. It settles once; the place it took may be owed longer.
 */
export class Call implements Waiter, Timed {
  readonly kind: WaiterKind
  /** Set before the call is admitted. */
  priority = 0
  queued = false
  waiterNext: Waiter | undefined = undefined
  waiterPrev: Waiter | undefined = undefined

  deadline: number = Number.POSITIVE_INFINITY
  wheelNext: Timed | undefined = undefined
  wheelPrev: Timed | undefined = undefined
  wheelBucket = -1

  /** Of its signal, until it settles. */
  watch: SignalWatch | undefined = undefined

  /** In the link's table while in flight, else -1. */
  id = -1
  /** How many calls began on its connection before it; -1 until its first byte is on the way to the shard. */
  ordinal = -1
  lineNext: Call | undefined = undefined
  linePrev: Call | undefined = undefined
  slot: Slot | undefined = undefined
  /** When it was sent, in the world's milliseconds, if the times of replies are taken. */
  sentAt = 0
  /** How often it went on to another connection. */
  moves = 0
  /** Bytes of it may have reached a server before it went on. */
  sentBefore = false
  settled = false
  /** When it joined the queue, in the world's milliseconds; 0: it has not. */
  queuedAt = 0
  /** The handler whose caller this is. */
  run: Run | undefined = undefined
  /** What observers are told of it, while there are any. */
  trace: CallTrace | undefined = undefined
  /** Where its end is counted, if it is a caller's own. */
  outcomes: Outcomes | undefined = undefined
  /** For a caller's own lease. */
  lender: Lender | undefined = undefined
  /** Where that was asked for, if it is looked for. */
  stack: Captured | undefined = undefined
  timeoutMs: number

  readonly request: unknown
  /** Over which it goes: the lease itself, so that it lives as long. */
  readonly lease: Lease | undefined
  readonly idempotent: boolean
  readonly #resolve: (value: never) => void
  readonly #reject: (error: unknown) => void

  constructor(
    kind: WaiterKind,
    timeoutMs: number,
    resolve: (value: never) => void,
    reject: (error: unknown) => void,
    request?: unknown,
    lease?: Lease,
    idempotent = false,
  ) {
    this.kind = kind
    this.timeoutMs = timeoutMs
    this.#resolve = resolve
    this.#reject = reject
    this.request = request
    this.lease = lease
    this.idempotent = idempotent
  }

  /** Its caller's signal ends it: whatever it is rejected with then is no failure. */
  aborted(): void {
    this.outcomes?.abort()
    this.outcomes = undefined
  }

  resolve(value: unknown): void {
    Call.#end(this)
    if (this.lender === undefined) this.give(value)
    else this.lender.lend(this, value as Slot) // what a lease waits for
  }

  reject(error: unknown): void {
    Call.#end(this)
    this.refuse(error)
  }

  /** It waits no more: its caller gets what he asked for. */
  give(value: unknown): void {
    if (this.outcomes !== undefined) this.outcomes.succeeded++
    this.#resolve(value as never) // the promise was made by whoever knows the type
  }

  /** It waits no more: its caller is told why it was in vain. */
  refuse(error: unknown): void {
    this.outcomes?.rejected(error, this.watch?.signal)
    const untrue = this.sentBefore && PoolError.is(error) && error.outcome === 'not-sent'
    this.#reject(untrue ? withOutcome(error, 'maybe-executed') : error)
  }

  /** Static: a private method of its own would make each call dearer to create. */
  static #end(call: Call): void {
    call.settled = true
    call.watch?.remove(call)
  }
}

const INDEX_BITS = 20
const MAX_CALLS = 1 << INDEX_BITS

/**
 * Calls in flight by id. An id is the place in the table and how often the place was used, so that a frame of an earlier
 * call is recognised.
 */
export class CallTable<T extends object> {
  readonly #calls: (T | undefined)[] = []
  readonly #ids: number[] = []
  readonly #free: number[] = []

  /** Places a call; undefined when 2²⁰ are in flight. */
  add(call: T): number | undefined {
    const index = this.#free.pop() ?? this.#calls.length
    if (index >= MAX_CALLS) return undefined
    const id = this.#ids[index] ?? index
    this.#ids[index] = id
    this.#calls[index] = call
    return id
  }

  get(id: number): T | undefined {
    const index = id & (MAX_CALLS - 1)
    return this.#ids[index] === id ? this.#calls[index] : undefined
  }

  remove(id: number): void {
    const index = id & (MAX_CALLS - 1)
    if (this.#ids[index] !== id || this.#calls[index] === undefined) return
    this.#calls[index] = undefined
    this.#ids[index] = (id + MAX_CALLS) & 0x7fffffff
    this.#free.push(index)
  }

  /** How many are in flight. */
  get size(): number {
    return this.#calls.length - this.#free.length
  }

  /** All calls in flight, in no order. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (const call of this.#calls) if (call !== undefined) yield call
  }
}
