/** The main-thread end of one shard: its two rings, its lines, the calls in flight. One for each generation of the shard. */

import {
  Beat,
  CLOSE_REASONS,
  type CloseReason,
  Flag,
  FrameSender,
  FrameWriter,
  isPlain,
  Kind,
  notCloneable,
  type OpenRequest,
  PoolError,
  packPlain,
  type ResultParcel,
  RingConsumer,
  RingProducer,
  transferOf,
  type World,
} from '@cenote/pool-worker'
import type { Slot } from './books/slots.ts'
import { type Call, CallTable } from './calls.ts'
import type { ShardHost } from './host.ts'
import { Incoming, type LinkMailbox } from './incoming.ts'
import type { Language } from './language.ts'
import { type Buffered, Line } from './line.ts'
import { beyondBuffer } from './refusals.ts'
import type { Run } from './runs.ts'

/** Room asked of the ring for a request that is encoded in place; one that is longer takes the way over memory of its own. */
const ROOM_BYTES = 512
/** The same when the last request would not have found room in that. */
const MUCH_ROOM_BYTES = 8_192
/** In ms: so long frames are read, and the callers that they answer go on, before other work of the event loop gets its turn. */
const READ_MS = 0.25
/** Requests after which the shard is told without waiting for the end of the turn, so that both sides work at once. */
const PUBLISH_EVERY = 16
/** What follows on it is done when the callers that were answered have gone on; it takes a quarter of what `queueMicrotask` does. */
const ANSWERED: Promise<void> = Promise.resolve()
/** Frames read in one go. */
const PIECE = 8

export class Link {
  readonly shard: number
  readonly host: ShardHost
  readonly runs: CallTable<Run> = new CallTable<Run>()
  readonly #world: World
  readonly #language: Language
  readonly #buffered: Buffered
  readonly #sender: FrameSender
  readonly #ring: RingProducer
  readonly #incoming: Incoming
  readonly #words: Int32Array
  readonly #beats: Int32Array
  readonly #mailbox: LinkMailbox
  readonly #lines: (Line | undefined)[] = []
  readonly #calls: CallTable<Call> = new CallTable<Call>()
  readonly #writer: FrameWriter = new FrameWriter()
  readonly #window: number
  readonly #muchRoom: number
  /** For the next request, as the last would have had it: the room, and where in a word it begins. */
  #room = ROOM_BYTES
  #skew = 0
  #encodings = 0
  #written = 0
  #publishing = false
  #reading = false
  /** When this turn has read for long enough, in the world's milliseconds. */
  #until = 0

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
    this.#mailbox = mailbox
    this.#world = world
    this.#language = language
    this.#buffered = buffered
    this.#window = sendWindow
    const bell = () => host.bell.ring()
    this.#ring = new RingProducer(host.memory.toShard, bell)
    this.#muchRoom = Math.min(MUCH_ROOM_BYTES, this.#ring.maxPayload)
    this.#sender = new FrameSender(this.#ring, host.lane)
    const consumer = new RingConsumer(host.memory.toMain, bell)
    this.#incoming = new Incoming(consumer, host.lane, this.#lines, this.#calls, this.runs, language, mailbox, buffered, settle)
    this.#words = new Int32Array(host.memory.words)
    this.#beats = new Int32Array(host.memory.beats)
    host.bell.listen(
      () => this.wake(),
      () => this.#calls.size + this.runs.size === 1,
    )
    host.parcels.listen(this.#arrived)
  }

  /**
   * Whether the shard holds the slot's connection fit to lend, at this very moment. A plain read, which takes a third of an atomic one: one
   * aligned word is read whole, OPENED was read from the ring after it was set, and when it is taken back the two threads race in any case.
   */
  fit(slot: Slot): boolean {
    return this.#words[slot.index] === slot.serial
  }

