/**
 * Finds the ends of RESP2 and RESP3 replies, without looking at payloads and without keeping bytes.
 *
 * ```
 *           ┌──────────────── one value ────────────────┐
 *  VALUE ─▶ HEADER ─▶ HEADER_LF ─▶ BODY ─▶ BODY_CR ─▶ BODY_LF ─▶ VALUE      $ ! =
 *    │                    └──▶ VALUE, `depth` + 1                           * % ~ > |
 *    └────▶ LINE ──▶ LINE_LF ──▶ VALUE                                      + - : _ # , (
 * ```
 * Between two chunks only the state, the count of the header being read and one count for each open aggregate are kept.
 */
import type { Emit, Framer } from '../codec.ts'

const VALUE = 0
const HEADER = 1
const HEADER_LF = 2
const LINE = 3
const LINE_LF = 4
const BODY = 5
const BODY_CR = 6
const BODY_LF = 7

const CR = 13
const LF = 10
const MINUS = 45
const ZERO = 48
const BULK = 36 // $
const ARRAY = 42 // *
const MAP = 37 // %
const SET = 126 // ~
const PUSH = 62 // >
const ATTRIBUTE = 124 // |
const BULK_ERROR = 33 // !
const VERBATIM = 61 // =

/** Aggregates inside each other, at most; more is taken for an attack on the stack of whoever decodes. */
export const MAX_DEPTH = 128

/** Bytes of a bulk, or elements of an aggregate, at most. What one reply may take in all is the pool's `maxReplyBytes`. */
const MAX_COUNT: number = 2 ** 31 - 1

/** How far a line is searched byte by byte before the search becomes native. */
const SHORT_LINE = 48

/** One for each connection. Malformed bytes throw; the messages hold no payload. */
export class RespFramer implements Framer {
  #state = VALUE
  /** The type byte of the header being read. */
  #type = 0
  /** The header being read: its number, how many digits came, and whether a minus did. */
  #count = 0
  #digits = 0
  #negative = false
  /** Bytes of the bulk still to come. */
  #left = 0
  /** Values still to come of each open aggregate; those of an attribute count up from below zero. */
  readonly #open: number[] = []
  #depth = 0
  /** An attribute of the next frame is whole, the frame itself has not begun. */
  #attributed = false
  #isPush = false
  #ended = false

