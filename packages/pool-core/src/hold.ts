/** A lease as the pool knows it. */
import { AsyncResource } from 'node:async_hooks'
import { PoolError } from '@cenote/pool-worker'
import type { Call } from './calls.ts'
import type { Leasing } from './leasing.ts'
import type { Line } from './line.ts'
import type { LostSignal } from './lost-signal.ts'
import type { Watch } from './overdue.ts'

const NOBODY: readonly Call[] = Object.freeze([])

/** A lease on its way to another connection. */
export interface Rebinding {
  /** Its wait for that. */
  readonly ticket: Call
  /** Whether it has come. */
  readonly given: Promise<boolean>
}

/** What few leases have: the others are smaller for it. */
class Extras {
  /** It was ended by the pool. */
  expired = false
  watch: Watch | undefined = undefined
  rebinding: Rebinding | undefined = undefined
  /** Requests that wait for it. */
  waiting: Call[] = []
  /** Aborts when its connection dies; nobody is told who has forgotten it. */
  signal: WeakRef<LostSignal> | undefined = undefined
  listeners: Map<(value: never) => void, (value: unknown) => void> | undefined = undefined
  /** The lease, while there are listeners of pushes: who only listens must not lose the connection. */
  kept: object | undefined = undefined
  /** The same, while somebody listens to its signal. */
  heeded: object | undefined = undefined
}

/**
 * The state of one lease. The pool holds this and never the `Lease`, which its holder has and which holds this: so one that was forgotten
 * is collected, and its connection comes back. Only a call in flight, an open stream and a listener of pushes keep the lease itself.
 */
export class Hold {
  /** Who has lent it. */
  readonly leasing: Leasing
  /** Its connection; undefined once that has died, and while it is given another. */
  line: Line | undefined = undefined
  /** When it was granted, in the world's milliseconds. */
  grantedAt = 0
  /** What its holder asked for it with. */
  priority = 0
  /** How often its wait, and it, have gone on to another connection. */
  moves = 0
  /** It is over, whoever ended it; or has not begun. */
  released = true
  /** A request went over it that changed the connection. */
  dirty = false
  /** Why its connection is gone, if it is. */
  lostBy: PoolError | undefined = undefined
  #extras: Extras | undefined = undefined

  constructor(leasing: Leasing) {
    this.leasing = leasing
  }

  /** A lease begins: the first that it is of, or the next after one that was plain. */
  begin(line: Line, grantedAt: number, priority: number, moves: number): void {
    this.line = line
    this.grantedAt = grantedAt
    this.priority = priority
    this.moves = moves
    this.dirty = this.released = false
  }

  /** Whether nobody but its lease and the pool ever knew of it. */
  get plain(): boolean {
    return this.#extras === undefined && this.lostBy === undefined
  }

  /** It was ended by the pool: its holder could not know, so his own release does nothing. */
  get expired(): boolean {
    return this.#extras?.expired === true
  }

  /** The pool is about to end it. */
  expire(): void {
    Hold.#some(this).expired = true
  }

  /** How long it may be held, and who acquired it; only while somebody wants to know. */
  get watch(): Watch | undefined {
    return this.#extras?.watch
  }

  /** From now on somebody does. */
  observe(watch: Watch): void {
    Hold.#some(this).watch = watch
  }

  /** Somebody may look at it after it is over: it is of no other lease then. */
  share(): void {
    Hold.#some(this)
  }

  /** Why it can be used no more. */
  over(): PoolError {
    const [code, message] = this.expired
      ? (['LEASE_EXPIRED', 'this lease was held longer than maxLeaseMs'] as const)
      : (['LEASE_RELEASED', 'this lease has been released'] as const)
    return new PoolError(code, message, { phase: 'send', outcome: 'not-sent' })
  }

  /** It was given another connection once already. */
  get rebound(): boolean {
    return this.rebinding !== undefined
  }

  /** Undefined when it has always had its own connection. */
  get rebinding(): Rebinding | undefined {
    return this.#extras?.rebinding
  }

  /** Nothing reaches its holder from now on. Returns the requests that wait for another connection. */
  end(): readonly Call[] {
    this.released = true
    if (this.#extras === undefined) return NOBODY
    this.#extras.listeners = this.#extras.kept = this.#extras.heeded = undefined
    return this.takeWaiting()
  }

  /** Its connection has died. */
  lost(error: PoolError): void {
    this.line = undefined
    this.lostBy = error
    if (this.#extras === undefined) return
    this.#extras.kept = this.#extras.heeded = undefined
    this.#extras.signal?.deref()?.abort(error)
  }

  /** Who is told of that. */
  warn(signal: LostSignal): void {
    if (this.lostBy !== undefined) signal.abort(this.lostBy)
    else if (!this.released) Hold.#some(this).signal = new WeakRef(signal)
  }

  /** Somebody listens to its signal, or nobody any more. */
  heed(lease: object, some: boolean): void {
    if (!this.released) Hold.#some(this).heeded = some && this.lostBy === undefined ? lease : undefined
  }

  /** Its connection died before anything was sent: its requests wait for another. */
  rebind(calls: Call[], rebinding: Rebinding): void {
    const extras = Hold.#some(this)
    this.line = undefined
    extras.rebinding = rebinding
    extras.waiting = calls
  }

  /** A request comes while it has no connection. */
  wait(call: Call): void {
    Hold.#some(this).waiting.push(call)
  }

  /** Those requests, which wait no more. */
  takeWaiting(): readonly Call[] {
    return this.#extras?.waiting.splice(0) ?? NOBODY
  }

  /** Tells `listener` each push, in the async context of now. Returns what takes it off. */
  listen<T>(listener: (value: T) => void, lease: object): () => void {
    const extras = Hold.#some(this)
    extras.listeners ??= new Map()
    const { listeners } = extras
    if (!listeners.has(listener)) listeners.set(listener, AsyncResource.bind(listener as (value: unknown) => void)) // typed where the pool is
    extras.kept = lease
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && extras.listeners === listeners) extras.kept = undefined
    }
  }

  pushed(value: unknown): void {
    const listeners = this.#extras?.listeners
    if (listeners === undefined) return
    for (const listener of listeners.values()) queueMicrotask(() => listener(value))
  }

  /** Static: a private method of its own would make each lease dearer to create. */
  static #some(hold: Hold): Extras {
    hold.#extras ??= new Extras()
    return hold.#extras
  }
}
