/** The main-thread end of one shard: its two rings, its lines, the calls in flight. One for each generation of the shard. */

import { deserialize } from 'node:v8'
import {
  CLOSE_REASONS,
  type CloseReason,
  decodeError,
  decodesInPlace,
  type encodeError,
  Flag,
  FrameSender,
  FrameWriter,
  Kind,
  type LostInfo,
  type OpenRequest,
  PoolError,
  ReplyError,
  RingConsumer,
  RingProducer,
  type World,
} from '@cenote/pool-worker'
import type { Slot } from './books/slots.ts'
import { type Call, CallTable } from './calls.ts'
import type { ShardHost } from './host.ts'
import type { Language } from './language.ts'
import { type Buffered, copyOf, Line } from './line.ts'
import type { Run } from './runs.ts'

/** What a link tells the coordinator; each is one message, taken at once and in the order of the ring. */
export interface LinkMailbox {
  opened(line: Line, microseconds: number): void
  /** The place of a call is free: it was answered, it failed, or its late reply was dropped. */
  freed(line: Line): void
  /** The connection is fit to lend: after a probe, a reset, a handler. */
  idle(line: Line): void
  /** A handler has ended; `clean` when its connection is idle already. */
  done(line: Line, clean: boolean): void
  lost(line: Line, info: LostInfo, written: number): void
  closed(line: Line): void
  /** A codec of the user's broke on a reply: the connection must go. */
  broken(line: Line, error: PoolError, reason?: CloseReason): void
}

/** Room asked of the ring for a request that is encoded in place; a longer one takes the way over its own memory. */
const IN_PLACE_BYTES = 512
/** Frames read before other work of the event loop gets its turn. */
const BUDGET = 2048
/** Requests after which the shard is told without waiting for the end of the turn, so that both sides work at once. */
const PUBLISH_EVERY = 32

const textDecoder = new TextDecoder()

export class Link {
  readonly shard: number
  readonly host: ShardHost
  readonly runs: CallTable<Run> = new CallTable<Run>()
  readonly #world: World
  readonly #mailbox: LinkMailbox
  readonly #language: Language
  readonly #buffered: Buffered
  readonly #settle: (call: Call) => void
  readonly #sender: FrameSender
  readonly #ring: RingProducer
  readonly #consumer: RingConsumer
  readonly #words: Int32Array
  readonly #lines: (Line | undefined)[] = []
  readonly #calls: CallTable<Call> = new CallTable<Call>()
  readonly #writer: FrameWriter = new FrameWriter()
  readonly #window: number
  readonly #maxParts: number
  #written = 0
  #publishing = false
  #draining = false
  #ended = false

  /** @param settle - Takes a call that is about to settle out of the wheel. */
  constructor(
    host: ShardHost,
    shard: number,
    world: World,
    language: Language,
    mailbox: LinkMailbox,
    buffered: Buffered,
    sendWindow: number,
    settle: (call: Call) => void,
  ) {
    this.host = host
    this.shard = shard
    this.#world = world
    this.#mailbox = mailbox
    this.#language = language
    this.#buffered = buffered
    this.#window = sendWindow
    this.#maxParts = buffered.max
    this.#settle = settle
    const bell = () => host.bell.ring()
    this.#ring = new RingProducer(host.memory.toShard, bell)
    this.#sender = new FrameSender(this.#ring)
    this.#consumer = new RingConsumer(host.memory.toMain, bell)
    this.#words = new Int32Array(host.memory.words)
    host.bell.listen(() => this.wake())
  }

