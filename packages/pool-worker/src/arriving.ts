/** The frame that is arriving on one connection, kept until its end has come. */
import { HeldBytes } from './held.ts'

/**
 * A frame of so many bytes goes beside the ring, in memory of its own. Below it, copying it through the ring costs less than
 * memory that changes its owner. Measured on Node 20.
 */
export const LONG_BYTES: number = 32_768

/**
 * How much memory a frame gets before its bytes have come, and how many times what has come: whoever announces much and sends little
 * makes nobody reserve it.
 */
const FIRST_BYTES = 2 ** 21
const AHEAD = 8

/**
 * Keeps a short frame in shared chunks, and one that is known to become long in one piece of memory, which its socket can read into:
 * then no byte of it is copied between the kernel and whoever decodes it.
 */
export class Arriving {
  /** The bytes of a short one. */
  readonly held: HeldBytes = new HeldBytes()
  #long: Buffer | undefined = undefined
  /** Bytes of the long one that have come. */
  #length = 0

  /** Bytes that have come. */
  get length(): number {
    return this.held.length + this.#length
  }

  /** Where the next bytes of a long frame belong; undefined for a short one. */
  get room(): Buffer | undefined {
    return this.#long?.subarray(this.#length)
  }

  /** Keeps `chunk[start, end)`. At least `missing` bytes of the frame are still to come, as far as the protocol knows. */
  keep(chunk: Buffer, start: number, end: number, missing: number): void {
    const length = this.length + end - start
    if (this.#long === undefined && (missing === 0 || length + missing < LONG_BYTES)) return this.held.append(chunk, start, end)
    const inPlace = this.#isOurs(chunk)
    if (inPlace) this.#length = length
    const long = this.#reserve(length, missing)
    if (!inPlace) chunk.copy(long, this.#length, start, end)
    this.#length = length
  }

  /** Shows each part of a short frame in order. They may be used during the call only. */
  each(action: (part: Buffer) => void): void {
    this.held.each(action)
  }

  /** The frame, whose last bytes are `chunk[start, end)`, in memory that is its own and no longer than it. `clear` it then. */
  whole(chunk: Buffer, start: number, end: number): Buffer {
    const long = this.#long
    if (long === undefined) return this.held.join(chunk, start, end)
    const length = this.#length + end - start
    if (length === long.length) {
      if (!this.#isOurs(chunk)) chunk.copy(long, this.#length, start, end)
      return long
    }
    const exact = Buffer.allocUnsafeSlow(length)
    long.copy(exact, 0, 0, this.#length)
    chunk.copy(exact, this.#length, start, end)
    return exact
  }

  /** Forgets all. */
  clear(): void {
    this.held.clear()
    this.#long = undefined
    this.#length = 0
  }

  /** Whether the chunk was read where `room` said: behind what is here. */
  #isOurs(chunk: Buffer): boolean {
    return chunk.buffer === this.#long?.buffer
  }

  /** Memory for `length` bytes, and for some at least of those that are missing. */
  #reserve(length: number, missing: number): Buffer {
    const before = this.#long
    if (before !== undefined && before.length > length) return before
    const wanted = before === undefined ? length + missing : Math.max(2 * length, length + missing)
    const next = Buffer.allocUnsafeSlow(Math.min(wanted, Math.max(FIRST_BYTES, AHEAD * length)))
    if (before === undefined) {
      let at = 0
      this.held.each((part) => {
        at += part.copy(next, at)
      })
      this.held.clear()
      this.#length = at
    } else before.copy(next, 0, 0, this.#length)
    this.#long = next
    return next
  }
}
