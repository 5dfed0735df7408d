/**
 * The coordinator: the only owner of the books. It takes one message after another, from callers, shards and the clock,
 * lets the books decide, and carries out their effects.
 */
import { type Cancel, type CloseReason, decodeError, type LostInfo, PoolError, unreachable, type World } from '@cenote/pool-worker'
import type { CallOptions } from './call-options.ts'
import { Call } from './calls.ts'
import { Clock, timesMatter } from './clock.ts'
import { Dispatch } from './dispatch.ts'
import { isFault } from './endpoints.ts'
import { Handling } from './handling.ts'
import type { ShardHost } from './host.ts'
import type { LinkMailbox } from './incoming.ts'
import type { Language } from './language.ts'
import { Leasing } from './leasing.ts'
import type { Buffered, Line } from './line.ts'
import { Link } from './link.ts'
import { type Settings, sendWindow } from './options.ts'
import { Overview } from './overview.ts'
import { Pulse } from './pulse.ts'
import { answeredTooLate, connectionLost, poolClosed, ranTooLong, waitedTooLong, withOutcome } from './refusals.ts'
import type { ShardEvent } from './shards.ts'
import { Numbers } from './stats.ts'
import { follow, observed, requestChannel } from './telemetry/channels.ts'
import { connectOver } from './telemetry/connects.ts'
import type { Events } from './telemetry/events.ts'
import { withoutData } from './telemetry/redact.ts'
import type { CallTrace } from './telemetry/traces.ts'
import { Upkeep } from './upkeep.ts'
import { Waits } from './waits.ts'

/** The longest time of a timer: one that only keeps the process alive. */
const VIGIL_MS = 2 ** 31 - 1

export class Coordinator implements LinkMailbox {
  /** Lends connections. */
  readonly leasing: Leasing
  /** Runs the user's handlers. */
  readonly handling: Handling
  /** What the pool's owner does to it. */
  readonly upkeep: Upkeep
  /** What can be seen of it. */
  readonly overview: Overview
  readonly #numbers: Numbers = new Numbers()
  readonly #events: Events
  readonly #settings: Settings
  readonly #world: Clock
  readonly #language: Language
  readonly #waits: Waits
  readonly #dispatch: Dispatch
  readonly #pulse: Pulse
  readonly #buffered: Buffered
  readonly #sendWindow: number
  #vigil: Cancel | undefined = undefined
  #over = false

