/** Lines: text requests and replies that end in a delimiter. */
import type { Emit, Framer, RangeCodec } from '../codec.ts'
import { builtin, defineProtocol, type Protocol, type ProtocolDefinition } from '../define.ts'
import { badOption, PoolError } from '../errors.ts'
import { checkOptions, oneOf, wholeNumber } from './options.ts'

/** Options of `line()`. */
export interface LineOptions {
  /** What ends a line, in both directions. Default '\n'; a '\r' before it is then left out of replies. */
  readonly delimiter?: string | undefined
  /** Default 'utf8'. */
  readonly encoding?: 'utf8' | 'latin1' | undefined
  /** Bytes of a reply with its delimiter, at most; more is PROTOCOL_ERROR. Default: the pool's `maxReplyBytes` alone. */
  readonly maxLineBytes?: number | undefined
}

const RULES = {
  delimiter: { expected: 'a string that is not empty', accepts: (value: unknown) => typeof value === 'string' && value !== '' },
  encoding: oneOf('utf8', 'latin1'),
  maxLineBytes: wholeNumber(1),
}

/**
 * One line asks, one line answers, without their delimiters. Up to 64 requests share one connection at a time.
 *
 * @throws PoolError `BAD_OPTION`: an unknown option, or one of the wrong kind.
 *
 * @example
 * import { createPool, line } from '@cenote/pool-core'
 *
 * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:7000', protocol: line({ delimiter: '\r\n' }) })
 * console.log(await pool.request('hello')) // hello
 */
export function line(options?: LineOptions): Protocol<string, string> {
  lineCodec(options)
  return builtin('line', options)
}

/**
 * The codec alone, for a protocol of one's own. A request that holds the delimiter, ends in a part of it, or has
 * characters that the encoding has not is BAD_REQUEST: it would be read as other requests than it is.
 *
 * @throws PoolError `BAD_OPTION`: an unknown option, or one of the wrong kind.
 *
 * @example
 * import { defineProtocol, lineCodec } from '@cenote/pool-core/shard'
 *
 * export default defineProtocol<string, string>({ name: 'shout', codec: lineCodec({ maxLineBytes: 1024 }) })
 */
export function lineCodec(options?: LineOptions): RangeCodec<string, string> {
  checkOptions('line', options, RULES)
  const { delimiter = '\n', encoding = 'utf8', maxLineBytes = Number.POSITIVE_INFINITY } = options ?? {}
  if (!isWritable(delimiter, encoding)) throw badOption('line()', `delimiter has characters that ${encoding} has not`)
  const ending = Buffer.from(delimiter, encoding)
  const decodeRange = (bytes: Buffer, start: number, end: number): string => {
    const last = end - ending.length
    return bytes.toString(encoding, start, delimiter === '\n' && last > start && bytes[last - 1] === 13 ? last - 1 : last)
  }
  return {
    encode(request, out) {
      if (typeof request !== 'string') throw new PoolError('BAD_REQUEST', `a request is a string, not ${typeof request}`)
      const holds = delimiter.length === 1 ? request.includes(delimiter) : (request + delimiter).indexOf(delimiter) < request.length
      if (holds) throw new PoolError('BAD_REQUEST', 'a request must neither hold the delimiter nor end in a part of it')
      if (!isWritable(request, encoding)) throw new PoolError('BAD_REQUEST', `the request has characters that ${encoding} has not`)
      if (encoding === 'latin1') out.latin1(request)
      else out.utf8(request)
      out.bytes(ending)
    },
    createFramer: () => (ending.length === 1 ? new ByteFramer(ending[0] as number, maxLineBytes) : new WordFramer(ending, maxLineBytes)), // it is not empty
    decode: (frame) => decodeRange(frame, 0, frame.length),
    decodeRange,
  }
}

/** What `line()` refers to. */
export const lineProtocol: ProtocolDefinition<string, string, undefined, LineOptions | undefined> = defineProtocol<
  string,
  string,
  LineOptions | undefined
>({
  name: 'line',
  pipelining: 64,
  codec: lineCodec,
})

const LONE_SURROGATE = /\p{Surrogate}/u

/** Half a surrogate pair has no UTF-8, a code point above 255 no latin1: written anyway, it might become a delimiter. */
function isWritable(text: string, encoding: 'utf8' | 'latin1'): boolean {
  if (encoding === 'utf8') return !LONE_SURROGATE.test(text)
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 255) return false
  return true
}

function checkLength(bytes: number, limit: number): void {
  if (bytes > limit) throw new Error(`a line longer than maxLineBytes (${limit})`)
}

/** For a delimiter of one byte. */
class ByteFramer implements Framer {
  readonly #delimiter: number
  readonly #limit: number
  /** Bytes of the line that began in earlier chunks. */
  #before = 0

  constructor(delimiter: number, limit: number) {
    this.#delimiter = delimiter
    this.#limit = limit
  }

  push(chunk: Buffer, emit: Emit): void {
    let start = 0
    for (;;) {
      const found = chunk.indexOf(this.#delimiter, start)
      const end = found < 0 ? chunk.length : found + 1
      this.#before += end - start
      checkLength(this.#before, this.#limit)
      if (found < 0) return
      this.#before = 0
      emit(start, end, 'reply')
      start = end
    }
  }

  atBoundary(): boolean {
    return this.#before === 0
  }
}

/** For a longer delimiter, which may be cut anywhere: Knuth, Morris and Pratt never look at a byte twice. */
class WordFramer implements Framer {
  readonly #delimiter: Buffer
  /** For each number of bytes that match: how many still do when the next one does not. */
  readonly #fallback: readonly number[]
  readonly #limit: number
  #matched = 0
  #before = 0

  constructor(delimiter: Buffer, limit: number) {
    this.#delimiter = delimiter
    this.#fallback = fallbacks(delimiter)
    this.#limit = limit
  }

  push(chunk: Buffer, emit: Emit): void {
    const length = chunk.length
    let start = 0
    let at = 0
    while (at < length) {
      if (this.#matched === 0) {
        const first = chunk.indexOf(this.#delimiter[0] as number, at) // it is not empty
        if (first < 0) break
        this.#matched = 1
        at = first + 1
        continue
      }
      const byte = chunk[at] as number // in range: the loop's condition
      if (byte === this.#delimiter[this.#matched]) {
        at++
        if (++this.#matched < this.#delimiter.length) continue
        this.#matched = 0
        checkLength(this.#before + at - start, this.#limit)
        this.#before = 0
        emit(start, at, 'reply')
        start = at
      } else this.#matched = this.#fallback[this.#matched] as number // one for each number below the length
    }
    this.#before += length - start
    checkLength(this.#before, this.#limit)
  }

  atBoundary(): boolean {
    return this.#before === 0
  }
}

function fallbacks(word: Buffer): readonly number[] {
  const table = [0, 0]
  let matched = 0
  for (let i = 1; i < word.length; i++) {
    while (matched > 0 && word[i] !== word[matched]) matched = table[matched] as number // shorter than i + 1
    if (word[i] === word[matched]) matched++
    table.push(matched)
  }
  return table
}
