/** Leases: lent, used, given back, and given another connection when theirs died before anything was sent. */
import type { Duplex } from 'node:stream'
import { PoolError } from '@cenote/pool-worker'
import { Anchors } from './anchors.ts'
import type { Slot } from './books/slots.ts'
import type { CallOptions } from './call-options.ts'
import { Call, type Lender } from './calls.ts'
import type { Clock } from './clock.ts'
import type { Dispatch } from './dispatch.ts'
import { Hold } from './hold.ts'
import type { Language } from './language.ts'
import { Lease } from './lease.ts'
import type { Line } from './line.ts'
import type { Settings } from './options.ts'
import type { Outcomes } from './outcomes.ts'
import { type Captured, Overdue } from './overdue.ts'
import { connectionLost, poolClosed, withOutcome } from './refusals.ts'
import { Journey } from './retries.ts'
import { openStream } from './stream.ts'
import { acquireChannel, follow, observed, requestChannel } from './telemetry/channels.ts'
import type { CallTrace } from './telemetry/traces.ts'

export class Leasing implements Lender {
  readonly #settings: Settings
  readonly #world: Clock
  readonly #language: Language
  readonly #dispatch: Dispatch
  readonly #anchors: Anchors
  readonly #overdue: Overdue
  /** What a lease has that is over, when its own hold has gone on to another. */
  readonly over: Hold = new Hold(this)