  constructor(settings: Settings, outside: World, language: Language, events: Events) {
    const world = new Clock(outside, timesMatter(settings, language))
    this.#settings = settings
    this.#world = world
    this.#language = language
    this.#events = events
    this.#buffered = { bytes: 0, max: settings.maxBufferedBytes }
    this.#sendWindow = sendWindow(settings)
    const catchUp = (): void => {
      for (const link of this.#dispatch.links) link?.drain(Number.MAX_SAFE_INTEGER)
      this.#pulse.look()
    }
    this.#waits = new Waits(world, this.#expired, catchUp, this.#aborted, () => this.#setRefs())
    this.#dispatch = new Dispatch(settings, world, language, this.#waits, this.#numbers, events)
    this.#pulse = new Pulse(settings, world, this.#dispatch, language.hasProbe && settings.heartbeatMs < Number.POSITIVE_INFINITY)
    this.leasing = new Leasing(settings, world, language, this.#dispatch)
    this.handling = new Handling(settings, world, this.#dispatch)
    this.upkeep = new Upkeep(settings, world, this.#dispatch)
    this.overview = new Overview(settings, world, this.#dispatch, this.#buffered)
  }

  /** Every invariant of the books that does not hold: for tests. */
  check(): string[] {
    return this.#dispatch.books.check()
  }

  // What callers ask.

  /** A place on a shared connection, and the reply. */
  request(request: unknown, options: CallOptions): Promise<unknown> {
    const timeoutMs = options.timeoutMs ?? this.#settings.requestTimeoutMs
    if (!observed(requestChannel)) return this.#request(request, options, timeoutMs, undefined)
    const trace = this.#dispatch.traces.request(timeoutMs, options.priority)
    return follow(requestChannel, trace, () => this.#request(request, options, timeoutMs, trace))
  }

  #request(request: unknown, options: CallOptions, timeoutMs: number, trace: CallTrace | undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call = new Call('request', timeoutMs, resolve, reject, request, undefined, options.idempotent)
      call.trace = trace
      call.priority = options.priority ?? 0
      call.outcomes = this.#numbers.requests
      call.outcomes.begun++
      const now = this.#world.now()
      if (this.#waits.begin(call, options.signal, now)) this.#dispatch.enter(call, now)
    })
  }

  /** Refuses what comes, rejects who waits, lets what was granted finish until `timeoutMs`. Returns the milliseconds that are left. */
  async drain(timeoutMs: number): Promise<number> {
    const until = this.#world.now() + timeoutMs
    this.#dispatch.retire()
    this.upkeep.refuseReady()
    await this.#waits.none(timeoutMs)
    return until - this.#world.now()
  }

  /** Ends everything that is left. Nothing fires afterwards. */
  end(): void {
    this.#over = true
    const { links } = this.#dispatch
    const error = poolClosed(this.#settings.name, 'maybe-executed')
    for (const link of links) {
      if (link === undefined) continue
      this.#abandon(link, 'shutdown', error)
      this.#dispatch.books.suspendShard(link.shard, this.#world.now())
    }
    links.length = 0
    this.#setRefs()
    this.leasing.stop()
    this.#dispatch.stop()
    this.#pulse.stop()
  }

  /** The shards have stopped, and no connection is left. */
  gone(): void {
    const { books } = this.#dispatch
    for (const { shard } of books.counts().perShard) books.removeShard(shard, this.#world.now())
    this.overview.closed()
  }

  // What shards tell.

  /** Takes what the shards have told while they started: all are there before the first connection opens, so each gets its share. */
  begin(events: readonly ShardEvent[]): void {
    this.#dispatch.endpoints.start()
    for (const event of events) this.#take(event)
    this.#refill()
  }

  readonly onShard = (event: ShardEvent): void => {
    if (this.#over) return
    this.#take(event)
    this.#refill()
  }

  opened(line: Line, microseconds: number): void {
    const now = this.#world.now()
    line.openedAt = Math.round(performance.timeOrigin + now)
    connectOver(line, undefined)
    this.#numbers.opened(line.slot, microseconds)
    this.#events.emit('connectionOpened', () => ({ connection: this.#dispatch.describe(line), connectMs: microseconds / 1000 }))
    this.#dispatch.connected(line.slot)
    this.upkeep.checkReady()
  }

  freed(line: Line, answered?: Call): void {
    const { slot } = line
    if (answered !== undefined) this.#dispatch.endpoints.replied(line.site, answered)
    if (slot.state !== 'shared') return
    const stuck = line.first?.settled === true
    if (stuck !== slot.blocked) this.#dispatch.books.block(slot, stuck)
    this.#dispatch.books.finish(slot, this.#world.justNow())
    this.#dispatch.act()
  }

  done(line: Line, clean: boolean): void {
    if (clean) this.#dispatch.endpoints.served(line.site)
    this.handling.done(line, clean)
  }

  idle(line: Line): void {
    this.#dispatch.endpoints.served(line.site)
    this.#dispatch.books.ready(line.slot, this.#world.now())
    this.#dispatch.act()
  }

  lost(line: Line, info: LostInfo, written: number): void {
    const { slot } = line
    const cause = info.error === undefined ? undefined : decodeError(info.error)
    const calls = this.#dispatch.link(line).dissolve(line)
    if (line.openedAt === 0) {
      const failure = new PoolError('CONNECT_FAILED', 'the connection did not come', { phase: 'connect', cause })
      const error = PoolError.is(cause) ? cause : failure
      connectOver(line, info.times, error)
      return this.#dispatch.connectFailed(slot, error, true)
    }
    const fault = isFault(line, calls, info.reason, cause)
    this.#ended(line, line.closing ?? info.reason, PoolError.is(cause) ? cause : undefined)
    this.handling.ended(line) // one that waits still: of a handler that has begun, DONE came before
    this.#dispatch.lost(slot, info.reason, cause)
    if (fault) this.#dispatch.endpoints.failed(line.site, 'reply')
    this.#bereave(line, calls, info.reason, cause, written)
    this.#refill()
  }

  closed(line: Line): void {
    this.#dispatch.link(line).dissolve(line)
    this.#ended(line, line.closing ?? 'error')
    this.handling.ended(line) // its DONE would come too late
    this.#dispatch.books.gone(line.slot, this.#world.now())
    this.#refill()
  }

  kept(line: Line, ms: number): void {
    this.#dispatch.books.keepAlive(line.slot, ms, this.#world.now())
    if (ms < Number.POSITIVE_INFINITY) this.#dispatch.sweepWithin(ms)
  }

  broken(line: Line, error: PoolError, reason: CloseReason = 'error'): void {
    line.lease?.lost(error)
    const lost = connectionLost(`the connection was given up: ${error.code}`, 'maybe-executed', withoutData(error)) // others hear it
    this.#dispatch.destroy(line, reason, lost)
    if (error.code === 'PROTOCOL_ERROR') this.#dispatch.endpoints.failed(line.site, 'reply')
  }

  // Shards come and go.

  #take(event: ShardEvent): void {
    switch (event.type) {
      case 'started':
        return this.#started(event.shard, event.host)
      case 'lost':
        return this.#shardLost(event.shard, event.error)
      case 'gone':
        return this.#dispatch.books.removeShard(event.shard, this.#world.now())
      default:
        return unreachable(event)
    }
  }

  #refill(): void {
    this.#dispatch.refill()
    this.#dispatch.act()
  }

  #started(shard: number, host: ShardHost): void {
    const link = new Link(host, shard, this.#world, this.#language, this, this.#buffered, this.#sendWindow, this.#waits.settle)
    this.#dispatch.links[shard] = link
    this.#pulse.started(link)
    this.#setRefs()
    this.#dispatch.books.addShard(shard)
    this.#dispatch.flight.started(shard, host.memory.recorder)
    this.#events.emit('shardStarted', () => ({ shard }))
  }

  #shardLost(shard: number, error: PoolError): void {
    const link = this.#dispatch.links[shard]
    if (link === undefined) return
    while (link.drain(Number.MAX_SAFE_INTEGER)); // what it published before it died counts
    this.#dispatch.links[shard] = undefined
    this.#pulse.ended(shard)
    this.#numbers.shardsLost++
    this.#dispatch.flight.lost(shard)
    this.#events.emit('shardLost', () => ({ shard, error }))
    this.#dispatch.books.suspendShard(shard, this.#world.now())
    this.#abandon(link, 'shard-lost', error)
    this.#setRefs()
    this.#dispatch.act()
  }

  /** Settles all that a link still owes. */
  #abandon(link: Link, reason: CloseReason, error: PoolError): void {
    link.end()
    const unsent = withOutcome(error, 'not-sent')
    for (const line of [...link.lines()]) {
      const { lease, stream } = line
      this.#ended(line, line.closing ?? reason, error)
      for (const call of link.dissolve(line)) this.#fail(call, call.ordinal < 0 ? unsent : error)
      stream?.lost(error)
      lease?.lost(error)
    }
    for (const run of link.runs) this.#fail(run.call, error)
  }

  /** A connection has ended: counts it, if it was ever open. */
  #ended(line: Line, reason: CloseReason, error?: PoolError): void {
    if (line.openedAt === 0) return connectOver(line, undefined, error ?? connectionLost(`the connect was given up: ${reason}`, 'not-sent'))
    line.site.counters.closed++
    this.#numbers.closed(reason)
    this.#events.emit('connectionClosed', () => ({ connection: this.#dispatch.describe(line), reason, error }))
  }

  #fail(call: Call, error: PoolError): void {
    if (!call.settled) this.#waits.reject(call, error)
  }

  /** Keeps the process alive for those who wait: through the shards, or a timer while none lives. */
  #setRefs(): void {
    const on = !this.#over && (this.#waits.refed || !this.#settings.allowExitOnIdle)
    let live = false
    this.#pulse.keep(!this.#over && this.#waits.refed)
    for (const link of this.#dispatch.links) {
      link?.host.setRef(on)
      live ||= link !== undefined
    }
    if (on && !live) this.#vigil ??= this.#world.timer(VIGIL_MS, true, () => undefined)
    else {
      this.#vigil?.()
      this.#vigil = undefined
    }
  }

