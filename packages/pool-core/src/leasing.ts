/** Leases: lent, used, given back, and given another connection when theirs died before anything was sent. */
import type { Duplex } from 'node:stream'
import { PoolError, type World } from '@cenote/pool-worker'
import type { Slot } from './books/slots.ts'
import type { CallOptions } from './call-options.ts'
import { Call } from './calls.ts'
import type { Dispatch } from './dispatch.ts'
import type { Language } from './language.ts'
import { type ConnectionInfo, Lease } from './lease.ts'
import type { Line } from './line.ts'
import type { Settings } from './options.ts'
import type { Outcomes } from './outcomes.ts'
import { connectionLost, poolClosed, withOutcome } from './refusals.ts'
import { Journey } from './retries.ts'
import { openStream } from './stream.ts'
import { acquireChannel, follow, observed, requestChannel } from './telemetry/channels.ts'
import type { CallTrace } from './telemetry/traces.ts'

export class Leasing {
  readonly #settings: Settings
  readonly #world: World
  readonly #language: Language
  readonly #dispatch: Dispatch

  constructor(settings: Settings, world: World, language: Language, dispatch: Dispatch) {
    this.#settings = settings
    this.#world = world
    this.#language = language
    this.#dispatch = dispatch
  }

  /**
   * A connection for one caller.
   * @throws PoolError `CONNECTION_LOST`, besides what ends the wait: it died, and so did the one after it.
   */
  acquire(options: CallOptions): Promise<Lease> {
    if (!observed(acquireChannel)) return this.#acquire(options, undefined)
    const trace = this.#dispatch.traces.acquire(options.timeoutMs ?? this.#settings.acquireTimeoutMs, options.priority)
    return follow(acquireChannel, trace, () => this.#acquire(options, trace))
  }

  async #acquire(options: CallOptions, trace: CallTrace | undefined): Promise<Lease> {
    const { acquires } = this.#dispatch.numbers
    acquires.begun++
    try {
      const lease = await this.#wait(options, undefined, 0, trace)
      // Its connection may have died in the very turn that granted it: whoever acquires gets one that was alive in this turn.
      if (lease.rebinding !== undefined) await lease.rebinding
      if (lease.lostBy !== undefined) {
        this.#endLease(lease)
        throw withOutcome(lease.lostBy, 'not-sent')
      }
      acquires.succeeded++
      return lease
    } catch (error) {
      acquires.rejected(error, endedBy(options.signal, error))
      throw error
    }
  }

