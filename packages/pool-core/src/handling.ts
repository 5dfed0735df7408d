/** Handlers of the user's: a connection is granted to each, its input goes to the shard, its result comes back. */
import type { World } from '@cenote/pool-worker'
import type { Slot } from './books/slots.ts'
import type { CallOptions } from './call-options.ts'
import { Call } from './calls.ts'
import type { Dispatch } from './dispatch.ts'
import type { Line } from './line.ts'
import type { Settings } from './options.ts'
import { Run } from './runs.ts'
import { follow, handlerChannel, observed } from './telemetry/channels.ts'
import type { CallTrace } from './telemetry/traces.ts'

export class Handling {
  readonly #settings: Settings
  readonly #world: World
  readonly #dispatch: Dispatch

  constructor(settings: Settings, world: World, dispatch: Dispatch) {
    this.#settings = settings
    this.#world = world
    this.#dispatch = dispatch
  }

  handle(name: string, input: unknown, options: CallOptions): Promise<unknown> {
    const timeoutMs = options.timeoutMs ?? this.#settings.handlerTimeoutMs
    if (!observed(handlerChannel)) return this.#handle(name, input, options, timeoutMs, undefined)
    const trace = this.#dispatch.traces.handler(name, timeoutMs, options.priority)
    return follow(handlerChannel, trace, () => this.#handle(name, input, options, timeoutMs, trace))
  }

  #handle(name: string, input: unknown, options: CallOptions, timeoutMs: number, trace: CallTrace | undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call = new Call('lease', timeoutMs, resolve, reject)
      call.trace = trace
      const run = new Run(call, name, input, options.onProgress, this.#world.now())
      call.run = run
      call.priority = options.priority ?? 0
      call.outcomes = this.#dispatch.numbers.handlers
      call.outcomes.begun++
      if (this.#dispatch.waits.begin(call, options.signal)) this.#seek(run)
    })
  }

  /** Waits for a connection of the handler's own. */
  #seek(run: Run): void {
    const { waits } = this.#dispatch
    const ticket = new Call(
      'lease',
      this.#settings.acquireTimeoutMs,
      (slot: Slot) => this.#begin(run, slot),
      (error) => {
        if (!run.call.settled) waits.reject(run.call, error)
      },
    )
    run.ticket = ticket
    ticket.moves = run.call.moves
    ticket.trace = run.call.trace
    ticket.priority = run.call.priority
    if (waits.begin(ticket, undefined, run.since)) this.#dispatch.enter(ticket, this.#world.now())
  }

  done(line: Line, clean: boolean): void {
    if (!this.ended(line)) return
    const { slot } = line
    if (clean) this.#dispatch.books.release(slot, this.#world.now())
    else this.#dispatch.books.reset(slot, this.#world.now())
    this.#dispatch.act()
  }

  /** The handler of a connection has ended, or never begins there: its result is still to come, or was the first to come. */
  ended(line: Line): boolean {
    const { run, slot } = line
    if (run === undefined) return false
    line.run = undefined
    this.#dispatch.books.markHandler(slot, false)
    this.#dispatch.numbers.used(this.#world.now() - run.startedAt)
    if (run.ended()) this.settled(run)
    return true
  }

  /** Runs a handler on the connection that was granted for it. */
  #begin(run: Run, slot: Slot): void {
    const line = this.#dispatch.lineOf(slot)
    const link = this.#dispatch.link(line)
    line.run = run
    run.line = line
    run.link = link
    run.startedAt = this.#world.now()
    this.#dispatch.books.markHandler(slot, true)
    try {
      link.execute(slot, run)
    } catch (error) {
      this.#dispatch.waits.reject(run.call, error)
      this.done(line, true)
    }
  }

  /** Its result is there, and its connection is somebody else's again. */
  settled(run: Run): void {
    run.link?.runs.remove(run.id)
    if (run.call.settled) return
    if (run.movable && this.#dispatch.retries.allow(run.call.moves)) {
      run.moveOn()
      return this.#seek(run)
    }
    this.#dispatch.waits.settle(run.call)
    run.settle()
  }

  /** The caller of a handler has gone; the connection stays the handler's until it ends. */
  drop(run: Run, reason: unknown): void {
    this.#dispatch.waits.reject(run.call, reason)
    const { line, ticket } = run
    if (line?.run === run) this.#dispatch.links[line.slot.shard]?.cancelRun(line.slot, run.id)
    else if (ticket?.settled === false) {
      this.#dispatch.books.cancel([ticket], this.#world.now())
      this.#dispatch.waits.reject(ticket, reason)
      this.#dispatch.act()
    }
  }
}
