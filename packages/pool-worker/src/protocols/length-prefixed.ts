/** Messages of any bytes, each behind its length. */
import type { Emit, Framer, RangeCodec } from '../codec.ts'
import { copyOf } from '../copies.ts'
import { builtin, defineProtocol, type Protocol, type ProtocolDefinition } from '../define.ts'
import { PoolError } from '../errors.ts'
import { anyBoolean, checkOptions, oneOf } from './options.ts'

/** Options of `lengthPrefixed()`. */
export interface LengthPrefixedOptions {
  /** Bytes of the length, an unsigned integer. Default 4. */
  readonly size?: 1 | 2 | 4 | undefined
  /** Whether the lowest byte of the length comes first. Default false. */
  readonly littleEndian?: boolean | undefined
  /** Whether the length counts itself too. Default false. */
  readonly includesHeader?: boolean | undefined
}

const RULES = { size: oneOf(1, 2, 4), littleEndian: anyBoolean, includesHeader: anyBoolean }

/**
 * One message asks, one message answers, without their lengths. Up to 64 requests share one connection at a time.
 *
 * @throws PoolError `BAD_OPTION`: an unknown option, or one of the wrong kind.
 *
 * @example
 * import { createPool, lengthPrefixed } from '@cenote/pool-core'
 *
 * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:7000', protocol: lengthPrefixed({ size: 2 }) })
 * console.log(String(await pool.request(Buffer.from('hello')))) // hello
 */
export function lengthPrefixed(options?: LengthPrefixedOptions): Protocol<Uint8Array, Buffer> {
  checkOptions('lengthPrefixed', options, RULES)
  return builtin('lengthPrefixed', options)
}

/**
 * The codec alone, for a protocol of one's own. A request that its length cannot hold is BAD_REQUEST.
 *
 * @throws PoolError `BAD_OPTION`: an unknown option, or one of the wrong kind.
 *
 * @example
 * import { defineProtocol, type FrameWriter, lengthPrefixedCodec } from '@cenote/pool-core/shard'
 *
 * const { createFramer, decode, encode } = lengthPrefixedCodec({ size: 2 })
 *
 * export default defineProtocol<object, unknown>({
 *   name: 'json',
 *   pipelining: 16,
 *   codec: {
 *     createFramer,
 *     encode: (request: object, out: FrameWriter) => encode(Buffer.from(JSON.stringify(request)), out),
 *     decode: (frame: Buffer): unknown => JSON.parse(String(decode(frame))),
 *   },
 * })
 */
export function lengthPrefixedCodec(options?: LengthPrefixedOptions): RangeCodec<Uint8Array, Buffer> {
  checkOptions('lengthPrefixed', options, RULES)
  const { size = 4, littleEndian = false, includesHeader = false } = options ?? {}
  const extra = includesHeader ? size : 0
  const longest = 2 ** (8 * size) - 1 - extra
  return {
    encode(request, out) {
      if (!(request instanceof Uint8Array)) throw new PoolError('BAD_REQUEST', `a request is bytes, not ${typeof request}`)
      if (request.length > longest)
        throw new PoolError('BAD_REQUEST', `a request of ${request.length} bytes is longer than its length can say (${longest})`)
      out.uint(request.length + extra, size, littleEndian)
      out.bytes(request)
    },
    createFramer: () => new LengthFramer(size, littleEndian, extra),
    decode: (frame) => frame.subarray(size),
    decodeRange: (bytes, start, end) => copyOf(bytes, start + size, end),
  }
}

/** What `lengthPrefixed()` refers to. */
export const lengthPrefixedProtocol: ProtocolDefinition<Uint8Array, Buffer, undefined, LengthPrefixedOptions | undefined> = defineProtocol<
  Uint8Array,
  Buffer,
  LengthPrefixedOptions | undefined
>({ name: 'lengthPrefixed', pipelining: 64, codec: lengthPrefixedCodec })

class LengthFramer implements Framer {
  readonly #size: number
  readonly #littleEndian: boolean
  readonly #extra: number
  /** Bytes of the length that have come, and their sum. */
  #read = 0
  #length = 0
  /** Bytes of the message still to come. */
  #left = 0

  constructor(size: number, littleEndian: boolean, extra: number) {
    this.#size = size
    this.#littleEndian = littleEndian
    this.#extra = extra
  }

  push(chunk: Buffer, emit: Emit): void {
    const end = chunk.length
    let start = 0
    let at = 0
    while (at < end) {
      while (at < end && this.#read < this.#size) this.#header(chunk[at++] as number) // in range: the loop's condition
      if (this.#read < this.#size) return
      const taken = Math.min(this.#left, end - at)
      at += taken
      this.#left -= taken
      if (this.#left > 0) return
      this.#read = 0
      emit(start, at, 'reply')
      start = at
    }
  }

  atBoundary(): boolean {
    return this.#read === 0
  }

  missing(): number {
    return this.#read === this.#size ? this.#left : 0
  }

  #header(byte: number): void {
    // By multiplication: a shift would make a length from 2³¹ up negative.
    this.#length = this.#read === 0 ? byte : this.#littleEndian ? this.#length + byte * 2 ** (8 * this.#read) : this.#length * 256 + byte
    if (++this.#read < this.#size) return
    if (this.#length < this.#extra) throw new Error('a length that is less than its own bytes')
    this.#left = this.#length - this.#extra
  }
}