  /** @param since - When its time began to run. Default: now. */
  #wait(options: CallOptions, since?: number, moves = 0, trace?: CallTrace): Promise<Lease> {
    const priority = options.priority ?? 0
    return new Promise<Lease>((resolve, reject) => {
      const call = new Call(
        'lease',
        options.timeoutMs ?? this.#settings.acquireTimeoutMs,
        (slot: Slot) => resolve(this.#lend(slot, priority, moves)),
        reject,
      )
      call.priority = priority
      call.moves = moves
      call.trace = trace
      if (this.#dispatch.waits.begin(call, options.signal, since)) this.#dispatch.admit(call)
    })
  }

  tryAcquire(): Lease | undefined {
    if (this.#dispatch.closing) throw poolClosed(this.#settings.name, 'not-sent')
    const slot = this.#dispatch.books.tryLease(this.#world.now())
    this.#dispatch.act()
    return slot === undefined ? undefined : this.#lend(slot, 0, 0)
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
      requests.rejected(error, endedBy(options.signal, error))
      throw error
    }
  }

  /** Sends a request over a lease of its own, or over several, one after the other's connection has died. */
  async #overLeases(request: unknown, options: CallOptions, trace: CallTrace | undefined): Promise<unknown> {
    const { numbers } = this.#dispatch
    const since = this.#world.now()
    const whole = { ...options, timeoutMs: options.timeoutMs ?? this.#settings.requestTimeoutMs }
    const journey = new Journey(this.#dispatch.retries, options.idempotent === true)
    for (;;) {
      numbers.waitingAlone++
      const lease = await this.#wait(whole, since, journey.moves)
        .catch((error: unknown) => {
          const late = PoolError.is(error) && error.code === 'ACQUIRE_TIMEOUT'
          throw journey.told(late ? new PoolError('REQUEST_TIMEOUT', error.message, error) : error)
        })
        .finally(() => numbers.waitingAlone--)
      try {
        return await this.#request(lease, request, whole, trace, undefined, since)
      } catch (error) {
        journey.moves = lease.moves
        if (this.#dispatch.closing || !journey.goesOn(error)) throw journey.told(error)
      } finally {
        lease[Symbol.dispose]()
      }
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
    return new Promise((resolve, reject) => {
      const call = new Call('request', options.timeoutMs ?? this.#settings.requestTimeoutMs, resolve, reject, request, lease)
      call.trace = trace
      if (outcomes !== undefined) {
        call.outcomes = outcomes
        outcomes.begun++
      }
      if (lease.lostBy !== undefined) return call.reject(connectionLost('the connection of this lease has died', 'not-sent', lease.lostBy))
      if (!this.#dispatch.waits.begin(call, options.signal, since)) return
      if (lease.line === undefined) lease.waiting.push(call)
      else this.#send(lease.line, call)
    })
  }

  #send(line: Line, call: Call): void {
    this.#dispatch.books.use(line.slot)
    this.#dispatch.send(line, call)
  }

  release(lease: Lease, reusable: boolean): void {
    const { line } = lease
    this.#endLease(lease)
    if (line === undefined) return
    const { slot, stream } = line
    if (stream === undefined ? line.first !== undefined : !(reusable && stream.reusable && !lease.dirty)) {
      stream?.detach()
      return this.#dispatch.destroy(line, 'abort', connectionLost('the lease was released while its reply was owed', 'maybe-executed'))
    }
    const prove = stream !== undefined || lease.dirty
    stream?.detach()
    line.stream = undefined
    this.#dispatch.link(line).release(slot, prove)
    if (prove) this.#dispatch.books.reset(slot)
    else this.#dispatch.books.release(slot, this.#world.now())
    this.#dispatch.act()
  }

  destroy(lease: Lease, error: Error | undefined): void {
    const { line } = lease
    this.#endLease(lease)
    if (line === undefined) return
    const cause = connectionLost('the connection was destroyed by its holder', 'maybe-executed', error)
    line.stream?.lost(cause)
    this.#dispatch.destroy(line, 'error', cause)
  }

  /** Turns a lease's connection into a stream. */
  stream(lease: Lease): Duplex {
    const { line } = lease
    if (line === undefined) throw connectionLost('the connection of this lease has died', 'not-sent', lease.lostBy)
    if (line.stream !== undefined) throw new PoolError('LEASE_RELEASED', 'the stream of this lease was taken already')
    if (line.first !== undefined) throw new PoolError('BAD_REQUEST', 'a lease becomes a stream only while no reply is owed')
    line.stream = openStream(this.#dispatch.link(line), line, this.#settings.highWaterMark, (clean) =>
      this.#streamClosed(lease, line, clean),
    )
    return line.stream.duplex
  }

  /** Whether the request leaves its connection in need of a reset. */
  changes(request: unknown): boolean {
    return this.#language.changes(request)
  }

  connectionInfo(line: Line | undefined): ConnectionInfo {
    if (line === undefined) throw connectionLost('the connection of this lease has died', 'not-sent')
    return this.#dispatch.describe(line)
  }

  /** The stream of a lease is over. Unless both directions had ended, what is left of the connection goes. */
  #streamClosed(lease: Lease, line: Line, clean: boolean): void {
    if (!lease.released) this.#endLease(lease)
    if (!clean && this.#dispatch.links[line.slot.shard]?.line(line.slot) === line)
      this.#dispatch.destroy(line, 'abort', connectionLost('the stream was destroyed', 'maybe-executed'))
  }

  #lend(slot: Slot, priority: number, moves: number): Lease {
    const line = this.#dispatch.lineOf(slot)
    const lease = new Lease(this, line, this.#world.now(), priority)
    lease.moves = moves
    line.lease = lease
    line.begunBeforeLease = line.begun
    this.#dispatch.waits.hold()
    this.#dispatch.numbers.acquired++
    return lease
  }

  /** A lease is over. */
  #endLease(lease: Lease): void {
    const { line } = lease
    lease.end()
    if (line !== undefined) line.lease = undefined
    for (const call of lease.waiting.splice(0))
      if (!call.settled) this.#dispatch.waits.reject(call, connectionLost('the lease was released', 'not-sent'))
    this.#dispatch.numbers.used(this.#world.now() - lease.grantedAt)
    this.#dispatch.numbers.released++
    this.#dispatch.waits.letGo()
  }

  /** Gives a lease whose connection died before anything was sent another one, once and unseen. */
  rebind(lease: Lease, calls: readonly Call[]): void {
    let done = (): void => undefined
    const rebinding = new Promise<void>((resolve) => {
      done = resolve
    })
    lease.rebind(
      calls.filter((call) => !call.settled),
      rebinding,
    )
    const ticket = new Call(
      'lease',
      this.#settings.acquireTimeoutMs,
      (slot: Slot) => {
        done()
        const line = this.#dispatch.lineOf(slot)
        if (lease.released) return this.#dispatch.books.release(slot, this.#world.now())
        lease.bind(line)
        line.lease = lease
        line.begunBeforeLease = line.begun
        for (const call of lease.waiting.splice(0)) if (!call.settled) this.#send(line, call)
      },
      (cause) => {
        done()
        const error = connectionLost('the connection of this lease has died', 'not-sent', cause)
        lease.lost(error)
        for (const call of lease.waiting.splice(0)) if (!call.settled) this.#dispatch.waits.reject(call, error)
      },
    )
    ticket.priority = lease.priority
    ticket.moves = lease.moves
    if (this.#dispatch.waits.begin(ticket, undefined)) this.#dispatch.admit(ticket)
  }
}

/** Whether it was the caller's own signal that ended a call. */
function endedBy(signal: AbortSignal | undefined, error: unknown): boolean {
  return signal?.aborted === true && error === signal.reason
}
