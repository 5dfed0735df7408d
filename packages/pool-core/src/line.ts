/** The main-thread end of one connection: its calls in flight, its credit, and what waits for credit. */
import { type CloseReason, copyBytes, Flag, type FrameSender, Kind, ownCopyOf } from '@cenote/pool-worker'
import type { Site } from './books/sites.ts'
import type { Slot } from './books/slots.ts'
import type { Call } from './calls.ts'
import type { Hold } from './hold.ts'
import type { Run } from './runs.ts'
import type { StreamEnd } from './stream.ts'
import type { ConnectTrace } from './telemetry/traces.ts'

/** Bytes on the main thread that wait for callers or for room, over the whole pool. */
export interface Buffered {
  bytes: number
  readonly max: number
}

interface Outgoing {
  readonly kind: number
  readonly flags: number
  readonly call: Call | undefined
  readonly payload: Uint8Array
  sent: number
  readonly taken: (() => void) | undefined
}

/** One connection as its link sees it. Exists from OPEN until LOST or CLOSED was read. */
export class Line {
  readonly slot: Slot
  readonly serial: number
  /** The endpoint that it is a connection to; the slot's may be another one afterwards. */
  readonly site: Site
  lease: Hold | undefined = undefined
  run: Run | undefined = undefined
  stream: StreamEnd | undefined = undefined
  /** Calls that owe a reply, oldest first; those cancelled stay until their place is free. */
  first: Call | undefined = undefined
  last: Call | undefined = undefined
  /** Milliseconds since the epoch; 0 until it is open. */
  openedAt = 0
  /** What observers are told of its connect, while there are any. */
  trace: ConnectTrace | undefined = undefined
  /** Why it is being closed from here. */
  closing: CloseReason | undefined = undefined
  /** Calls begun when the present lease began: with no more written, the lease has sent nothing. */
  begunBeforeLease = 0

  /** Fragments of the message that is arriving. */
  #parts: Buffer[] | undefined = undefined
  #partBytes = 0
  readonly #sender: FrameSender
  readonly #buffered: Buffered
  readonly #outbox: Outgoing[] = []
  /** Credit of requests: a quarter of the ring at most. */
  readonly #sendWindow: number
  #credit: number
  #window: number
  #maxWindow: number
  #begun = 0

  constructor(slot: Slot, sender: FrameSender, credit: number, buffered: Buffered) {
    this.slot = slot
    this.serial = slot.serial
    this.site = slot.site
    this.#sender = sender
    this.#sendWindow = this.#credit = this.#window = this.#maxWindow = credit
    this.#buffered = buffered
  }

  /** How many calls have begun on this connection. */
  get begun(): number {
    return this.#begun
  }

  /** Whether a message may go straight into the ring: nothing waits, and there is credit for more than so many bytes. */
  hasCredit(bytes: number): boolean {
    return this.#outbox.length === 0 && this.#credit > bytes
  }