  push(chunk: Buffer, emit: Emit): void {
    const length = chunk.length
    let start = 0
    let at = 0
    while (at < length) {
      const end = this.#state === VALUE ? endOfScalar(chunk, at, length) : 0
      if (end === 0) at = this.#step(chunk, at)
      else {
        at = end
        if (this.#depth > 0 || this.#attributed) this.#valueEnded()
        else {
          emit(start, end, 'reply')
          start = end
        }
      }
      if (!this.#ended) continue
      const kind = this.#isPush ? 'push' : 'reply'
      this.#ended = this.#isPush = false
      emit(start, at, kind)
      start = at
    }
  }

  atBoundary(): boolean {
    return this.#state === VALUE && this.#depth === 0 && !this.#attributed
  }

  /** What is left of the bulk that is arriving, and its CR LF. */
  missing(): number {
    return this.#state === BODY ? this.#left + 2 : 0
  }

  /** Takes the next piece, from one byte to all of a body. */
  #step(chunk: Buffer, at: number): number {
    const byte = chunk[at] as number // in range: the caller's loop
    switch (this.#state) {
      case VALUE:
        this.#begin(byte)
        return at + 1
      case HEADER:
        return this.#header(chunk, at)
      case HEADER_LF:
        expect(byte, LF)
        this.#headerEnded()
        return at + 1
      case LINE:
        return this.#line(chunk, at)
      case BODY:
        return this.#body(chunk, at)
      case BODY_CR:
        expect(byte, CR)
        this.#state = BODY_LF
        return at + 1
      default: // LINE_LF, BODY_LF
        expect(byte, LF)
        this.#valueEnded()
        return at + 1
    }
  }

  #begin(type: number): void {
    switch (type) {
      case PUSH:
        if (this.#depth > 0) throw malformed('a push inside another value')
        this.#isPush = true
        break
      case BULK:
      case BULK_ERROR:
      case VERBATIM:
      case ARRAY:
      case MAP:
      case SET:
      case ATTRIBUTE:
        break
      default:
        if (!isLineType(type)) throw malformed('a byte that begins no type')
        this.#state = LINE
        return
    }
    this.#type = type
    this.#count = this.#digits = 0
    this.#negative = false
    this.#state = HEADER
  }

  #header(chunk: Buffer, from: number): number {
    const length = chunk.length
    let at = from
    for (; at < length; at++) {
      const digit = (chunk[at] as number) - ZERO // in range: the loop's condition
      if (digit < 0 || digit > 9) break
      this.#count = this.#count * 10 + digit
      if (++this.#digits > 10 || this.#count > MAX_COUNT) throw malformed('a length above the limit')
    }
    if (at === length) return at
    const byte = chunk[at]
    if (byte === CR && this.#digits > 0) this.#state = HEADER_LF
    else if (byte === MINUS && this.#digits === 0 && !this.#negative) this.#negative = true
    else if (byte === 63 && this.#digits === 0 && !this.#negative) throw malformed('streamed values are not supported')
    else throw malformed('a length that is not a number')
    return at + 1
  }

  #headerEnded(): void {
    const type = this.#type
    if (this.#negative) {
      if (this.#count !== 1 || (type !== BULK && type !== ARRAY)) throw malformed('a negative length')
      this.#valueEnded()
    } else if (type === BULK || type === BULK_ERROR || type === VERBATIM) {
      if (type === VERBATIM && this.#count < 4) throw malformed('a verbatim string without a format')
      this.#left = this.#count
      this.#state = this.#left === 0 ? BODY_CR : BODY
    } else this.#aggregate(type)
  }

  #aggregate(type: number): void {
    const values = type === MAP || type === ATTRIBUTE ? 2 * this.#count : this.#count
    this.#state = VALUE
    if (type === ATTRIBUTE) {
      if (this.#depth === 0) this.#attributed = true
      if (values > 0) this.#nest(-values)
    } else if (values > 0) this.#nest(values)
    else this.#valueEnded()
  }

  #nest(values: number): void {
    if (this.#depth === MAX_DEPTH) throw malformed(`more than ${MAX_DEPTH} aggregates inside each other`)
    this.#open[this.#depth++] = values
  }

  #line(chunk: Buffer, from: number): number {
    const end = endOfLine(chunk, from, chunk.length)
    if (end === chunk.length) return end
    this.#state = LINE_LF
    return end + 1
  }

  #body(chunk: Buffer, at: number): number {
    const taken = Math.min(this.#left, chunk.length - at)
    this.#left -= taken
    if (this.#left === 0) this.#state = BODY_CR
    return at + taken
  }

  /** Closes each aggregate that this value completes. The value after an attribute is still to come. */
  #valueEnded(): void {
    this.#state = VALUE
    while (this.#depth > 0) {
      const left = this.#open[this.#depth - 1] as number // one entry for each level
      if (left < 0) {
        this.#open[this.#depth - 1] = left + 1
        if (left === -1) this.#depth--
        return
      }
      this.#open[this.#depth - 1] = left - 1
      if (left > 1) return
      this.#depth--
    }
    this.#attributed = false
    this.#ended = true
  }
}

/** The end of a scalar that lies in the chunk as a whole; else 0, and the slow path says what is wrong, if anything. */
function endOfScalar(chunk: Buffer, at: number, length: number): number {
  if (length - at < 4) return 0
  const type = chunk[at] as number // in range: checked above, and so are all below
  if (type !== BULK) return isLineType(type) ? endOfShortLine(chunk, at + 1, length) : 0
  let i = at + 1
  let byte = chunk[i] as number
  let count = 0
  while (byte >= ZERO && byte <= 57 && i < at + 11 && i < length - 2) {
    count = count * 10 + byte - ZERO
    byte = chunk[++i] as number
  }
  if (byte !== CR || i === at + 1 || chunk[i + 1] !== LF) return 0
  const end = i + count + 4
  return end <= length && chunk[end - 2] === CR && chunk[end - 1] === LF ? end : 0
}

function endOfShortLine(chunk: Buffer, from: number, length: number): number {
  const stop = Math.min(length - 1, from + SHORT_LINE)
  for (let i = from; i < stop; i++) {
    if (chunk[i] === CR) return chunk[i + 1] === LF ? i + 2 : 0
  }
  return 0
}

/** Where the CR of a line is, or `length`. */
function endOfLine(chunk: Buffer, from: number, length: number): number {
  const stop = Math.min(length, from + SHORT_LINE)
  for (let i = from; i < stop; i++) if (chunk[i] === CR) return i
  if (stop === length) return length
  const found = chunk.indexOf(CR, stop)
  return found < 0 ? length : found
}

/** + - : _ # , ( */
function isLineType(type: number): boolean {
  return type === 43 || type === 45 || type === 58 || type === 95 || type === 35 || type === 44 || type === 40
}

function expect(byte: number, wanted: number): void {
  if (byte !== wanted) throw malformed('a line or a bulk that does not end in CR LF')
}

function malformed(what: string): Error {
  return new Error(`not RESP: ${what}`)
}
