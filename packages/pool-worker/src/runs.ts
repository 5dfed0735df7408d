/** Handlers: each begins when its EXECUTE frame has come, and, if they are not in it, its name and input beside it, in whichever order. */
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
import { Pace } from './pace.ts'
import type { InputParcel, Parcels, ResultParcel } from './parcels.ts'
import { isPlain, packPlain } from './plain.ts'
import type { Slot } from './slot.ts'
import { transferOf } from './transfer.ts'
import { notCloneable } from './uncloneable.ts'
import type { Flushable, Writes } from './writes.ts'

/** What a handler is called with. */
interface Order {
  readonly name: string
  readonly input: unknown
}

/** One handler on its way. */
export class Run implements Flushable {
  readonly callId: number
  /** Of the batch that waits for a poll phase. */
  scheduled = false
  notBefore = 0
  readonly #runs: Runs
  slot: Slot | undefined = undefined
  order: Order | undefined = undefined
  /** Why it will never begin. */
  refused: PoolError | undefined = undefined
  #admitted = false
  #begun = false
  #over = false
  #aborted = false
  #abort: AbortController | undefined = undefined

  constructor(runs: Runs, callId: number) {
    this.#runs = runs
    this.callId = callId
  }

  /** The caller has gone. One that has not begun never does. */
  cancel(): void {
    if (!this.#begun) return this.refuse(failure('HANDLER_FAILED', 'the handler was cancelled before it began', undefined, true))
    this.#aborted = true
    this.#abort?.abort()
  }

  /** The connection is lost; a running handler meets that in its requests. */
  connectionLost(): void {
    if (!this.#begun) this.refuse(failure('CONNECTION_LOST', 'the connection was lost before the handler began', undefined, true))
  }

  /** It never begins: says so to both sides, each when it has come. */
  refuse(error: PoolError): void {
    if (this.#begun || this.refused !== undefined) return
    this.refused = error
    this.#runs.left(this.#admitted)
    const { slot } = this
    this.slot = undefined
    slot?.runEnded(this.callId)
    this.proceed()
  }

  /** A poll phase has passed since EXECUTE was seen: had the peer ended the idle connection, that would be known by now. */
  flush(): void {
    this.#admitted = true
    if (this.refused === undefined) this.#runs.admitted++
    this.#runs.around(() => this.proceed())
  }

  /** Does what can be done with what has come so far. */
  proceed(): void {
    const { order, slot, refused } = this
    if (this.#begun || this.#over || order === undefined) return
    if (refused !== undefined) {
      this.#over = true
      this.#runs.delete(this)
      return this.#runs.answer(this.callId, { ok: false, error: encodeError(refused) })
    }
    if (slot === undefined || !this.#admitted) return
    const handler = this.#runs.modules.handlers.get(order.name)
    if (handler === undefined) return this.refuse(failure('BAD_REQUEST', `there is no handler '${order.name}'`, undefined, true))
    this.#begun = true
    this.#run(slot, order, handler)
  }

  /** A value that is no promise is sent at once: others who begin in this turn may change it. */
  #run(slot: Slot, { name, input }: Order, handler: Handler): void {
    const good = (value: unknown): void => this.#end(slot, { ok: true, value })
    const bad = (thrown: unknown): void => {
      const { message } = encodeError(thrown) // whatever was thrown: reading it may throw again
      const error = encodeError(failure('HANDLER_FAILED', `the handler '${name}' failed: ${message}`, thrown))
      this.#end(slot, { ok: false, error })
    }
    let value: unknown
    this.#runs.pace.begun(slot.world.now())
    try {
      value = handler(input, this.#context(slot))
      if (isThenable(value)) return void Promise.resolve(value).then(good, bad)
    } catch (thrown) {
      return bad(thrown)
    }
    good(value)
  }

  #end(slot: Slot, result: Settled<unknown>): void {
    this.#over = true
    this.#runs.pace.ended(slot.world.now())
    this.#runs.left(true)
    this.#runs.delete(this)
    const whole = this.#runs.whole(slot, result)
    if (whole === undefined) this.#runs.answer(this.callId, result)
    this.#runs.around(() => slot.runEnded(this.callId, whole))
  }

  #context(slot: Slot): HandlerContext<unknown, unknown, unknown> {
    const { protocol } = this.#runs.modules
    const signal = (): AbortSignal => this.#signal
    return Object.freeze({
      connection: Object.freeze({
        request: (value: unknown) => forgivable(new Promise((resolve, reject) => this.#request(slot, value, resolve, reject))),
        keepAlive: (ms: number) => this.#keepAlive(slot, ms),
      }),
      client: slot.side instanceof Clients ? slot.side.client : undefined,
      get signal() {
        return signal()
      },
      options: protocol.options,
      progress: (value: unknown) => this.#progress(slot, value),
    })
  }

  /** Made when it is first asked for: it costs more than all the rest of a call, and few handlers look at it. */
  get #signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.#aborted) this.#abort.abort()
    }
    return this.#abort.signal
  }

  #request(slot: Slot, request: unknown, resolve: (reply: unknown) => void, reject: (error: unknown) => void): void {
    if (this.#over) throw failure('LEASE_RELEASED', 'the handler has ended', undefined, true)
    const { side } = slot
    if (side instanceof Clients) {
      resolve(side.execute(request, this.#signal))
      return this.#runs.tellLate(slot.world.now())
    }
    if (!(side instanceof Framed)) throw failure('BAD_REQUEST', 'this connection takes no requests', undefined, true)
    const { protocol } = this.#runs.modules
    if (protocol.form === 'codec' && protocol.definition.scope?.(request) === 'lease') side.dirty = true
    const { pace } = this.#runs
    const answered = (reply: unknown): void => {
      pace.begun(slot.world.now())
      resolve(reply)
    }
    side.ask({ request, resolve: answered, reject })
    const now = slot.world.now()
    pace.ended(now)
    this.#runs.tellLate(now)
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
  /** Publishes what `action` sends. */
  readonly around: (action: () => void) => void
  readonly pace: Pace = new Pace()
  /** How many of the live ones may have the thread at any time: the others begin at the end of a turn. */
  admitted = 0
  readonly #tell: () => void
  readonly #parcels: Parcels<ResultParcel, InputParcel>
  readonly #writes: Writes
  readonly #maxPayload: number
  /** Those of which a half is to come, or whose half came beside the ring. */
  readonly #runs = new Map<number, Run>()
  #live = 0

  /**
   * @param tell - Tells the caller's side of all that is there.
   * @param maxPayload - Of one frame.
   */
  constructor(
    modules: LoadedModules,
    around: (action: () => void) => void,
    tell: () => void,
    parcels: Parcels<ResultParcel, InputParcel>,
    writes: Writes,
    maxPayload: number,
  ) {
    this.modules = modules
    this.around = around
    this.#tell = tell
    this.#parcels = parcels
    this.#writes = writes
    this.#maxPayload = maxPayload
    parcels.listen(({ callId, name, input }) => this.#ordered(this.#run(callId), { name, input }))
  }

  /** How many handlers run, or are about to. */
  get live(): number {
    return this.#live
  }

  /** The EXECUTE frame has come, with the order if that is all of it. */
  framed(callId: number, slot: Slot, order: unknown): void {
    const run = this.#framed(callId, order)
    if (!slot.usable || slot.run !== undefined)
      return run.refuse(failure('CONNECTION_LOST', 'the connection is not free for a handler', undefined, true))
    run.slot = slot
    slot.run = run
    this.#writes.schedule(run, true)
  }

  /** The EXECUTE frame has come, for a connection that is gone. */
  refused(callId: number, order: unknown): void {
    this.#framed(callId, order).refuse(failure('CONNECTION_LOST', 'the connection was lost before the handler began', undefined, true))
  }

  /** Sends a result beside the ring. One that cannot be cloned has an error sent in its place. */
  answer(callId: number, result: Settled<unknown>): void {
    try {
      this.#parcels.post({ callId, result }, result.ok ? transferOf(result.value) : [])
    } catch (cause) {
      const error = encodeError(notCloneable("the handler's result", cause, 'handler', 'executed'))
      this.#parcels.post({ callId, result: { ok: false, error } }, [])
    }
  }

  /** A result as the payload of its DONE frame; undefined: it goes beside the ring. */
  whole(slot: Slot, result: Settled<unknown>): Buffer | undefined {
    if (!result.ok || !slot.heard) return undefined
    try {
      const bytes = isPlain(result.value) ? packPlain(result.value) : undefined
      return bytes !== undefined && bytes.length <= this.#maxPayload ? bytes : undefined
    } catch {
      return undefined // it cannot be read: `answer` meets that too, and says so
    }
  }

  /** A handler gives the thread back and goes on later: what has waited for too long is told. */
  tellLate(now: number): void {
    if (this.pace.late(now)) this.#tell()
  }

  /** A handler has ended, or will never begin. */
  left(admitted: boolean): void {
    this.#live--
    if (admitted) this.admitted--
  }

  delete(run: Run): void {
    this.#runs.delete(run.callId)
  }

  #framed(callId: number, order: unknown): Run {
    if (order === undefined) return this.#run(callId)
    const run = this.#make(callId)
    const [name, input] = order as readonly [string, unknown] // written by our own other side
    run.order = { name, input }
    return run
  }

  #ordered(run: Run, order: Order): void {
    run.order = order
    this.around(() => run.proceed())
  }

  #make(callId: number): Run {
    this.#live++
    return new Run(this, callId)
  }

  #run(callId: number): Run {
    const known = this.#runs.get(callId)
    if (known !== undefined) return known
    const run = this.#make(callId)
    this.#runs.set(callId, run)
    return run
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  const able = (typeof value === 'object' && value !== null) || typeof value === 'function'
  return able && 'then' in value && typeof value.then === 'function'
}

function failure(code: PoolErrorCode, message: string, cause?: unknown, notSent = false): PoolError {
  return new PoolError(code, message, { phase: 'handler', outcome: notSent ? 'not-sent' : 'maybe-executed', cause })
}
