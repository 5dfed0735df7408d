/** How a protocol turns requests into bytes and bytes into replies. */
import { LONG, skewOf } from './copies.ts'

/**
 * Told by a framer of each frame that ends in the chunk it was given: `chunk[start, end)`. A frame that began in an
 * earlier chunk has `start` 0; what came before has been kept. A frame includes its delimiter.
 */
export type Emit = (start: number, end: number, kind: 'reply' | 'push') => void

/** Finds the ends of frames in a stream of chunks, without joining them. One for each connection. */
export interface Framer {
  /** Looks through the next bytes of the stream. A throw is PROTOCOL_ERROR, and ends this connection alone. */
  push(chunk: Buffer, emit: Emit): void
  /** Whether the stream stands between two frames: a connection is fit for the next caller only then. */
  atBoundary(): boolean
  /**
   * How many bytes at least the frame that is arriving still takes, if it can tell; without this method, or when it gives 0, it
   * cannot. A long frame is then read straight into memory of its own, and one beyond `maxReplyBytes` is refused when it is announced.
   */
  missing?(): number
}

/** The codec of a protocol. `encode` and `decode` run where the caller is: on the main thread, or in the shard for handlers. */
export interface Codec<Req, Rep> {
  /** Writes one request, and does nothing with the pool meanwhile. A throw is BAD_REQUEST, and nothing was sent. */
  encode(request: Req, out: FrameWriter): void
  /** Makes the framer of a new connection. */
  createFramer(): Framer
  /** Turns one whole frame into a reply. A thrown `ReplyError` rejects its request alone; any other throw is PROTOCOL_ERROR. */
  decode(frame: Buffer): Rep
}

/** A built-in codec can also decode from the middle of a buffer that it must not keep: no copy for small replies. */
export interface RangeCodec<Req, Rep> extends Codec<Req, Rep> {
  /** As `decode(bytes.subarray(start, end))`. The result must not alias `bytes`. */
  decodeRange(bytes: Buffer, start: number, end: number): Rep
}

/** Whether a codec decodes in place. */
export function decodesInPlace<Req, Rep>(codec: Codec<Req, Rep>): codec is RangeCodec<Req, Rep> {
  return 'decodeRange' in codec
}

const FIRST_BYTES = 1024

/**
 * Where a codec writes its request. Small requests go straight into the ring; one that outgrows the room there moves
 * to memory of its own.
 *
 * @example
 * import type { FrameWriter } from '@cenote/pool-core/shard'
 *
 * export function encode(request: string, out: FrameWriter): void {
 *   out.uint(Buffer.byteLength(request), 2)
 *   out.utf8(request)
 * }
 */
export class FrameWriter {
  #target: Buffer
  #start = 0
  #at = 0
  #limit: number
  #spare: Buffer
  #inPlace = false
  #skew = 0

  constructor() {
    this.#spare = Buffer.allocUnsafeSlow(FIRST_BYTES)
    this.#target = this.#spare
    this.#limit = FIRST_BYTES
  }

  /** Starts a message in `target[start, limit)`; without arguments, in the writer's own memory. */
  begin(target?: Buffer, start = 0, limit = 0): void {
    this.#inPlace = target !== undefined
    this.#skew = 0
    this.#target = target ?? this.#spare
    this.#start = this.#at = start
    this.#limit = target === undefined ? this.#spare.length : limit
  }

  /** Whether the message is still where `begin` started it. */
  get inPlace(): boolean {
    return this.#inPlace
  }

  /** Bytes written since `begin`. */
  get length(): number {
    return this.#at - this.#start
  }

  /** How far behind a word's beginning the message should begin, for the last of its long `bytes` to begin where their source does. */
  get skew(): number {
    return this.#skew
  }

  /** The message, in memory that the next `begin` overwrites. */
  get written(): Buffer {
    return this.#target.subarray(this.#start, this.#at)
  }

  /** The message, in memory that nobody writes to any more: a long one's own, for others a copy. */
  take(): Buffer {
    const { written } = this
    if (this.#inPlace || this.#target === this.#spare) return Buffer.from(written)
    this.begin()
    return written
  }

  /** Writes one byte. */
  byte(value: number): void {
    if (this.#at === this.#limit) this.#grow(1)
    this.#target[this.#at++] = value
  }

  /** Writes bytes as they are. */
  bytes(source: Uint8Array): void {
    const length = source.length
    if (this.#limit - this.#at < length) this.#grow(length)
    if (length >= LONG) this.#skew = skewOf(source, this.#start - this.#at, length)
    this.#target.set(source, this.#at)
    this.#at += length
  }

  /** Writes text of code points below 256, a byte each. Short text is faster so than as utf8. */
  latin1(text: string): void {
    const length = text.length
    if (this.#limit - this.#at < length) this.#grow(length)
    if (length <= 24) {
      const target = this.#target
      let at = this.#at
      for (let i = 0; i < length; i++) target[at++] = text.charCodeAt(i)
      this.#at = at
      return
    }
    this.#at += this.#target.write(text, this.#at, length, 'latin1')
  }

  /** Writes text as UTF-8, in as many bytes as the caller counted with `Buffer.byteLength`. */
  utf8(text: string, byteLength: number = Buffer.byteLength(text)): void {
    if (byteLength === text.length) {
      this.latin1(text)
      return
    }
    if (this.#limit - this.#at < byteLength) this.#grow(byteLength)
    this.#at += this.#target.write(text, this.#at, byteLength, 'utf8')
  }

  /** Writes an unsigned integer in decimal digits. */
  decimal(value: number): void {
    if (value < 10) this.byte(48 + value)
    else this.latin1(String(value))
  }

  /** Writes an unsigned integer of 1, 2, 4 bytes, the highest first unless `littleEndian`. */
  uint(value: number, size: 1 | 2 | 4, littleEndian = false): void {
    if (this.#limit - this.#at < size) this.#grow(size)
    for (let i = 0; i < size; i++) {
      const shift = 8 * (littleEndian ? i : size - 1 - i)
      this.#target[this.#at++] = (value >>> shift) & 0xff
    }
  }

  #grow(more: number): void {
    const length = this.length
    const size = Math.max(2 * this.#spare.length, 2 ** Math.ceil(Math.log2(length + more)))
    const next = this.#inPlace && this.#spare.length >= length + more ? this.#spare : Buffer.allocUnsafeSlow(size)
    this.#target.copy(next, 0, this.#start, this.#at)
    if (next.length <= 65_536) this.#spare = next
    this.#target = next
    this.#inPlace = false
    this.#start = 0
    this.#at = length
    this.#limit = next.length
  }
}