  /** How many signs of life the shard has given. */
  get shardBeats(): number {
    return Atomics.load(this.#beats, Beat.SHARD)
  }

  /** Gives one of this thread. */
  beat(): void {
    Atomics.add(this.#beats, Beat.CALLER, 1)
  }

  line(slot: Slot): Line | undefined {
    const line = this.#lines[slot.index]
    return line?.serial === slot.serial ? line : undefined
  }

  /** Whether it is being read at this moment: what comes next may be the end of any of its connections. */
  get reading(): boolean {
    return this.#incoming.draining
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
    const room = this.#room
    const skew = this.#skew
    const at = line.hasCredit(room - ROOM_BYTES) && !this.#sender.spilling ? this.#ring.reserve(room, skew) : -1
    if (at < 0) writer.begin()
    else writer.begin(this.#ring.bytes, at, at + room)
    const encoding = ++this.#encodings
    codec.encode(call.request as never, writer) // the request's type was checked where the pool is typed
    if (encoding !== this.#encodings || (writer.inPlace && !this.#ring.isNext(at, skew))) throw usedWithin()
    const { length } = writer
    this.#learn(writer)
    if (this.#buffered.bytes + length > this.#buffered.max) {
      throw beyondBuffer(this.#buffered.max, 'send', 'not-sent')
    }
    const id = this.#calls.add(call)
    if (id === undefined)
      throw new PoolError('RESOURCE_EXHAUSTED', 'too many calls in flight on one shard', { phase: 'send', outcome: 'not-sent' })
    call.id = id
    call.slot = slot
    call.ordinal = -1
    line.append(call)
    const flags = call.lease === undefined ? 0 : Flag.EXCLUSIVE
    if (at >= 0 && writer.inPlace) {
      line.begin(call, length)
      this.#ring.commit(Kind.SEND, flags, slot.index, slot.serial, id, length, skew)
    } else if (!line.sendWhole(call, flags, writer.written)) line.send(Kind.SEND, flags, call, writer.take())
    if (++this.#written >= PUBLISH_EVERY) this.publish()
    else this.#publishSoon()
  }

  /** The next request is probably as long as this one, and begins alike. */
  #learn({ length, skew }: FrameWriter): void {
    this.#room = length > ROOM_BYTES && length <= this.#muchRoom ? this.#muchRoom : ROOM_BYTES
    this.#skew = skew
  }

  /**
   * Tells the shard to run a handler.
   * @throws PoolError `NOT_CLONEABLE`, or whatever the input throws when it is read; then nothing was sent.
   */
  execute(slot: Slot, run: Run): void {
    const { name, input } = run
    const order = isPlain(input) ? packPlain(input === undefined ? [name] : [name, input]) : undefined // either may throw what the input throws
    const id = this.runs.add(run)
    if (id === undefined) throw new Error('more handlers than connections') // the table holds more than a shard can have
    run.id = id
    const whole = order !== undefined && order.length <= this.#ring.maxPayload
    if (!whole) this.#post(run)
    this.#sender.send(Kind.EXECUTE, whole ? Flag.WHOLE : 0, slot.index, slot.serial, id, whole ? order : undefined)
    this.#publishSoon()
  }

  /** Sends a handler's name and input beside the ring. */
  #post({ id, name, input }: Run): void {
    try {
      this.host.parcels.post({ callId: id, name, input }, transferOf(input))
    } catch (error) {
      this.runs.remove(id)
      const cloning = error instanceof Error && error.name === 'DataCloneError'
      throw cloning ? notCloneable(`the input of handler ${JSON.stringify(name)}`, error, 'send', 'not-sent') : error
    }
  }

  /** A handler's result has come beside the ring. */
  readonly #arrived = ({ callId, result }: ResultParcel): void => {
    const run = this.runs.get(callId)
    if (run === undefined || this.#incoming.ended || !run.resulted(result)) return
    this.#mailbox.handling.settled(run)
    this.publish()
  }

  /** Tells a handler that its caller has gone. */
  cancelRun(slot: Slot, id: number): void {
    this.#control(Kind.CANCEL, 0, slot, id)
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

  readonly #wakeAgain = (): void => this.wake()

  /** Reads what the shard has published, in bounded steps. */
  wake(): void {
    if (!this.#incoming.listening || this.#reading) return
    this.#sender.flush()
    this.#reading = true
    this.#until = Number.POSITIVE_INFINITY
    this.#readOn()
  }

  /** After each piece the callers that it answered go on, and what they ask next is on its way while the next piece is read. */
  readonly #readOn = (): void => {
    while (this.drain(PIECE) || !this.#incoming.sleep()) {
      const now = this.#world.now()
      if (this.#until === Number.POSITIVE_INFINITY) this.#until = now + READ_MS
      if (now < this.#until) return void ANSWERED.then(this.#readOn)
      this.#reading = false
      this.#world.immediate(this.#wakeAgain)
      return this.publish()
    }
    this.#reading = false
    this.publish()
  }

  /** Reads up to `budget` frames now. Returns whether frames are left. */
  drain(budget: number): boolean {
    return this.#incoming.drain(budget)
  }

  publish(): void {
    this.#written = 0
    this.#ring.publish()
  }

  /** The shard is no more: no frame of it counts from now on. */
  end(): void {
    this.#incoming.end()
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
}

/** What a codec wrote before it used the pool, which uses the same memory, is lost. */
function usedWithin(): Error {
  return new Error('the protocol used the pool while it encoded this request')
}