  // Deciding and acting.

  /** Tells those whose connection has gone. If the oldest call was sent, it went wrong with that; all others lost it thereby. */
  #bereave(
    { lease, stream, begunBeforeLease }: Line,
    calls: readonly Call[],
    reason: CloseReason,
    cause: Error | undefined,
    written: number,
  ): void {
    const error = PoolError.is(cause) ? cause : connectionLost(`the connection has ended: ${reason}`, 'maybe-executed', cause)
    if (stream !== undefined) {
      const over = reason === 'peer-end' && stream.over
      stream.lost(over ? undefined : error)
      return over ? undefined : lease?.lost(error)
    }
    if (lease !== undefined && !lease.rebound && written <= begunBeforeLease && this.#dispatch.retries.allow(lease.moves))
      return this.leasing.rebind(lease, calls)
    lease?.lost(error)
    const others = PoolError.is(cause)
      ? connectionLost('the connection has ended by no fault of this call', 'maybe-executed', withoutData(cause))
      : error
    const [culprit] = calls
    for (const call of calls) {
      const unsent = call.ordinal < 0 || call.ordinal >= written
      this.#elsewhere(call, unsent, call === culprit && !unsent ? error : others)
    }
  }

  /** A call's connection has gone: on to another, if nothing of it was sent or it may be sent again; else it fails. */
  #elsewhere(call: Call, unsent: boolean, error: PoolError): void {
    if (call.settled) return
    const may = call.lease === undefined && (unsent || call.idempotent) && !this.#dispatch.closing
    if (may && this.#dispatch.retries.allow(call.moves)) {
      call.moves++
      this.#dispatch.flight.caller('moved', undefined, call.moves)
      call.sentBefore ||= !unsent
      return this.#dispatch.admit(call)
    }
    this.#waits.reject(call, unsent ? withOutcome(error, 'not-sent') : error)
  }

  // Time and abort.

  readonly #expired = (call: Call): void => {
    const { run, lease } = call
    const { present } = this.#dispatch
    this.#dispatch.flight.caller('expired', call.slot, call.timeoutMs)
    const stall = this.#pulse.stall((call.slot ?? run?.line?.slot)?.shard)
    if (this.upkeep.dropReady(call)) return this.#waits.reject(call, waitedTooLong(call, present, stall, 'connect'))
    this.#numbers.timedOut((run?.line?.slot ?? call.slot) === undefined)
    if (run !== undefined) {
      const error = run.line === undefined ? waitedTooLong(call, present, stall) : ranTooLong(call, run.name, present, stall)
      return this.handling.drop(run, error)
    }
    if (call.queued) {
      const error = waitedTooLong(call, present, stall) // it tells of its place in the queue
      this.#dispatch.books.cancel([call], this.#world.now())
      this.#waits.reject(call, error)
    } else if (lease !== undefined && call.slot === undefined) {
      // the lease is given another connection
      this.#waits.reject(call, waitedTooLong(call, present, stall, present.phase(undefined)))
    } else {
      const site = call.slot?.site
      const outcome = this.#dispatch.drop(call)
      const error = answeredTooLate(call, outcome, present, stall)
      this.#waits.reject(call, error)
      if (site !== undefined && outcome !== 'not-sent' && error.stalled === undefined) this.#dispatch.endpoints.failed(site, 'reply')
    }
    this.#dispatch.act()
  }

  /** A signal was aborted. First all of its calls leave the queue, so that none is served in the place of another. */
  readonly #aborted = (calls: readonly Call[], reason: unknown): void => {
    this.#dispatch.books.cancel(
      calls.map((call) => call.run?.ticket ?? call),
      this.#world.now(),
    )
    for (const call of calls) this.#abort(call, reason)
    this.#dispatch.act()
  }

  #abort(call: Call, reason: unknown): void {
    call.aborted()
    this.#dispatch.flight.caller('aborted', call.slot, 0)
    if (call.run !== undefined) return this.handling.drop(call.run, reason)
    if (!this.upkeep.dropReady(call)) this.#dispatch.drop(call)
    this.#waits.reject(call, reason)
  }
}
