/** Handlers: each begins when its EXECUTE frame and its call of the control plane have both come, in whichever order. */
import { serialize } from 'node:v8'
import { Clients } from './clients.ts'
import type { HandlerContext } from './define.ts'
import { encodeError, PoolError, type PoolErrorCode } from './errors.ts'
import { Kind } from './frame.ts'
import { Framed } from './framed.ts'
import { forgivable } from './hooks.ts'
import { tellKeepAlive } from './keep-alive.ts'
import type { Handler, LoadedModules } from './load.ts'
import type { Settled } from './messages.ts'
import type { Slot } from './slot.ts'
import { notCloneable } from './uncloneable.ts'

interface ControlCall {
  readonly name: string
  readonly input: unknown
  resolve(result: Settled<unknown>): void
}

/** One handler on its way. */
export class Run {
  readonly callId: number
  readonly #runs: Runs
  slot: Slot | undefined = undefined
  call: ControlCall | undefined = undefined
  /** Why it will never begin. */
  refused: PoolError | undefined = undefined
  #admitted = false
  #begun = false
  #over = false
  readonly #abort: AbortController = new AbortController()

  constructor(runs: Runs, callId: number) {
    this.#runs = runs
    this.callId = callId
  }

  /**
   * The caller has gone. One that has not begun never does.
   * @param uncalled - The control plane's call will not come: its input could not be cloned.
   */
  cancel(uncalled = false): void {
    if (this.#begun) this.#abort.abort()
    else this.refuse(failure('HANDLER_FAILED', 'the handler was cancelled before it began', undefined, true))
    if (uncalled) this.#runs.delete(this)
  }

  /** The connection is lost; a running handler meets that in its requests. */
  connectionLost(): void {
    if (!this.#begun) this.refuse(failure('CONNECTION_LOST', 'the connection was lost before the handler began', undefined, true))
  }

  /** It never begins: says so to both sides, each when it has come. */
  refuse(error: PoolError): void {
    if (this.#begun || this.refused !== undefined) return
    this.refused = error
    const { slot } = this
    this.slot = undefined
    slot?.runEnded(this.callId)
    this.proceed()
  }

  /** A poll phase has passed since EXECUTE was seen: had the peer ended the idle connection, that would be known by now. */
  admit(): void {
    this.#admitted = true
    this.proceed()
  }

  /** Does what can be done with what has come so far. */
  proceed(): void {
    const { call, slot, refused } = this
    if (this.#begun || call === undefined) return
    if (refused !== undefined) {
      this.#runs.delete(this)
      return call.resolve({ ok: false, error: encodeError(refused) })
    }
    if (slot === undefined || !this.#admitted) return
    const handler = this.#runs.modules.handlers.get(call.name)
    if (handler === undefined) return this.refuse(failure('BAD_REQUEST', `there is no handler '${call.name}'`, undefined, true))
    this.#begun = true
    void this.#run(slot, call, handler) // it catches all that a handler throws; what we throw is for all to see
  }

  async #run(slot: Slot, call: ControlCall, handler: Handler): Promise<void> {
    let result: Settled<unknown>
    try {
      result = { ok: true, value: await handler(call.input, this.#context(slot)) }
    } catch (thrown) {
      const message = thrown instanceof Error ? thrown.message : String(thrown)
      result = { ok: false, error: encodeError(failure('HANDLER_FAILED', `the handler '${call.name}' failed: ${message}`, thrown)) }
    }
    this.#over = true
    this.#runs.delete(this)
    this.#runs.around(() => slot.runEnded(this.callId), true) // the result, which follows, wakes the other side
    call.resolve(result)
  }

  #context(slot: Slot): HandlerContext<unknown, unknown, unknown> {
    const { protocol } = this.#runs.modules
    const { signal } = this.#abort
    const request = (value: unknown): Promise<unknown> =>
      forgivable(
        this.#over ? Promise.reject(failure('LEASE_RELEASED', 'the handler has ended', undefined, true)) : this.#request(slot, value),
      )
    return Object.freeze({
      connection: Object.freeze({ request, keepAlive: (ms: number) => this.#keepAlive(slot, ms) }),
      client: slot.side instanceof Clients ? slot.side.client : undefined,
      signal,
      options: protocol.options,
      progress: (value: unknown) => this.#progress(slot, value),
    })
  }

  async #request(slot: Slot, request: unknown): Promise<unknown> {
    const { side } = slot
    if (side instanceof Clients) return side.execute(request, this.#abort.signal)
    if (!(side instanceof Framed)) throw failure('BAD_REQUEST', 'this connection takes no requests', undefined, true)
    const { protocol } = this.#runs.modules
    if (protocol.form === 'codec' && protocol.definition.scope?.(request) === 'lease') side.dirty = true
    return new Promise((resolve, reject) => side.ask({ request, resolve, reject }))
  }

  #keepAlive(slot: Slot, ms: number): void {
    if (this.#over) throw failure('LEASE_RELEASED', 'the handler has ended', undefined, true)
    this.#runs.around(() => tellKeepAlive(slot, ms))
  }

  #progress(slot: Slot, value: unknown): void {
    if (this.#over) return
    let bytes: Buffer
    try {
      bytes = serialize(value)
    } catch (cause) {
      throw notCloneable('what progress() was given', cause, 'handler', 'maybe-executed')
    }
    this.#runs.around(() => slot.send(Kind.PROGRESS, 0, this.callId, bytes))
  }
}

/** The handlers of one link. */
export class Runs {
  readonly modules: LoadedModules
  /** Publishes what `action` sends; `quiet`: a message of the control plane follows at once, and wakes the other side. */
  readonly around: (action: () => void, quiet?: boolean) => void
  readonly #runs = new Map<number, Run>()

  constructor(modules: LoadedModules, around: (action: () => void, quiet?: boolean) => void) {
    this.modules = modules
    this.around = around
  }

  /** Whether a handler runs, or is about to. */
  get any(): boolean {
    return this.#runs.size > 0
  }

  /** The EXECUTE frame has come. */
  framed(callId: number, slot: Slot): void {
    const run = this.#run(callId)
    if (!slot.usable || slot.run !== undefined)
      return run.refuse(failure('CONNECTION_LOST', 'the connection is not free for a handler', undefined, true))
    run.slot = slot
    slot.run = run
    const { world } = slot
    world.immediate(() => world.immediate(() => this.around(() => run.admit())))
  }

  /** The EXECUTE frame has come, for a connection that is gone. */
  refused(callId: number): void {
    this.#run(callId).refuse(failure('CONNECTION_LOST', 'the connection was lost before the handler began', undefined, true))
  }

  /** The control plane's call has come. */
  called(callId: number, name: string, input: unknown): Promise<Settled<unknown>> {
    return new Promise((resolve) => {
      const run = this.#run(callId)
      run.call = { name, input, resolve }
      this.around(() => run.proceed())
    })
  }

  delete(run: Run): void {
    this.#runs.delete(run.callId)
  }

  #run(callId: number): Run {
    const known = this.#runs.get(callId)
    if (known !== undefined) return known
    const run = new Run(this, callId)
    this.#runs.set(callId, run)
    return run
  }
}

function failure(code: PoolErrorCode, message: string, cause?: unknown, notSent = false): PoolError {
  return new PoolError(code, message, { phase: 'handler', outcome: notSent ? 'not-sent' : 'maybe-executed', cause })
}
