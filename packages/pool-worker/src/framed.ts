/** A connection with a codec: requests out in order, frames in, each to whoever it is owed. */
import { Arriving, LONG_BYTES } from './arriving.ts'
import { decodesInPlace, type Emit, type Framer } from './codec.ts'
import { Pause } from './connection.ts'
import { PoolError, ReplyError } from './errors.ts'
import { Flag, Kind } from './frame.ts'
import type { HeldBytes } from './held.ts'
import type { LoadedCodec } from './load.ts'
import { Outgoing } from './outgoing.ts'
import type { LocalCaller, OwedQueue } from './owed.ts'
import type { Place, Side } from './side.ts'
import { type Debt, SilenceWatch } from './silence.ts'

const NOTHING: Buffer = Buffer.alloc(0)

/** Whoever waits for the next frame without having asked. */
interface Listener {
  resolve(value: unknown): void
  reject(error: unknown): void
}

export class Framed implements Side {
  /** A request went over it that changed the connection. */
  dirty = false
  readonly #place: Place
  readonly #out: Outgoing
  readonly #owed: OwedQueue
  readonly #protocol: LoadedCodec
  #framer: Framer | undefined
  readonly #arriving: Arriving = new Arriving()
  /** Bytes that it takes at least, as far as the protocol knows. */
  #missing = 0
  readonly #silence: SilenceWatch
  readonly #fresh: boolean
  #chunk: Buffer = NOTHING
  /** Its length at first: one that was given away with its frame has none any more. */
  #size = 0
  #from = 0
  /** The frame that is arriving began when nothing was owed. */
  #unasked = false
  #ended = false
  #failure: PoolError | undefined = undefined
  /** Set while a hook runs: frames that nobody asked for, and whoever waits for one. */
  #early: unknown[] | undefined = undefined
  readonly #listeners: Listener[] = []

  /** @param before - What drove the connection before the stream that has ended: calls are counted on. */
  constructor(place: Place, protocol: LoadedCodec, before?: Framed) {
    this.#place = place
    this.#protocol = protocol
    this.#out = new Outgoing(place, before === undefined ? undefined : before.#out.begun)
    this.#owed = this.#out.owed
    this.#fresh = before === undefined
    this.#silence = new SilenceWatch(place, () => this.#debt)
  }

  get written(): number {
    return this.#out.written
  }

  get owes(): boolean {
    return this.#owed.length > 0
  }

  /** What a raw connection received before its stream began. */
  get kept(): HeldBytes {
    return this.#arriving.held
  }

  /** Where the next bytes are to be read, if they have a place of their own. */
  get room(): Buffer | undefined {
    return this.#arriving.room
  }

  /** Makes the framer. Returns false, the connection lost, if the protocol cannot. */
  start(): boolean {
    try {
      this.#framer = this.#protocol.codec.createFramer()
      return true
    } catch (cause) {
      this.#broken('the protocol cannot make a framer', cause)
      return false
    }
  }

