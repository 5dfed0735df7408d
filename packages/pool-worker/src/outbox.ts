/** Bytes gathered for the next write of one connection, in memory that nobody else touches until the kernel took it. */
import { copyBytes } from './copies.ts'

const SMALL_BYTES = 16_384
const SMALL_COUNT = 64
/** Longer ones are kept up to this length, and these few: fresh memory costs the kernel more than the copy into it. */
const LARGE_BYTES = 2 ** 20
const LARGE_COUNT = 4

/** Buffers for writes, used again and again. One stock for each shard: a connection at rest holds none. */
export class BufferStock {
  readonly #small: Buffer[] = []
  readonly #large: Buffer[] = []

  /** A buffer of at least `bytes`, with any content. */
  take(bytes: number): Buffer {
    if (bytes <= SMALL_BYTES) return this.#small.pop() ?? Buffer.allocUnsafeSlow(SMALL_BYTES)
    const fitting = this.#large.findIndex((buffer) => buffer.length >= bytes)
    if (fitting >= 0) return this.#large.splice(fitting, 1)[0] as Buffer // found above
    return Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(bytes)))
  }

  /** Takes a buffer back that nobody reads any more. */
  give(buffer: Buffer): void {
    if (buffer.length === SMALL_BYTES) {
      if (this.#small.length < SMALL_COUNT) this.#small.push(buffer)
    } else if (buffer.length <= LARGE_BYTES && this.#large.length < LARGE_COUNT) this.#large.push(buffer)
  }
}

/** What one connection writes next. */
export class Outbox {
  readonly #stock: BufferStock
  #buffer: Buffer | undefined = undefined
  #length = 0

  constructor(stock: BufferStock) {
    this.#stock = stock
  }

  get length(): number {
    return this.#length
  }

  /** Copies `source[start, end)` behind what is there. */
  append(source: Uint8Array, start: number, end: number): void {
    if (start === end) return
    const needed = this.#length + end - start
    if (this.#buffer === undefined) {
      this.#buffer = this.#stock.take(needed)
    } else if (needed > this.#buffer.length) {
      const next = this.#stock.take(Math.max(needed, 2 * this.#buffer.length))
      this.#buffer.copy(next, 0, 0, this.#length)
      this.#stock.give(this.#buffer)
      this.#buffer = next
    }
    copyBytes(source, start, end, this.#buffer, this.#length)
    this.#length = needed
  }

  /** Takes `size` bytes out, from position `from`. */
  remove(from: number, size: number): void {
    this.#buffer?.copyWithin(from, from + size, this.#length)
    this.#length -= size
  }

  /** Hands over the buffer, whose first `length` bytes (ask before) are to be written; give it back to the stock afterwards. */
  take(): Buffer | undefined {
    const buffer = this.#buffer
    this.#buffer = undefined
    this.#length = 0
    return buffer
  }
}