  /** Whether the shard holds the slot's connection fit to lend, at this very moment. */
  fit(slot: Slot): boolean {
    return Atomics.load(this.#words, slot.index) === slot.serial
  }

  line(slot: Slot): Line | undefined {
    const line = this.#lines[slot.index]
    return line?.serial === slot.serial ? line : undefined
  }

  /** All lines that exist. */
  *lines(): IterableIterator<Line> {
    for (const line of this.#lines) if (line !== undefined) yield line
  }

  open(slot: Slot, timeoutMs: number, request: OpenRequest): void {
    this.#lines[slot.index] = new Line(slot, this.#sender, this.#window, this.#buffered)
    const deadline = timeoutMs === Infinity ? 0 : Math.ceil(timeoutMs)
    this.#sender.send(Kind.OPEN, 0, slot.index, slot.serial, deadline, Buffer.from(JSON.stringify(request)))
    this.#publishSoon()
  }

  probe(slot: Slot): void {
    this.#control(Kind.PROBE, 0, slot, 0)
  }

  close(slot: Slot, reason: CloseReason): void {
    this.#control(Kind.CLOSE, 0, slot, CLOSE_REASONS.indexOf(reason))
  }

  /** Tells the shard that a lease has ended; with `prove`, it answers IDLE or LOST. */
  release(slot: Slot, prove: boolean): void {
    this.#control(Kind.RELEASE, prove ? Flag.RESET : 0, slot, 0)
  }

  /** Gives credit to a stream; the first time it turns the connection into one. */
  credit(slot: Slot, bytes: number, start: boolean): void {
    this.#control(Kind.CREDIT, start ? Flag.START : 0, slot, bytes)
  }

  /** Publishes after a line has sent by itself. */
  flushSoon(): void {
    this.#publishSoon()
  }

  /**
   * Encodes a call's request and sends it to its slot.
   * @throws Whatever the codec throws; then nothing was sent.
   */
  send(line: Line, call: Call): void {
    const { codec } = this.#language
    const writer = this.#writer
    const slot = line.slot
    const at = line.clear && !this.#sender.spilling ? this.#ring.reserve(IN_PLACE_BYTES) : -1
    if (at < 0) writer.begin()
    else writer.begin(this.#ring.bytes, at, at + IN_PLACE_BYTES)
    codec.encode(call.request as never, writer) // the request's type was checked where the pool is typed
    if (this.#buffered.bytes + writer.length > this.#buffered.max) {
      throw new PoolError('RESOURCE_EXHAUSTED', `more than maxBufferedBytes (${this.#buffered.max}) would wait on the calling thread`, {
        phase: 'send',
        outcome: 'not-sent',
      })
    }
    const id = this.#calls.add(call)
    if (id === undefined)
      throw new PoolError('RESOURCE_EXHAUSTED', 'too many calls in flight on one shard', { phase: 'send', outcome: 'not-sent' })
    call.id = id
    call.slot = slot
    call.ordinal = -1
    line.append(call)
    if (at >= 0 && writer.inPlace) {
      line.begin(call, writer.length)
      this.#ring.commit(Kind.SEND, 0, slot.index, slot.serial, id, writer.length)
    } else {
      const { written } = writer
      if (!line.sendWhole(call, written)) line.send(Kind.SEND, 0, call, Buffer.from(written))
    }
    if (++this.#written >= PUBLISH_EVERY) this.publish()
    else this.#publishSoon()
  }

  /** Tells the shard to run a handler. Its name and input follow over the control plane, and wake the shard. */
  execute(slot: Slot, run: Run): number {
    const id = this.runs.add(run)
    if (id === undefined) throw new Error('more handlers than connections') // the table holds more than a shard can have
    this.#sender.send(Kind.EXECUTE, 0, slot.index, slot.serial, id)
    this.#ring.publish(true)
    return id
  }

  /** Tells a handler that its caller has gone; with `uncalled`, that its input never comes. */
  cancelRun(slot: Slot, id: number, uncalled = false): void {
    this.#control(Kind.CANCEL, uncalled ? Flag.EXCLUSIVE : 0, slot, id)
  }

  /**
   * Lets go of a call whose caller has gone.
   * @returns Whether the shard never saw a byte of it; then its place is free already.
   */
  cancel(line: Line, call: Call, exclusive: boolean): boolean {
    if (line.withdraw(call)) {
      this.#forget(line, call)
      return true
    }
    this.#control(Kind.CANCEL, exclusive ? Flag.EXCLUSIVE : 0, line.slot, call.id)
    return false
  }

  /** Takes a call out of its line without an answer: it goes elsewhere, or has failed. */
  #forget(line: Line, call: Call): void {
    line.unlink(call)
    this.#calls.remove(call.id)
    call.id = -1
    call.slot = undefined
  }

  /** Empties a line whose connection has gone and gives its calls, oldest first. */
  dissolve(line: Line): Call[] {
    const calls: Call[] = []
    for (let call = line.first; call !== undefined; call = line.first) {
      this.#forget(line, call)
      calls.push(call)
    }
    line.clearOutbox()
    line.dropParts()
    if (this.#lines[line.slot.index] === line) this.#lines[line.slot.index] = undefined
    return calls
  }

  /** Reads what the shard has published, in bounded steps. */
  wake(): void {
    if (this.#draining || this.#ended) return
    this.#sender.flush()
    for (;;) {
      if (this.drain(BUDGET)) {
        this.#world.immediate(() => this.wake())
        break
      }
      if (this.#consumer.sleep()) break
    }
    this.publish()
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

  publish(): void {
    this.#written = 0
    this.#ring.publish()
  }

  /** The shard is no more: no frame of it counts from now on. */
  end(): void {
    this.#ended = true
  }

  #control(kind: number, flags: number, slot: Slot, id: number): void {
    this.#sender.send(kind, flags, slot.index, slot.serial, id)
    this.#publishSoon()
  }

  #publishSoon(): void {
    if (this.#publishing) return
    this.#publishing = true
    queueMicrotask(this.#publishNow)
  }

  readonly #publishNow = (): void => {
    this.#publishing = false
    this.publish()
  }

  readonly #onFrame = (kind: number, flags: number, slot: number, serial: number, id: number, start: number, end: number): void => {
    if (this.#ended) return
    const line = this.#lines[slot]
    if (line === undefined || line.serial !== serial) return // late: of a connection that is gone
    switch (kind) {
      case Kind.REPLY:
        return this.#reply(line, flags, id, start, end)
      case Kind.FAILED:
        return this.#failed(line, flags, id, start, end)
      case Kind.DATA:
        return this.#data(line, flags, start, end)
      case Kind.CREDIT:
        return line.giveBack(id)
      case Kind.OPENED:
        return this.#mailbox.opened(line, id)
      case Kind.IDLE:
        return this.#mailbox.idle(line)
      case Kind.DONE:
        return this.#mailbox.done(line, (flags & Flag.CLEAN) !== 0)
      case Kind.LOST:
        return this.#mailbox.lost(line, this.#json(start, end) as LostInfo, id) // written by our own shard
      case Kind.CLOSED:
        return this.#mailbox.closed(line)
      case Kind.PUSH:
        return this.#push(line, flags, start, end)
      case Kind.PROGRESS:
        return this.#progress(line, flags, id, start, end)
      default:
        throw new TypeError(`unknown frame kind ${kind}`)
    }
  }

  #reply(line: Line, flags: number, id: number, start: number, end: number): void {
    if ((flags & Flag.MORE) !== 0) return this.#keepPart(line, start, end)
    const call = this.#calls.get(id)
    if (call === undefined) return line.dropParts()
    line.unlink(call)
    this.#calls.remove(id)
    call.id = -1
    if (call.settled) {
      line.dropParts()
    } else {
      this.#settle(call)
      this.#answer(line, call, start, end)
    }
    this.#mailbox.freed(line)
  }

  #answer(line: Line, call: Call, start: number, end: number): void {
    const { codec, correlate } = this.#language
    let value: unknown
    try {
      if (!line.partial && decodesInPlace(codec)) value = codec.decodeRange(this.#consumer.bytes, start, end)
      else value = codec.decode(line.whole(this.#consumer.bytes, start, end))
      if (correlate !== undefined && !correlate(call.request, value)) {
        const error = new PoolError('DESYNC', 'a reply does not belong to its request', { phase: 'reply', outcome: 'maybe-executed' })
        call.reject(error)
        return this.#mailbox.broken(line, error)
      }
    } catch (thrown) {
      if (ReplyError.is(thrown)) return call.reject(thrown)
      const error = new PoolError('PROTOCOL_ERROR', `the protocol cannot read a reply: ${String((thrown as Error | undefined)?.message)}`, {
        phase: 'reply',
        outcome: 'executed',
        cause: thrown,
      })
      call.reject(error)
      return this.#mailbox.broken(line, error)
    }
    call.resolve(value)
  }

  #failed(line: Line, flags: number, id: number, start: number, end: number): void {
    if ((flags & Flag.MORE) !== 0) return this.#keepPart(line, start, end)
    const call = this.#calls.get(id)
    if (call === undefined) return line.dropParts()
    line.unlink(call)
    this.#calls.remove(id)
    call.id = -1
    const bytes = line.whole(this.#consumer.bytes, start, end)
    if (!call.settled) {
      this.#settle(call)
      call.reject(decodeError(JSON.parse(textDecoder.decode(bytes)) as ReturnType<typeof encodeError>)) // written by our own shard
    }
    this.#mailbox.freed(line)
  }

  #data(line: Line, flags: number, start: number, end: number): void {
    if (line.stream !== undefined) return line.stream.arrived(this.#copy(start, end), (flags & Flag.END) !== 0)
    // They crossed the release that gave the stream back: nobody's bytes, and no proof that more will not follow.
    const error = new PoolError('DESYNC', 'bytes arrived while their stream was given back', { phase: 'close' })
    this.#mailbox.broken(line, error, 'stray-bytes')
  }

  #push(line: Line, flags: number, start: number, end: number): void {
    if ((flags & Flag.MORE) !== 0) return this.#keepPart(line, start, end)
    try {
      const value = this.#language.codec.decode(line.whole(this.#consumer.bytes, start, end))
      line.lease?.pushed(value)
    } catch (thrown) {
      this.#mailbox.broken(line, new PoolError('PROTOCOL_ERROR', 'the protocol cannot read a push', { phase: 'reply', cause: thrown }))
    }
  }

  #progress(line: Line, flags: number, id: number, start: number, end: number): void {
    if ((flags & Flag.MORE) !== 0) return this.#keepPart(line, start, end)
    this.runs.get(id)?.progressed(deserialize(line.whole(this.#consumer.bytes, start, end)))
  }

  #keepPart(line: Line, start: number, end: number): void {
    if (this.#buffered.bytes + end - start > this.#maxParts) {
      const error = new PoolError('RESOURCE_EXHAUSTED', `more than maxBufferedBytes (${this.#maxParts}) would wait on the calling thread`, {
        phase: 'reply',
        outcome: 'maybe-executed',
      })
      const { first } = line
      if (first !== undefined && !first.settled) {
        this.#settle(first)
        first.reject(error)
      }
      return this.#mailbox.broken(line, error)
    }
    line.keepPart(this.#consumer.bytes, start, end)
  }

  #copy(start: number, end: number): Buffer {
    return copyOf(this.#consumer.bytes, start, end)
  }

  #json(start: number, end: number): unknown {
    return JSON.parse(textDecoder.decode(this.#copy(start, end)))
  }
}
