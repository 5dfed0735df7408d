/** The books at work: puts calls before them, carries out what they decide, and keeps the connections coming. */
import { badRequest, type CloseReason, type Outcome, type PoolError, STALL_MS } from '@cenote/pool-worker'
import { Books } from './books/books.ts'
import type { Effect } from './books/effects.ts'
import type { LoadStats } from './books/load.ts'
import type { Slot } from './books/slots.ts'
import type { Call } from './calls.ts'
import type { Clock } from './clock.ts'
import { Connecting } from './connecting.ts'
import { Endpoints } from './endpoints.ts'
import type { Hold } from './hold.ts'
import { describeConnection, holders, type LeaseInfo } from './holders.ts'
import type { Language } from './language.ts'
import type { ConnectionInfo } from './lease.ts'
import type { Line } from './line.ts'
import type { Link } from './link.ts'
import { Nesting } from './nesting.ts'
import type { Settings } from './options.ts'
import { Preparing } from './preparing.ts'
import { connectFailed, nestedAcquire, poolClosed, queueFull, stackless, unavailable, waitedTooLong } from './refusals.ts'
import { Retries } from './retries.ts'
import { Situation } from './situation.ts'
import type { Numbers } from './stats.ts'
import type { Events } from './telemetry/events.ts'
import { Flight } from './telemetry/flight.ts'
import { Traces } from './telemetry/traces.ts'
import type { Waits } from './waits.ts'

/** Below the coordinator, which tells it what has happened; above the links, which it tells what to do. */
export class Dispatch {
  readonly books: Books
  readonly waits: Waits
  readonly numbers: Numbers
  readonly events: Events
  readonly retries: Retries
  readonly endpoints: Endpoints
  readonly traces: Traces
  /** Undefined: it is not looked for. */
  readonly nesting: Nesting | undefined
  readonly flight: Flight
  /** By shard; undefined while it is being replaced. */
  readonly links: (Link | undefined)[] = []
  readonly #settings: Settings
  readonly #world: Clock
  readonly #preparing: Preparing
  readonly #connecting: Connecting
  readonly #exclusive: boolean
  #present: Situation | undefined = undefined
  #acting = false
  #closing = false
  #cancelSweep: (() => void) | undefined = undefined
  #sweepAt = 0

  constructor(settings: Settings, world: Clock, language: Language, waits: Waits, numbers: Numbers, events: Events) {
    this.#settings = settings
    this.#world = world
    this.waits = waits
    this.numbers = numbers
    this.events = events
    this.traces = new Traces(settings.name, world)
    this.nesting = settings.detectNestedAcquire ? new Nesting() : undefined
    this.flight = new Flight(world)
    this.retries = new Retries(settings, world, numbers)
    const pipelining = settings.pipelining ?? language.pipelining
    this.#exclusive = pipelining === 1
    const probeAfterIdleMs = language.hasProbe ? settings.probeAfterIdleMs : Number.POSITIVE_INFINITY
    this.books = new Books(
      { ...settings, pipelining, probeAfterIdleMs },
      (slot) => this.links[slot.shard]?.fit(slot) ?? false,
      () => world.random(),
    )
    this.#preparing = new Preparing(settings, world, this.traces, numbers)
    this.endpoints = new Endpoints(settings, world, this.books, events, this.flight, () => this.act())
    this.#connecting = new Connecting(world, this.books, numbers, events, this.flight, () => this.act())
  }

  /** Whether `close()` was called. */
  get closing(): boolean {
    return this.#closing
  }