  /** Bytes that wait for credit. */
  get waitingBytes(): number {
    let bytes = 0
    for (const item of this.#outbox) bytes += item.payload.length - item.sent
    return bytes
  }

  append(call: Call): void {
    call.linePrev = this.last
    call.lineNext = undefined
    if (this.last === undefined) this.first = call
    else this.last.lineNext = call
    this.last = call
  }

  unlink(call: Call): void {
    if (call.linePrev === undefined) this.first = call.lineNext
    else call.linePrev.lineNext = call.lineNext
    if (call.lineNext === undefined) this.last = call.linePrev
    else call.lineNext.linePrev = call.linePrev
    call.lineNext = call.linePrev = undefined
  }

  /** Counts a call whose bytes have gone straight into the ring. */
  begin(call: Call, bytes: number): void {
    call.ordinal = this.#begun++
    this.#credit -= bytes
  }

  /** Sends a call's whole message if there is credit for it now. The payload may be reused afterwards. */
  sendWhole(call: Call, flags: number, payload: Uint8Array): boolean {
    if (this.#outbox.length > 0 || this.#credit < payload.length) return false
    this.begin(call, payload.length)
    this.#sender.send(Kind.SEND, flags, this.slot.index, this.serial, call.id, payload)
    return true
  }

  /**
   * Sends a message as credit allows; what finds none waits here. The payload is the line's until `taken`.
   * @param taken - Called when the last byte is on its way to the shard.
   */
  send(kind: number, flags: number, call: Call | undefined, payload: Uint8Array, taken?: () => void): void {
    this.#outbox.push({ kind, flags, call, payload, sent: 0, taken })
    this.#buffered.bytes += payload.length
    this.pump()
  }

  /**
   * Takes out what is left of a call's message: the shard, told of the cancel, wants no more of it.
   * @returns Whether nothing of it had gone.
   */
  withdraw(call: Call): boolean {
    const at = this.#outbox.findIndex((item) => item.call === call)
    if (at < 0) return false
    for (const item of this.#outbox.splice(at, 1)) this.#buffered.bytes -= item.payload.length - item.sent
    return call.ordinal < 0
  }

  /**
   * Starts a stream: from now on its own window counts, which grows to eight times as much while used up, but never beyond half of
   * the ring: what finds no room there would be copied twice.
   */
  startStream(window: number): void {
    this.#credit = this.#window = Math.min(window, 2 * this.#sendWindow)
    this.#maxWindow = Math.min(8 * window, 2 * this.#sendWindow)
  }

  /** Takes back credit, and sends on. A window that was used up grows, up to eight times what it was. */
  giveBack(bytes: number): void {
    this.#credit += bytes
    this.pump()
  }

  /** Sends what credit there is for. */
  pump(): void {
    for (let item = this.#outbox[0]; item !== undefined; item = this.#outbox[0]) {
      const left = item.payload.length - item.sent
      if (left > 0 && !this.#hasCredit()) return
      const size = Math.min(left, Math.max(this.#credit, 0))
      const whole = size === left
      if (item.call !== undefined && item.call.ordinal < 0) item.call.ordinal = this.#begun++
      const flags = whole ? item.flags : (item.flags & ~Flag.END) | (item.kind === Kind.DATA ? 0 : Flag.MORE)
      this.#sender.send(item.kind, flags, this.slot.index, this.serial, item.call?.id ?? 0, item.payload, item.sent, item.sent + size)
      item.sent += size
      this.#credit -= size
      this.#buffered.bytes -= size
      if (!whole) return
      this.#outbox.shift()
      item.taken?.()
    }
  }

  /** A window that was used up grows while it may. */
  #hasCredit(): boolean {
    if (this.#credit <= 0 && this.#window < this.#maxWindow) {
      this.#credit += this.#window
      this.#window *= 2
    }
    return this.#credit > 0
  }

  /** Whether fragments of a message have come and its end has not. */
  get partial(): boolean {
    return this.#parts !== undefined
  }

  /** Keeps a fragment: `source[start, end)`. */
  keepPart(source: Buffer, start: number, end: number): void {
    this.#parts ??= []
    this.#parts.push(ownCopyOf(source, start, end))
    this.#partBytes += end - start
    this.#buffered.bytes += end - start
  }

  dropParts(): void {
    this.#buffered.bytes -= this.#partBytes
    this.#parts = undefined
    this.#partBytes = 0
  }

  /** The whole message in private memory: what was kept and `source[start, end)`. */
  whole(source: Buffer, start: number, end: number): Buffer {
    if (this.#parts === undefined) return ownCopyOf(source, start, end)
    const whole = Buffer.allocUnsafeSlow(this.#partBytes + end - start)
    let at = 0
    for (const part of this.#parts) at += part.copy(whole, at)
    copyBytes(source, start, end, whole, at)
    this.dropParts()
    return whole
  }

  /** Forgets what waits: the connection is gone. */
  clearOutbox(): void {
    this.#buffered.bytes -= this.waitingBytes
    this.#outbox.length = 0
  }
}