  constructor(settings: Settings, world: Clock, language: Language, dispatch: Dispatch) {
    this.#settings = settings
    this.#world = world
    this.#language = language
    this.#dispatch = dispatch
    this.#anchors = new Anchors(
      () => new Hold(this),
      (hold) => this.#collected(hold),
      dispatch.nesting !== undefined,
    )
    this.#overdue = new Overdue(settings, world, dispatch.events, dispatch.describe, (hold, error) => this.#expired(hold, error))
  }

  /** Stops the clock of leases that are held. */
  stop(): void {
    this.#overdue.stop()
  }

  /**
   * A connection for one caller.
   * @throws PoolError `CONNECTION_LOST`, besides what ends the wait: it died, and so did the one after it.
   */
  acquire(options: CallOptions): Promise<Lease> {
    const stack = this.#overdue.capture(Leasing.prototype.acquire)
    if (!observed(acquireChannel)) return this.#acquire(options, stack, undefined)
    const trace = this.#dispatch.traces.acquire(options.timeoutMs ?? this.#settings.acquireTimeoutMs, options.priority)
    return follow(acquireChannel, trace, () => this.#acquire(options, stack, trace))
  }

  #acquire(options: CallOptions, stack: Captured | undefined, trace: CallTrace | undefined): Promise<Lease> {
    const { acquires } = this.#dispatch.numbers
    acquires.begun++
    const lease = this.#lendIdle(options, stack, trace)
    if (lease === undefined) return this.#wait(options, this.#world.now(), 0, trace, stack, acquires)
    acquires.succeeded++
    return Promise.resolve(lease)
  }

  /** A lease that need not wait for its connection. */
  #lendIdle({ signal, priority }: CallOptions, stack?: Captured, trace?: CallTrace): Lease | undefined {
    if (this.#dispatch.closing || signal?.aborted === true) return undefined // which is told by those who wait
    const now = this.#world.justNow()
    const slot = this.#dispatch.lendIdle(now)
    if (slot === undefined) return undefined
    const line = this.#dispatch.lineOf(slot)
    trace?.placed(this.#dispatch.describe(line))
    return this.#lend(line, now, priority ?? 0, 0, stack)
  }

  /**
   * @param since - When its time began to run.
   * @param outcomes - Where it is counted, if it is its caller's whole call.
   */
  #wait(options: CallOptions, since: number, moves: number, trace?: CallTrace, stack?: Captured, outcomes?: Outcomes): Promise<Lease> {
    return new Promise<Lease>((resolve, reject) => {
      const call = new Call('lease', options.timeoutMs ?? this.#settings.acquireTimeoutMs, resolve, reject)
      call.lender = this
      call.priority = options.priority ?? 0
      call.moves = moves
      call.trace = trace
      call.stack = stack
      call.outcomes = outcomes
      const now = outcomes === undefined ? this.#world.now() : since // whoever waits a second time began long ago
      if (this.#dispatch.waits.begin(call, options.signal, since)) this.#dispatch.enter(call, now)
    })
  }

  /** Whoever waited was granted a connection. */
  lend(call: Call, slot: Slot): void {
    const line = this.#dispatch.lineOf(slot)
    const lease = this.#lend(line, this.#world.justNow(), call.priority, call.moves, call.stack)
    if (call.outcomes === undefined || !this.#dispatch.link(line).reading) return call.give(lease)
    queueMicrotask(() => {
      this.#outlive(lease, call).then(
        () => call.give(lease),
        (error) => call.refuse(error),
      )
    })
  }

  /**
   * A connection that was granted while its shard is listened to may die in this very turn. Whoever waited gets one that was alive in it,
   * within one wait.
   */
  async #outlive(lease: Lease, call: Call): Promise<void> {
    const { hold } = lease
    const { rebinding } = hold
    let refused = false
    if (rebinding !== undefined) {
      this.#dispatch.waits.join(rebinding.ticket, call)
      refused = !(await rebinding.given)
    }
    if (hold.lostBy === undefined) return
    if (!hold.released) this.#end(lease)
    throw refused ? hold.lostBy.cause : withOutcome(hold.lostBy, 'not-sent')
  }

  /** Calls the function of `use`. */
  call<T>(lease: Lease, work: () => T): T {
    const { nesting } = this.#dispatch
    return nesting === undefined ? work() : nesting.within(lease.hold, work)
  }

  tryAcquire(): Lease | undefined {
    if (this.#dispatch.closing) throw poolClosed(this.#settings.name, 'not-sent')
    const now = this.#world.justNow()
    const slot = this.#dispatch.lendIdle(now)
    if (slot === undefined) return undefined
    return this.#lend(this.#dispatch.lineOf(slot), now, 0, 0, this.#overdue.capture(Leasing.prototype.tryAcquire))
  }

  /** A request that nobody may share a connection with: one deadline for the wait and the reply. */
  alone(request: unknown, options: CallOptions): Promise<unknown> {
    if (!observed(requestChannel)) return this.#alone(request, options, undefined)
    const trace = this.#dispatch.traces.request(options.timeoutMs ?? this.#settings.requestTimeoutMs, options.priority)
    return follow(requestChannel, trace, () => this.#alone(request, options, trace))
  }

  async #alone(request: unknown, options: CallOptions, trace: CallTrace | undefined): Promise<unknown> {
    const { requests } = this.#dispatch.numbers
    requests.begun++
    try {
      const reply = await this.#overLeases(request, options, trace)
      requests.succeeded++
      return reply
    } catch (error) {
      requests.rejected(error, options.signal)
      throw error
    }
  }

  /** Sends a request over a lease of its own, or over several, one after the other's connection has died. */
  async #overLeases(request: unknown, options: CallOptions, trace: CallTrace | undefined): Promise<unknown> {
    const since = this.#world.now()
    const whole = { ...options, timeoutMs: options.timeoutMs ?? this.#settings.requestTimeoutMs }
    const journey = new Journey(this.#dispatch.retries, options.idempotent === true)
    for (;;) {
      const idle = journey.moves === 0 ? this.#lendIdle(whole) : undefined
      const lease = idle ?? (await this.#waitAlone(whole, since, journey))
      try {
        return await this.#request(lease, request, whole, trace, undefined, since)
      } catch (error) {
        journey.moves = lease.hold.moves
        if (this.#dispatch.closing || !journey.goesOn(error, lease.hold.lostBy)) throw journey.told(error)
      } finally {
        lease[Symbol.dispose]()
      }
    }
  }

  /** Waits for the next lease of a request. */
  async #waitAlone(options: CallOptions, since: number, journey: Journey): Promise<Lease> {
    const { numbers } = this.#dispatch
    numbers.waitingAlone++
    try {
      return await this.#wait(options, since, journey.moves)
    } catch (error) {
      const late = PoolError.is(error) && error.code === 'ACQUIRE_TIMEOUT'
      throw journey.told(late ? new PoolError('REQUEST_TIMEOUT', error.message, error) : error)
    } finally {
      numbers.waitingAlone--
    }
  }

  /** A request over a lease. */
  request(lease: Lease, request: unknown, options: CallOptions): Promise<unknown> {
    const { requests } = this.#dispatch.numbers
    if (!observed(requestChannel)) return this.#request(lease, request, options, undefined, requests)
    const trace = this.#dispatch.traces.request(options.timeoutMs ?? this.#settings.requestTimeoutMs)
    return follow(requestChannel, trace, () => this.#request(lease, request, options, trace, requests))
  }

  /**
   * @param outcomes - Where it is counted, if it is its caller's whole call.
   * @param since - When its time began to run. Default: now.
   */
  #request(
    lease: Lease,
    request: unknown,
    options: CallOptions,
    trace: CallTrace | undefined,
    outcomes: Outcomes | undefined,
    since?: number,
  ): Promise<unknown> {
    const { hold } = lease
    return new Promise((resolve, reject) => {
      const call = new Call('request', options.timeoutMs ?? this.#settings.requestTimeoutMs, resolve, reject, request, lease)
      call.trace = trace
      if (outcomes !== undefined) {
        call.outcomes = outcomes
        outcomes.begun++
      }
      if (hold.released) return call.reject(hold.over()) // by who was told of the request, or asked of what it changes
      if (hold.lostBy !== undefined) return call.reject(connectionLost('the connection of this lease has died', 'not-sent', hold.lostBy))
      if (!this.#dispatch.waits.begin(call, options.signal, since)) return
      if (hold.line === undefined) hold.wait(call)
      else this.#send(hold.line, call)
    })
  }

  #send(line: Line, call: Call): void {
    this.#dispatch.books.use(line.slot)
    this.#dispatch.send(line, call)
  }

  /** @param restMs - How long the connection may stay idle now. */
  release(lease: Lease, reusable: boolean, restMs: number = Number.POSITIVE_INFINITY): void {
    const { line, dirty } = lease.hold
    const now = this.#world.justNow()
    this.#end(lease, now)
    if (line === undefined) return
    if (dirty || line.stream !== undefined || line.first !== undefined) return this.#releaseUsed(line, dirty, reusable, now, restMs)
    if (line.begun > line.begunBeforeLease) this.#dispatch.link(line).release(line.slot, false) // else its shard never knew of the lease
    this.#dispatch.books.release(line.slot, now, restMs)
    this.#dispatch.act()
    if (restMs < Number.POSITIVE_INFINITY) this.#dispatch.sweepWithin(restMs)
  }

  /** Its connection is not as it was: it has to prove itself, or goes. */
  #releaseUsed(line: Line, dirty: boolean, reusable: boolean, now: number, restMs: number): void {
    const { slot, stream } = line
    if (stream === undefined ? line.first !== undefined : !(reusable && stream.reusable && !dirty)) {
      stream?.detach()
      return this.#dispatch.destroy(line, 'abort', connectionLost('the lease was released while its reply was owed', 'maybe-executed'))
    }
    stream?.detach()
    line.stream = undefined
    this.#dispatch.link(line).release(slot, true)
    this.#dispatch.books.reset(slot, now, restMs)
    this.#dispatch.act()
    if (restMs < Number.POSITIVE_INFINITY) this.#dispatch.sweepWithin(restMs)
  }

  destroy(lease: Lease, error: Error | undefined): void {
    const { line } = lease.hold
    this.#end(lease)
    if (line === undefined) return
    const cause = connectionLost('the connection was destroyed by its holder', 'maybe-executed', error)
    line.stream?.lost(cause)
    this.#dispatch.destroy(line, 'error', cause)
  }

  /** Turns a lease's connection into a stream. */
  stream(lease: Lease): Duplex {
    const { line, lostBy } = lease.hold
    if (line === undefined) throw connectionLost('the connection of this lease has died', 'not-sent', lostBy)
    if (line.stream !== undefined) throw new PoolError('LEASE_RELEASED', 'the stream of this lease was taken already')
    if (line.first !== undefined) throw new PoolError('BAD_REQUEST', 'a lease becomes a stream only while no reply is owed')
    lease.hold.share() // whoever tells the stream of its end tells this afterwards
    line.stream = openStream(this.#dispatch.link(line), line, this.#settings.highWaterMark, (clean) =>
      this.#streamClosed(lease, line, clean),
    )
    return line.stream.duplex
  }

  /** Whether the request leaves its connection in need of a reset. */
  changes(request: unknown): boolean {
    return this.#language.changes(request)
  }

  /** The stream of a lease is over. Unless both directions had ended, what is left of the connection goes. */
  #streamClosed(lease: Lease, line: Line, clean: boolean): void {
    if (!lease.hold.released) this.#end(lease)
    if (!clean && this.#dispatch.links[line.slot.shard]?.line(line.slot) === line)
      this.#dispatch.destroy(line, 'abort', connectionLost('the stream was destroyed', 'maybe-executed'))
  }

  #lend(line: Line, now: number, priority: number, moves: number, stack: Captured | undefined): Lease {
    const anchor = this.#anchors.take()
    const { hold } = anchor.mark
    hold.begin(line, now, priority, moves)
    line.lease = hold
    line.begunBeforeLease = line.begun
    this.#dispatch.waits.hold()
    this.#dispatch.numbers.acquired++
    if (stack !== undefined) this.#overdue.begin(hold, stack) // else it is of a request, which has a time of its own, or nobody cares
    return new Lease(hold, anchor)
  }

  /** A lease is over, by its holder. */
  #end(lease: Lease, now: number = this.#world.now()): void {
    const { hold } = lease
    if (hold.watch !== undefined) this.#overdue.end(hold, true)
    this.#close(hold, now, released)
    this.#dispatch.numbers.released++
    const anchor = lease.takeAnchor()
    if (anchor !== undefined) this.#anchors.giveBack(anchor)
  }

  /** Whoever ended it, nobody uses it from now on. */
  #close(hold: Hold, now: number, refusal: () => PoolError): void {
    const { line, grantedAt } = hold
    if (line !== undefined) line.lease = undefined
    const waiting = hold.end()
    if (waiting.length > 0) this.#refuse(waiting, refusal)
    this.#dispatch.numbers.used(now - grantedAt)
    this.#dispatch.waits.letGo()
  }

  #refuse(waiting: readonly Call[], refusal: () => PoolError): void {
    for (const call of waiting) if (!call.settled) this.#dispatch.waits.reject(call, refusal())
  }

  /** It was held longer than it may be. */
  #expired(hold: Hold, error: PoolError): void {
    hold.expire()
    this.#takeBack(hold, error)
  }

  /** Its holder has forgotten it. */
  #collected(hold: Hold): void {
    if (hold.released) return
    this.#overdue.collected(hold)
    this.#takeBack(hold, connectionLost('the lease was forgotten', 'maybe-executed'))
  }

  /** Ends a lease that its holder has not. In which state he has left the connection nobody knows: it goes. */
  #takeBack(hold: Hold, error: PoolError): void {
    const { line } = hold
    this.#overdue.end(hold, false)
    this.#close(hold, this.#world.now(), () => withOutcome(error, 'not-sent'))
    this.#dispatch.numbers.reclaimed++
    this.#dispatch.flight.pool('reclaimed', 0, line?.slot)
    hold.lost(error)
    if (line === undefined) return
    this.#dispatch.destroy(line, 'leak', error)
    line.stream?.lost(error)
  }

  /** Gives a lease whose connection died before anything was sent another one, once and unseen. */
  rebind(hold: Hold, calls: readonly Call[]): void {
    let done = (_given: boolean): void => undefined
    const given = new Promise<boolean>((resolve) => {
      done = resolve
    })
    const ticket = new Call(
      'lease',
      this.#settings.acquireTimeoutMs,
      (slot: Slot) => {
        done(true)
        const line = this.#dispatch.lineOf(slot)
        if (hold.released) return this.#dispatch.books.release(slot, this.#world.now())
        hold.line = line
        line.lease = hold
        line.begunBeforeLease = line.begun
        for (const call of hold.takeWaiting()) if (!call.settled) this.#send(line, call)
      },
      (cause) => {
        done(false)
        const error = connectionLost('the connection of this lease has died', 'not-sent', cause)
        hold.lost(error)
        for (const call of hold.takeWaiting()) if (!call.settled) this.#dispatch.waits.reject(call, error)
      },
    )
    ticket.priority = hold.priority
    ticket.moves = ++hold.moves
    hold.rebind(
      calls.filter((call) => !call.settled),
      { ticket, given },
    )
    if (this.#dispatch.waits.begin(ticket, undefined)) this.#dispatch.admit(ticket)
  }
}

function released(): PoolError {
  return connectionLost('the lease was released', 'not-sent')
}