  /** Refuses who waits and who comes; closes what is idle, and the rest as it comes back. */
  retire(): void {
    this.#closing = true
    this.flight.pool('closing')
    this.endpoints.stop()
    this.#refuseAll(() => poolClosed(this.#settings.name, 'not-sent'))
    this.books.retire(this.#world.now())
    this.act()
  }

  /** Stops the clocks. */
  stop(): void {
    this.#closing = true
    this.#preparing.stop()
    this.#connecting.stop()
    this.endpoints.stop()
    this.#cancelSweep?.()
    this.waits.stop()
  }

  /** A connection was opened: the server is there. */
  connected(slot: Slot): void {
    this.#connecting.opened(slot)
    this.refill() // more may be admitted now
    this.act()
  }

  /** Lets the books decide on a call, and acts. */
  admit(call: Call, now: number = this.#world.now()): void {
    if (this.closing) return this.waits.reject(call, poolClosed(this.#settings.name, 'not-sent'))
    if (this.#hopeless) return this.#refuseHopeless(call)
    if (call.moves === 0) this.retries.called(now)
    const slot = this.books.get(call, now)
    if (slot !== undefined) this.#granted(call, slot)
    else if (call.queued) {
      call.queuedAt = now
      if (this.books.waiters.size === 1) this.flight.queued(call.timeoutMs, now)
    }
    this.act()
    if (slot !== undefined || call.queued || call.settled || call.slot !== undefined) return
    this.flight.caller('refused', undefined, 0, now)
    this.waits.reject(call, queueFull(this.situation()))
  }

  /** The same for a call that its caller makes at this moment, `now`: his async context tells what he holds already. */
  enter(call: Call, now: number): void {
    this.admit(call, now)
    if (call.queued && this.nesting !== undefined) this.#refuseNested(call, this.nesting.held)
  }

  /** Who holds a connection and waits for another that only a holder can give back may wait for himself. */
  #refuseNested(call: Call, held: readonly Hold[]): void {
    const oldest = held.at(-1)
    if (oldest === undefined || !this.books.dependsOnHolders(call)) return
    this.books.cancel([call], this.#world.now())
    this.flight.caller('refused', undefined, 0)
    this.waits.reject(call, nestedAcquire(held.length, this.#world.now() - oldest.grantedAt, this.situation()))
    this.act()
  }

  /** A connection for a lease, if it need not wait for one. */
  lendIdle(now: number): Slot | undefined {
    const slot = this.books.tryLease(now)
    if (slot !== undefined) this.retries.called(now)
    this.act()
    return slot
  }

  /** Carries out what the books have decided; more may be decided meanwhile. */
  act(): void {
    if (this.books.effects.count > 0 && !this.#acting) this.#actNow()
  }

  #actNow(): void {
    const { effects } = this.books
    this.#acting = true
    for (let index = 0; index < effects.count; index++) this.#carryOut(effects.at(index))
    effects.clear()
    this.#acting = false
    this.sweepLater()
  }

  #carryOut({ type, slot, waiter, reason }: Effect): void {
    const link = this.links[slot.shard]
    if (type === 'grant')
      this.#granted(waiter as Call, slot) // only calls are put into the books
    else if (type === 'open') {
      this.numbers.attempts.begin(slot)
      if (link !== undefined) this.#preparing.open(link, slot, (error) => this.connectFailed(slot, error, error.code === 'CONNECT_FAILED'))
    } else if (type === 'probe') link?.probe(slot)
    else {
      const line = link?.line(slot)
      if (line !== undefined) line.closing = reason
      link?.close(slot, reason)
    }
  }

  /** The thread stood still, and the caller's time is up: sent now, the request would only be given up at once. */
  #tooLate(call: Call, slot: Slot, now: number): void {
    this.numbers.timedOut(true)
    this.waits.reject(call, waitedTooLong(call, this.present))
    this.books.finish(slot, now)
  }

  #granted(call: Call, slot: Slot): void {
    const line = this.links[slot.shard]?.line(slot)
    if (call.queuedAt > 0) {
      const now = call.kind === 'lease' ? this.#world.justNow() : this.#world.now()
      this.numbers.waited(now - call.queuedAt)
      if (this.books.waiters.size === 0) this.flight.served(slot, now - call.queuedAt, now)
      if (call.kind === 'request' && call.deadline <= now) return this.#tooLate(call, slot, now)
    }
    if (call.kind === 'lease') {
      if (line !== undefined) call.trace?.placed(this.describe(line))
      this.waits.resolve(call, slot)
    } else if (line !== undefined) this.send(line, call)
  }

  /** Sends a call's request over a line. What the codec refuses is told to its caller alone. */
  send(line: Line, call: Call): void {
    line.site.counters.requests++
    if (this.endpoints.timed) call.sentAt = this.#world.now()
    try {
      this.link(line).send(line, call)
      call.trace?.placed(this.describe(line))
    } catch (thrown) {
      this.waits.reject(call, badRequest(thrown))
      if (call.lease === undefined) {
        this.books.finish(line.slot, this.#world.now())
        this.act()
      }
    }
  }

  /** Lets go of a call that went to a connection. What it sent, or will be answered, reaches nobody. */
  drop(call: Call): Outcome {
    const { slot, lease } = call
    const line = slot === undefined ? undefined : this.links[slot.shard]?.line(slot)
    if (line === undefined || call.id < 0) return 'not-sent'
    const exclusive = lease !== undefined || this.#exclusive
    if (this.link(line).cancel(line, call, exclusive)) {
      if (lease === undefined) this.books.finish(line.slot, this.#world.now())
      return 'not-sent'
    }
    if (line.first === call && lease === undefined) this.books.block(line.slot, true)
    return 'maybe-executed'
  }

  // Connections come and go.

  /** @param theirs - Whether the endpoint may be to blame: for its name, but not for credentials that do not come. */
  connectFailed(slot: Slot, error: PoolError, theirs: boolean): void {
    const { site } = slot
    this.#preparing.failed(site.endpoint)
    const single = this.#connecting.failed(slot, error)
    this.endpoints.connectFailed(site, error, theirs && single)
    this.act()
    this.#tellHopeless(error)
  }

  /** The server has ended an open connection. */
  lost(slot: Slot, reason: CloseReason, cause: Error | undefined): void {
    const { site } = slot
    const failure = this.#connecting.lost(slot, reason, cause)
    if (failure === undefined) return
    this.endpoints.connectFailed(site, failure.error, failure.single)
    this.#tellHopeless(failure.error)
  }

  /** A pause has ended: whom it has held is told at once if it is in vain, for the next connect to fail may be far off. */
  resumed(): void {
    const { lastError } = this.#connecting
    if (lastError !== undefined) this.#tellHopeless(lastError)
  }

  #tellHopeless(error: PoolError): void {
    if (!this.#hopeless) return
    const situation = this.situation()
    this.#refuseAll(() => connectFailed(error, situation))
  }

  /** Whether waiting is in vain. Callers held by a pause wait for their own deadlines. */
  get #hopeless(): boolean {
    return this.books.down && !this.books.paused
  }

  #refuseHopeless(call: Call): void {
    this.numbers.refused++
    const { backoff } = this.#settings
    this.waits.reject(call, unavailable(this.#connecting.lastError, this.books.sites.failures, backoff.maxMs, this.situation()))
  }

  #refuseAll(reason: () => PoolError): void {
    const waiters = [...this.books.waiters] as Call[] // only calls are put into the books
    this.books.cancel(waiters, this.#world.now())
    for (const waiter of waiters) this.waits.reject(waiter, stackless(reason))
  }

  /** Ends a connection now. Its calls fail; its permit returns when the shard has closed it. */
  destroy(line: Line, reason: CloseReason, error: PoolError): void {
    for (let call = line.first; call !== undefined; call = call.lineNext) if (!call.settled) this.waits.reject(call, error)
    this.books.close(line.slot, reason, this.#world.now())
    this.act()
  }

  refill(): void {
    if (!this.closing) this.books.refill(this.#world.now())
  }

  /** Sees that connections are looked at when the first of them has been idle long enough, or has had its time. */
  sweepLater(delay: number = this.books.sweepMs): void {
    if (this.#cancelSweep !== undefined || this.#closing || delay === Number.POSITIVE_INFINITY) return
    this.#sweepAt = this.#world.now() + delay
    this.#cancelSweep = this.#world.timer(delay, false, () => {
      this.#cancelSweep = undefined
      const now = this.#world.now()
      const next = this.books.sweep(now)
      if (next !== Number.POSITIVE_INFINITY) this.sweepLater(Math.max(1, next - now))
      this.act()
    })
  }

  /** A connection may stay idle no longer than so many milliseconds, which are not Infinity: the next sweep is in time for it. */
  sweepWithin(ms: number): void {
    this.#world.insist()
    if (this.#cancelSweep !== undefined && this.#sweepAt <= this.#world.now() + ms) return
    this.#cancelSweep?.()
    this.#cancelSweep = undefined
    this.sweepLater(ms)
  }

  /** How much the connections were used until now. */
  load(): LoadStats {
    return this.books.load(this.#world.now())
  }

  /** As it is at this moment. */
  situation(): Situation {
    const { books } = this
    const { maxConnections, pipelining } = books.limits
    const late = Math.round(this.waits.late)
    return new Situation({
      name: this.#settings.name,
      maxConnections,
      pipelining,
      paused: books.paused,
      counts: books.counts(),
      connectError: this.#connecting.lastError ?? this.endpoints.lastError,
      stalledMs: late > STALL_MS ? late : 0,
      waiters: () => books.waiters,
      holders: () => this.holders(),
    })
  }

  /** As it was when it was asked for first in this turn: a hundred thousand may be refused in it. */
  get present(): Situation {
    if (this.#present !== undefined) return this.#present
    queueMicrotask(this.#forget)
    this.#present = this.situation()
    return this.#present
  }

  readonly #forget = (): void => {
    this.#present = undefined
  }

  /** What is told of a line's connection. */
  readonly describe = (line: Line): ConnectionInfo => describeConnection(line)

  /** Who holds a connection, the oldest first. */
  holders(): LeaseInfo[] {
    return holders(this.links, this.describe, this.#world.now())
  }

  link(line: Line): Link {
    const link = this.links[line.slot.shard]
    if (link === undefined) throw new Error('a line of a shard that has ended')
    return link
  }

  lineOf(slot: Slot): Line {
    const line = this.links[slot.shard]?.line(slot)
    if (line === undefined) throw new Error('a slot was granted that has no connection')
    return line
  }
}
