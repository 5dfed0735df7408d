/** The requests of one connection with a codec: gathered in order, written, taken back while that is possible. */
import { FrameWriter } from './codec.ts'
import { badRequest, PoolError } from './errors.ts'
import { Flag, Kind } from './frame.ts'
import type { LoadedCodec } from './load.ts'
import { type LocalCaller, type Owed, OwedQueue } from './owed.ts'
import { CreditReturn, type Place } from './side.ts'

/** Requests are encoded one at a time, and copied before anybody else's turn: one writer for all. */
const writer: FrameWriter = new FrameWriter()

export class Outgoing {
  readonly owed: OwedQueue = new OwedQueue()
  /** One past the ordinal of the last call of which a byte was written. */
  written: number
  /** How many calls of the caller's side have begun. */
  begun: number
  readonly #place: Place
  readonly #credit: CreditReturn
  #filling: Owed | undefined = undefined
  #skipping = -1
  /** Bytes of the caller's side in the outbox, and on their way to the kernel. */
  #queued = 0
  #writing = 0

  /** @param begun - How many calls the connection had before; then a stream lay between, and its smaller window counts. */
  constructor(place: Place, begun: number | undefined) {
    this.#place = place
    this.begun = this.written = begun ?? 0
    const { sendWindow, highWaterMark } = place.settings
    const window = begun === undefined ? sendWindow : Math.min(sendWindow, highWaterMark)
    this.#credit = new CreditReturn(window, (bytes) => place.send(Kind.CREDIT, 0, bytes))
  }

  /** Whether a request has begun to come whose last fragment has not. */
  get halfCome(): boolean {
    return this.#filling !== undefined
  }

  /** A fragment of a call's request. */
  request(callId: number, more: boolean, bytes: Buffer, start: number, end: number): void {
    if (callId === this.#skipping) {
      if (!more) this.#skipping = -1
      return this.#credit.add(end - start)
    }
    this.#skipping = -1
    const idle = this.#idle
    let call = this.#filling
    if (call === undefined || call.callId !== callId) {
      call = { callId, ordinal: this.begun++, local: undefined, unwritten: 0, written: false, complete: false, abandoned: false }
      this.owed.push(call)
    }
    call.unwritten += end - start
    call.complete = !more
    this.#filling = more ? call : undefined
    this.#queued += end - start
    this.#place.connection.outbox.append(bytes, start, end)
    this.#place.connection.schedule(idle)
  }

  /** A request of the shard's own. Throws what the codec throws, as BAD_REQUEST: then nothing was sent. */
  ask(caller: LocalCaller, { codec }: LoadedCodec): void {
    if (this.#filling !== undefined)
      throw new PoolError('DESYNC', 'another request is half written', { phase: 'send', outcome: 'not-sent' })
    const idle = this.#idle
    writer.begin()
    try {
      codec.encode(caller.request, writer)
    } catch (cause) {
      throw badRequest(cause)
    }
    const { written } = writer
    this.owed.push({ callId: 0, ordinal: -1, local: caller, unwritten: written.length, written: false, complete: true, abandoned: false })
    this.#place.connection.outbox.append(written, 0, written.length)
    this.#place.connection.schedule(idle)
  }

  /** Takes a call back of which nothing was written. */
  withdraw(call: Owed): void {
    const at = this.owed.remove(call)
    this.#place.connection.outbox.remove(at, call.unwritten)
    this.#queued -= call.unwritten
    this.#credit.add(call.unwritten)
    if (!call.complete) {
      this.#filling = undefined
      this.#skipping = call.callId
    }
    this.#place.send(Kind.FAILED, Flag.DROPPED, call.callId)
  }

  onWrite(): void {
    this.owed.eachFromLast((call) => {
      const known = call.written && call.unwritten === 0
      call.unwritten = 0
      call.written = true
      if (call.ordinal >= this.written) this.written = call.ordinal + 1
      return !known
    })
    this.#writing += this.#queued
    this.#queued = 0
  }

  onTaken(): void {
    const taken = this.#writing
    this.#writing = 0
    this.#credit.add(taken)
  }

  /** Whether nothing is owed and nothing unwritten: the next request waits for a poll phase. */
  get #idle(): boolean {
    return this.owed.length === 0 && !this.#place.connection.unwritten
  }
}
