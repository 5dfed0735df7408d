/** What a shard tells: each of its frames becomes a message to the coordinator, an answer to a call, or bytes of a stream. */
import { deserialize } from 'node:v8'
import {
  type CloseReason,
  decodeError,
  decodesInPlace,
  type encodeError,
  Flag,
  Kind,
  type Lane,
  type LostInfo,
  type OpenedInfo,
  ownCopyOf,
  PoolError,
  ReplyError,
  type RingConsumer,
  unpackPlain,
} from '@cenote/pool-worker'
import type { Call, CallTable } from './calls.ts'
import type { Language } from './language.ts'
import type { Buffered, Line } from './line.ts'
import { beyondBuffer } from './refusals.ts'
import type { Run } from './runs.ts'

/** What a link tells the coordinator; each is one message, taken at once and in the order of the ring. */
export interface LinkMailbox {
  opened(line: Line, microseconds: number): void
  /** The place of a call is free: it was answered, it failed, or its late reply was dropped. `answered`: the call, if it has a good reply. */
  freed(line: Line, answered?: Call): void
  /** The connection is fit to lend: after a probe, a reset, a handler. */
  idle(line: Line): void
  /** A handler has ended; `clean` when its connection is idle already. */
  done(line: Line, clean: boolean): void
  /** Is told of a handler whose result came after its DONE. */
  readonly handling: { settled(run: Run): void }
  lost(line: Line, info: LostInfo, written: number): void
  closed(line: Line): void
  /** So long its server keeps the connection when it is idle. */
  kept(line: Line, ms: number): void
  /** A codec of the user's broke on a reply: the connection must go. */
  broken(line: Line, error: PoolError, reason?: CloseReason): void
}

const textDecoder = new TextDecoder()

/** The reading side of a link. */
export class Incoming {
  readonly #consumer: RingConsumer
  readonly #lane: Lane
  readonly #lines: readonly (Line | undefined)[]
  readonly #calls: CallTable<Call>
  readonly #runs: CallTable<Run>
  readonly #language: Language
  readonly #mailbox: LinkMailbox
  readonly #buffered: Buffered
  readonly #settle: (call: Call) => void
  #draining = false
  #ended = false

  /**
   * @param lines - The link's, by slot.
   * @param settle - Takes a call that is about to settle out of the wheel.
   */
  constructor(
    consumer: RingConsumer,
    lane: Lane,
    lines: readonly (Line | undefined)[],
    calls: CallTable<Call>,
    runs: CallTable<Run>,
    language: Language,
    mailbox: LinkMailbox,
    buffered: Buffered,
    settle: (call: Call) => void,
  ) {
    this.#consumer = consumer
    this.#lane = lane
    this.#lines = lines
    this.#calls = calls
    this.#runs = runs
    this.#language = language
    this.#mailbox = mailbox
    this.#buffered = buffered
    this.#settle = settle
  }

  /** Whether it is being read at this moment. */
  get draining(): boolean {
    return this.#draining
  }

  /** Whether it can be read now: it is not being read already, and the shard lives. */
  get listening(): boolean {
    return !this.#draining && !this.#ended
  }

