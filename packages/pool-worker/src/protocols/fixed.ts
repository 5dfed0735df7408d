/** Messages that all have one length. */
import type { Emit, Framer, RangeCodec } from '../codec.ts'
import { copyOf } from '../copies.ts'
import { builtin, defineProtocol, type Protocol, type ProtocolDefinition } from '../define.ts'
import { badOption, PoolError } from '../errors.ts'
import { checkOptions, wholeNumber } from './options.ts'

/** Options of `fixed()`. */
export interface FixedOptions {
  /** Bytes of each request and of each reply. */
  readonly bytes: number
}

const RULES = { bytes: wholeNumber(1) }

/**
 * So many bytes ask, so many bytes answer. Up to 64 requests share one connection at a time.
 *
 * @throws PoolError `BAD_OPTION`: `bytes` is missing or not a whole number from 1 up, or an unknown option.
 *
 * @example
 * import { createPool, fixed } from '@cenote/pool-core'
 *
 * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:7000', protocol: fixed({ bytes: 8 }) })
 * console.log(String(await pool.request(Buffer.from('12345678')))) // 12345678
 */
export function fixed(options: FixedOptions): Protocol<Uint8Array, Buffer> {
  fixedCodec(options)
  return builtin('fixed', options)
}

/**
 * The codec alone, for a protocol of one's own. A request of another length is BAD_REQUEST.
 *
 * @throws PoolError `BAD_OPTION`: `bytes` is missing or not a whole number from 1 up, or an unknown option.
 *
 * @example
 * import { defineProtocol, fixedCodec } from '@cenote/pool-core/shard'
 *
 * export default defineProtocol<Uint8Array, Buffer>({ name: 'clock', codec: fixedCodec({ bytes: 8 }) })
 */
export function fixedCodec(options: FixedOptions): RangeCodec<Uint8Array, Buffer> {
  checkOptions('fixed', options, RULES)
  const size = options?.bytes
  if (size === undefined) throw badOption('fixed()', 'bytes is missing')
  return {
    encode(request, out) {
      if (!(request instanceof Uint8Array)) throw new PoolError('BAD_REQUEST', `a request is bytes, not ${typeof request}`)
      if (request.length !== size) throw new PoolError('BAD_REQUEST', `a request has ${size} bytes, not ${request.length}`)
      out.bytes(request)
    },
    createFramer: () => new FixedFramer(size),
    decode: (frame) => frame,
    decodeRange: copyOf,
  }
}

/** What `fixed()` refers to. */
export const fixedProtocol: ProtocolDefinition<Uint8Array, Buffer, undefined, FixedOptions> = defineProtocol<
  Uint8Array,
  Buffer,
  FixedOptions
>({
  name: 'fixed',
  pipelining: 64,
  codec: fixedCodec,
})

class FixedFramer implements Framer {
  readonly #size: number
  #left: number

  constructor(size: number) {
    this.#size = this.#left = size
  }

  push(chunk: Buffer, emit: Emit): void {
    let start = 0
    while (chunk.length - start >= this.#left) {
      const end = start + this.#left
      this.#left = this.#size
      emit(start, end, 'reply')
      start = end
    }
    this.#left -= chunk.length - start
  }

  atBoundary(): boolean {
    return this.#left === this.#size
  }

  missing(): number {
    return this.#left
  }
}