  quiet(): boolean {
    const { connection } = this.#place
    if (this.#ended || this.owes || connection.unwritten || connection.halfClosed || this.#out.halfCome) return false
    if (this.#early !== undefined && this.#early.length > 0) return false
    return this.#protocol.raw || (this.#arriving.length === 0 && this.#atBoundary())
  }

  request(callId: number, more: boolean, bytes: Buffer, start: number, end: number): void {
    if (!this.#ended) this.#out.request(callId, more, bytes, start, end)
  }

  /** Sends a request of the shard's own. Throws what the codec throws, as BAD_REQUEST: then nothing was sent. */
  ask(caller: LocalCaller): void {
    if (this.#failure !== undefined) throw this.#failure
    this.#out.ask(caller, this.#protocol)
  }

  /** From now on frames that nobody asked for are kept for `next`. */
  beginHook(): void {
    this.#early = []
  }

  /** Ends what `beginHook` began, if the connection is quiet. */
  endHook(): boolean {
    const good = this.quiet() && this.#listeners.length === 0
    if (good) this.#early = undefined
    return good
  }

  next(listener: Listener): void {
    if (this.#failure !== undefined) return listener.reject(this.#failure)
    const early = this.#early
    if (early !== undefined && early.length > 0) return listener.resolve(early.shift())
    this.#listeners.push(listener)
  }

  cancel(callId: number, exclusive: boolean): void {
    if (this.#ended) return
    const call = this.#owed.find(callId)
    if (call === undefined || call.abandoned) return
    if (!call.written) return this.#out.withdraw(call)
    if (exclusive || !call.complete) return this.#place.lose('abort')
    call.abandoned = true
    if (this.#owed.head !== call) return
    this.#silence.disarm() // its time begins now
    this.#silence.look()
  }

  onWrite(): void {
    this.#out.onWrite()
    if (this.#silence.always) this.#silence.look()
  }

  onTaken(): void {
    this.#out.onTaken()
    if (this.#silence.armed && this.#owed.head?.complete === false) this.#silence.heard() // a long request is on its way
  }

  onBytes(chunk: Buffer): boolean {
    if (this.#ended) return false
    if (this.#silence.armed) this.#silence.heard()
    if (this.#protocol.raw) return this.#keepRaw(chunk)
    this.#chunk = chunk
    this.#size = chunk.length
    this.#from = 0
    try {
      this.#framer?.push(chunk, this.#emit)
      this.#missing = this.#from < this.#size ? (this.#framer?.missing?.() ?? 0) : 0
    } catch (cause) {
      this.#broken('the protocol cannot read what the peer sent', cause, true)
    }
    if (!this.#ended) this.#keepRest(chunk)
    this.#chunk = NOTHING
    return !this.#ended
  }

  onEnd(): void {
    this.#place.lose('peer-end')
  }

  end(error: PoolError): void {
    this.#ended = true
    this.#failure = error
    this.#silence.disarm()
    this.#arriving.clear()
    for (const call of this.#owed.clear()) call.local?.reject(call.written ? error : notSent(error))
    for (const listener of this.#listeners.splice(0)) listener.reject(error)
  }

  /** Leaves the connection to another side, with nothing owed. */
  retire(): void {
    this.#ended = true
    this.#silence.disarm()
  }

  get #debt(): Debt {
    const { head } = this.#owed
    if (this.#ended || head === undefined || !head.written) return 'nothing'
    return head.abandoned ? 'abandoned' : 'awaited'
  }

  #atBoundary(): boolean {
    try {
      return this.#framer?.atBoundary() === true
    } catch {
      return false
    }
  }

  /** Keeps what a raw connection received before its stream, unless it had one before: then it is stray. */
  #keepRaw(chunk: Buffer): boolean {
    if (!this.#fresh) this.#place.lose('stray-bytes')
    else this.kept.append(chunk, 0, chunk.length)
    if (this.kept.length >= this.#place.settings.highWaterMark) this.#place.connection.pause(Pause.CREDIT)
    return !this.#ended
  }

  /** Keeps the beginning of a frame that is not complete. */
  #keepRest(chunk: Buffer): void {
    const asked = this.#owed.head?.written === true || this.#early !== undefined
    if (this.#from === this.#size || this.#atBoundary()) {
      this.#unasked = false
      if (this.#from < this.#size && !asked) this.#place.lose('stray-bytes')
      return
    }
    if (!asked && this.#protocol.definition.push === undefined) return this.#place.lose('stray-bytes')
    if (this.#arriving.length === 0) this.#unasked = this.#owed.head?.written !== true
    const missing = Number.isSafeInteger(this.#missing) ? Math.max(this.#missing, 0) : 0 // a user's framer may say anything
    if (this.#arriving.length + this.#size - this.#from + missing > this.#place.settings.maxReplyBytes) return this.#tooLarge()
    this.#arriving.keep(chunk, this.#from, this.#size, missing)
  }

  readonly #emit: Emit = (start, end, kind) => {
    if (this.#ended) return
    if (!(start >= this.#from && end >= start && end <= this.#size) || (this.#arriving.length > 0 && start !== 0)) {
      throw new RangeError(`a frame from ${start} to ${end} in a chunk of ${this.#size} bytes, of which ${this.#from} are done`)
    }
    if (this.#arriving.length + end - start > this.#place.settings.maxReplyBytes) return this.#tooLarge()
    this.#from = end
    if (kind === 'push') this.#pushed(start, end)
    else this.#replied(start, end)
    this.#unasked = false
    this.#arriving.clear()
  }

  /** @param shown - The protocol has seen it, and may keep what it saw. */
  #replied(start: number, end: number, shown = false): void {
    const call = this.#owed.head
    if (call === undefined || !call.written || this.#unasked) return this.#unaskedFor(start, end)
    if (call.unwritten > 0 || !call.complete) {
      return this.#place.lose(
        'error',
        new PoolError('DESYNC', 'a reply came before its request was sent', { phase: 'reply', outcome: 'maybe-executed' }),
      )
    }
    this.#owed.shift()
    if (call.local !== undefined) this.#answer(call.local, start, end)
    else if (call.abandoned) this.#place.send(Kind.FAILED, Flag.DROPPED, call.callId)
    else this.#forward(Kind.REPLY, call.callId, start, end, shown)
    if (this.#silence.armed || this.#owed.head?.abandoned === true) this.#silence.look()
  }

  /** A frame that nobody asked for belongs to the running hook, or is stray. */
  #unaskedFor(start: number, end: number): void {
    const early = this.#early
    if (early === undefined) return this.#place.lose('stray-bytes')
    const value = this.#decode(start, end)
    if (value === undefined) return
    const listener = this.#listeners.shift()
    if (listener !== undefined && value.ok) listener.resolve(value.reply)
    else if (listener !== undefined && !value.ok) listener.reject(value.error)
    else if (value.ok) early.push(value.reply)
    else
      this.#place.lose(
        'error',
        new PoolError('DESYNC', 'the peer sent an error that nobody asked for', { phase: 'reply', cause: value.error }),
      )
  }

  #pushed(start: number, end: number): void {
    const { push } = this.#protocol.definition
    if (push === undefined) return this.#unaskedFor(start, end)
    const value = this.#decode(start, end)
    if (value === undefined) return
    try {
      const verdict = value.ok ? push.call(this.#protocol.definition, value.reply) : 'destroy'
      if (verdict === 'reply' && this.#owed.head?.written === true) this.#replied(start, end, true)
      else if (verdict === 'deliver' || verdict === 'reply') this.#forward(Kind.PUSH, 0, start, end, true)
      else if (verdict === 'destroy') this.#place.lose('stray-bytes')
      else if (verdict !== 'ignore') this.ask({ request: verdict.answer, resolve: () => undefined, reject: () => undefined })
    } catch (cause) {
      this.#broken('the protocol failed on a push', cause)
    }
  }

  #forward(kind: number, id: number, start: number, end: number, shown: boolean): void {
    const arriving = this.#arriving
    if (arriving.length + end - start >= LONG_BYTES) {
      const whole = arriving.whole(this.#chunk, start, end)
      return this.#place.give(kind, id, shown ? ownCopy(whole) : whole)
    }
    arriving.each((part) => this.#place.send(kind, Flag.MORE, id, part))
    this.#place.send(kind, 0, id, this.#chunk, start, end)
  }

  #answer(caller: LocalCaller, start: number, end: number): void {
    const value = this.#decode(start, end, caller)
    if (value === undefined) return
    if (!value.ok) return caller.reject(value.error)
    const { correlate } = this.#protocol.definition
    try {
      if (correlate === undefined || correlate.call(this.#protocol.definition, caller.request, value.reply) !== false)
        return caller.resolve(value.reply)
    } catch (cause) {
      return caller.reject(this.#broken('the protocol failed to correlate a reply', cause))
    }
    const error = new PoolError('DESYNC', 'a reply does not belong to its request', { phase: 'reply', outcome: 'maybe-executed' })
    caller.reject(error)
    this.#place.lose('error', error)
  }

  /** Decodes the frame for somebody in the shard; undefined when that broke the connection. */
  #decode(start: number, end: number, caller?: LocalCaller): { ok: true; reply: unknown } | { ok: false; error: ReplyError } | undefined {
    const { codec } = this.#protocol
    try {
      const inPlace = this.#arriving.length === 0 && decodesInPlace(codec)
      return {
        ok: true,
        reply: inPlace ? codec.decodeRange(this.#chunk, start, end) : codec.decode(this.#arriving.whole(this.#chunk, start, end)),
      }
    } catch (thrown) {
      if (ReplyError.is(thrown)) return { ok: false, error: thrown }
      caller?.reject(this.#broken('the protocol cannot read a reply', thrown))
      return undefined
    }
  }

  #tooLarge(): void {
    const { maxReplyBytes } = this.#place.settings
    const error = new PoolError('REPLY_TOO_LARGE', `a reply is longer than maxReplyBytes (${maxReplyBytes})`, {
      phase: 'reply',
      outcome: 'maybe-executed',
    })
    this.#failHead(error)
    this.#place.lose('error', error)
  }

  #broken(message: string, cause: unknown, headAtFault = false): PoolError {
    const error = new PoolError('PROTOCOL_ERROR', `${message}: ${text(cause)}`, { phase: 'reply', outcome: 'maybe-executed', cause })
    if (this.#ended) return error
    if (headAtFault) this.#failHead(error)
    this.#place.lose('error', error)
    return error
  }

  /** The oldest call is the one at fault. The caller's side sees to that itself; one of the shard's own is told here. */
  #failHead(error: PoolError): void {
    const call = this.#owed.head
    if (call?.local === undefined || !call.written || this.#unasked) return
    this.#owed.shift()
    call.local.reject(error)
  }
}

function ownCopy(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}

function notSent(error: PoolError): PoolError {
  return new PoolError(error.code, error.message, { phase: error.phase, outcome: 'not-sent', cause: error.cause })
}

function text(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