  /** Reads up to `budget` frames now. Returns whether frames are left. */
  drain(budget: number): boolean {
    if (this.#draining) return false
    this.#draining = true
    try {
      return this.#consumer.drain(this.#onFrame, budget)
    } finally {
      this.#draining = false
    }
  }

  /** Lets the shard ring the bell for what comes. Returns false when something has come already. */
  sleep(): boolean {
    return this.#consumer.sleep()
  }

  /** Whether nothing counts any more. */
  get ended(): boolean {
    return this.#ended
  }

  /** No frame counts from now on. */
  end(): void {
    this.#ended = true
  }

  readonly #onFrame = (kind: number, flags: number, slot: number, serial: number, id: number, start: number, end: number): void => {
    if (this.#ended) return
    const beside = (flags & Flag.BESIDE) === 0 ? undefined : this.#takeBeside()
    const line = this.#lines[slot]
    if (line === undefined || line.serial !== serial) return // late: of a connection that is gone
    if (line.closing !== undefined && kind < Kind.DONE) return line.dropParts() // given up here: only its end counts
    switch (kind) {
      case Kind.REPLY:
        return this.#reply(line, flags, id, start, end, beside)
      case Kind.FAILED:
        return this.#failed(line, flags, id, start, end)
      case Kind.DATA:
        return this.#data(line, flags, start, end)
      case Kind.CREDIT:
        return line.giveBack(id)
      case Kind.OPENED:
        if (line.trace !== undefined) line.trace.measured(this.#openedInfo(line, start, end).times ?? {})
        return this.#mailbox.opened(line, id)
      case Kind.IDLE:
        return this.#mailbox.idle(line)
      case Kind.DONE:
        if ((flags & Flag.WHOLE) !== 0) line.run?.resulted({ ok: true, value: unpackPlain(this.#consumer.bytes, start, end) })
        return this.#mailbox.done(line, (flags & Flag.CLEAN) !== 0)
      case Kind.KEEP:
        return this.#mailbox.kept(line, id === 0 ? Number.POSITIVE_INFINITY : id)
      case Kind.LOST:
        return this.#lost(line, flags, id, start, end)
      case Kind.CLOSED:
        return this.#mailbox.closed(line)
      case Kind.PUSH:
        return this.#push(line, flags, start, end, beside)
      case Kind.PROGRESS:
        return this.#progress(line, flags, id, start, end)
      default:
        throw new TypeError(`unknown frame kind ${kind}`)
    }
  }

  /** Also that of a frame which is late: each frame has its piece. */
  #takeBeside(): Buffer {
    const bytes = this.#lane.take()
    this.#consumer.tookBeside(bytes.length)
    return bytes
  }

  #reply(line: Line, flags: number, id: number, start: number, end: number, beside: Buffer | undefined): void {
    if ((flags & Flag.MORE) !== 0) return this.#keepPart(line, start, end)
    if (beside !== undefined && !this.#hasRoom(beside.length)) return this.#beyond(line)
    const call = this.#take(line, id)
    if (call === undefined) return line.dropParts()
    if (call.settled) {
      line.dropParts()
      return this.#mailbox.freed(line)
    }
    this.#settle(call)
    this.#mailbox.freed(line, this.#answer(line, call, start, end, beside) ? call : undefined)
  }

  /** The call of a message, out of its line and of the table; undefined when it is no more. */
  #take(line: Line, id: number): Call | undefined {
    const call = this.#calls.get(id)
    if (call === undefined) return undefined
    line.unlink(call)
    this.#calls.remove(id)
    call.id = -1
    return call
  }

  /** Returns whether it was a reply of the protocol; an error of the server's is one. */
  #answer(line: Line, call: Call, start: number, end: number, beside: Buffer | undefined): boolean {
    const { codec, correlate } = this.#language
    let value: unknown
    try {
      if (beside !== undefined) value = codec.decode(beside)
      else if (!line.partial && decodesInPlace(codec)) value = codec.decodeRange(this.#consumer.bytes, start, end)
      else value = codec.decode(line.whole(this.#consumer.bytes, start, end))
      if (correlate !== undefined && !correlate(call.request, value)) {
        const error = new PoolError('DESYNC', 'a reply does not belong to its request', { phase: 'reply', outcome: 'maybe-executed' })
        call.reject(error)
        this.#mailbox.broken(line, error)
        return false
      }
    } catch (thrown) {
      if (ReplyError.is(thrown)) {
        call.reject(thrown)
        return true
      }
      const error = new PoolError('PROTOCOL_ERROR', `the protocol cannot read a reply: ${String((thrown as Error | undefined)?.message)}`, {
        phase: 'reply',
        outcome: 'executed',
        cause: thrown,
      })
      call.reject(error)
      this.#mailbox.broken(line, error)
      return false
    }
    call.resolve(value)
    return true
  }

  #failed(line: Line, flags: number, id: number, start: number, end: number): void {
    if ((flags & Flag.MORE) !== 0) return this.#keepPart(line, start, end)
    const call = this.#take(line, id)
    if (call === undefined) return line.dropParts()
    const bytes = line.whole(this.#consumer.bytes, start, end)
    if (!call.settled) {
      this.#settle(call)
      call.reject(decodeError(JSON.parse(textDecoder.decode(bytes)) as ReturnType<typeof encodeError>)) // written by our own shard
    }
    this.#mailbox.freed(line)
  }

  #data(line: Line, flags: number, start: number, end: number): void {
    if (line.stream !== undefined) return line.stream.arrived(ownCopyOf(this.#consumer.bytes, start, end), (flags & Flag.END) !== 0)
    // They crossed the release that gave the stream back: nobody's bytes, and no proof that more will not follow.
    const error = new PoolError('DESYNC', 'bytes arrived while their stream was given back', { phase: 'close' })
    this.#mailbox.broken(line, error, 'stray-bytes')
  }

  #push(line: Line, flags: number, start: number, end: number, beside: Buffer | undefined): void {
    if ((flags & Flag.MORE) !== 0) return this.#keepPart(line, start, end)
    if (beside !== undefined && !this.#hasRoom(beside.length)) return this.#beyond(line)
    try {
      const value = this.#language.codec.decode(beside ?? line.whole(this.#consumer.bytes, start, end))
      line.lease?.pushed(value)
    } catch (thrown) {
      this.#mailbox.broken(line, new PoolError('PROTOCOL_ERROR', 'the protocol cannot read a push', { phase: 'reply', cause: thrown }))
    }
  }

  #progress(line: Line, flags: number, id: number, start: number, end: number): void {
    if ((flags & Flag.MORE) !== 0) return this.#keepPart(line, start, end)
    this.#runs.get(id)?.progressed(deserialize(line.whole(this.#consumer.bytes, start, end)))
  }

  #keepPart(line: Line, start: number, end: number): void {
    if (!this.#hasRoom(end - start)) return this.#beyond(line)
    line.keepPart(this.#consumer.bytes, start, end)
  }

  #hasRoom(bytes: number): boolean {
    return this.#buffered.bytes + bytes <= this.#buffered.max
  }

  #beyond(line: Line): void {
    line.dropParts()
    const error = beyondBuffer(this.#buffered.max, 'reply', 'maybe-executed')
    const call = line.first ?? line.run?.call
    if (call !== undefined && !call.settled) {
      this.#settle(call)
      call.reject(error)
    }
    this.#mailbox.broken(line, error)
  }

  #openedInfo(line: Line, start: number, end: number): OpenedInfo {
    return JSON.parse(textDecoder.decode(line.whole(this.#consumer.bytes, start, end))) as OpenedInfo // written by our own shard
  }

  #lost(line: Line, flags: number, id: number, start: number, end: number): void {
    if ((flags & Flag.MORE) !== 0) return line.keepPart(this.#consumer.bytes, start, end) // whatever waits besides: it is the line's last
    const info = JSON.parse(textDecoder.decode(line.whole(this.#consumer.bytes, start, end))) as LostInfo // written by our own shard
    this.#mailbox.lost(line, info, id)
  }
}
