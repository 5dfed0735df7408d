/** Turns a whole RESP2 or RESP3 reply into a value, in place. */
import { copyOf } from '../copies.ts'
import { ReplyError } from '../errors.ts'
import { MAX_DEPTH } from './resp-framer.ts'

/**
 * A reply. Bulk strings are strings, or Buffers with `buffers: true`; integers are numbers, beyond 2⁵³ bigints; big
 * numbers are bigints; doubles numbers; null bulks and arrays `null`; sets and pushes arrays; verbatim strings strings.
 * A map is an object without a prototype, whose keys are always strings (a number as a key becomes its digits).
 * An error inside an aggregate is a `ReplyError` as a value. Attributes are left out.
 */
export type RespReply = string | number | bigint | boolean | null | Buffer | ReplyError | readonly RespReply[] | RespMap

/** A RESP3 map. */
export interface RespMap {
  readonly [key: string]: RespReply
}

const CR = 13
const LF = 10
const ZERO = 48
const DOUBLE = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const BIG = /^[+-]?\d+$/

// One decode at a time: it never awaits, and calls no code but its own.
let cursor = 0
let limit = 0
let asBuffers = false
let ours = false
let depth = 0

/**
 * Decodes `bytes[start, end)`, which holds one whole reply.
 *
 * @param own - The bytes are the reply's own memory: a Buffer that is most of them is a part of it and no copy.
 * @throws ReplyError if the reply is an error.
 * @throws Error if it is malformed, or not one whole reply.
 */
export function decodeReply(bytes: Buffer, start: number, end: number, buffers: boolean, own = false): RespReply {
  cursor = start
  limit = end
  asBuffers = buffers
  ours = own
  depth = 0
  const reply = value(bytes)
  if (cursor !== end) throw malformed('bytes after the end of a reply')
  if (typeof reply === 'object' && reply !== null && reply instanceof ReplyError) throw reply
  return reply
}

function value(bytes: Buffer): RespReply {
  if (cursor >= limit) throw truncated()
  const type = bytes[cursor++]
  switch (type) {
    case 36: // $
      return bulk(bytes, asBuffers)
    case 43: // +
      return line(bytes)
    case 58: // :
      return integer(bytes)
    case 42: // *
    case 126: // ~
    case 62: // >
      return array(bytes)
    default:
      return rareValue(bytes, type)
  }
}

function rareValue(bytes: Buffer, type: number | undefined): RespReply {
  switch (type) {
    case 45: // -
      return replyError(line(bytes))
    case 33: // !
      return replyError(text(bytes))
    case 95: // _
      if (line(bytes) !== '') throw malformed('a null with content')
      return null
    case 35: // #
      return truth(line(bytes))
    case 44: // ,
      return double(line(bytes))
    case 40: // (
      return bigNumber(line(bytes))
    case 61: // =
      return text(bytes).slice(4)
    case 37: // %
      return map(bytes)
    case 124: // |
      map(bytes)
      return value(bytes)
    default:
      throw malformed('a byte that begins no type')
  }
}

function bulk(bytes: Buffer, buffers: boolean): RespReply {
  const length = count(bytes)
  if (length < 0) return null
  const from = cursor
  const to = from + length
  if (to + 2 > limit) throw truncated()
  if (bytes[to] !== CR || bytes[to + 1] !== LF) throw malformed('a bulk that does not end in CR LF')
  cursor = to + 2
  if (!buffers) return bytes.toString(undefined, from, to)
  if (ours && 2 * length > limit) return bytes.subarray(from, to) // less would hold on to memory that nobody else needs
  return copyOf(bytes, from, to)
}

/** A bulk that cannot be null, as a string. */
function text(bytes: Buffer): string {
  const found = bulk(bytes, false)
  if (typeof found !== 'string') throw malformed('a null where it cannot be')
  return found
}

/** The length of a bulk or an aggregate, -1 for null. */
function count(bytes: Buffer): number {
  const from = cursor
  let at = from
  let number = 0
  // Reads stay below `limit`: beyond it lies somebody else's frame.
  for (; at < limit; at++) {
    const digit = (bytes[at] as number) - ZERO // in range: the loop's condition
    if (digit < 0 || digit > 9) break
    number = number * 10 + digit
  }
  if (at === from && at + 1 < limit && bytes[at] === 45 && bytes[at + 1] === 49) {
    number = -1
    at += 2
  }
  if (at + 2 > limit) throw truncated()
  if (at === from || bytes[at] !== CR || bytes[at + 1] !== LF) throw malformed('a length that is not a number')
  cursor = at + 2
  if (number > limit - cursor) throw truncated()
  return number
}

function line(bytes: Buffer): string {
  const from = cursor
  const end = lineEnd(bytes)
  cursor = end + 2
  // Most of all: OK.
  if (end - from === 2 && bytes[from] === 79 && bytes[from + 1] === 75) return 'OK'
  return bytes.toString(undefined, from, end)
}

function lineEnd(bytes: Buffer): number {
  for (let at = cursor; at + 1 < limit; at++) {
    if (bytes[at] !== CR) continue
    if (bytes[at + 1] !== LF) throw malformed('a line that does not end in CR LF')
    return at
  }
  throw truncated()
}

function integer(bytes: Buffer): number | bigint {
  const end = lineEnd(bytes)
  const sign = bytes[cursor]
  const first = sign === 45 || sign === 43 ? cursor + 1 : cursor
  let number = 0
  for (let at = first; at < end; at++) {
    const digit = (bytes[at] as number) - ZERO // in range: below `end`
    if (digit < 0 || digit > 9) throw malformed('an integer that is not a number')
    number = number * 10 + digit
  }
  if (first === end) throw malformed('an integer without digits')
  const exact =
    number <= Number.MAX_SAFE_INTEGER
      ? sign === 45
        ? 0 - number
        : number
      : BigInt(bytes.toString('latin1', sign === 43 ? first : cursor, end))
  cursor = end + 2
  return exact
}

function truth(letter: string): boolean {
  if (letter !== 't' && letter !== 'f') throw malformed('a boolean that is neither t nor f')
  return letter === 't'
}

function double(digits: string): number {
  switch (digits) {
    case 'inf':
    case '+inf':
      return Number.POSITIVE_INFINITY
    case '-inf':
      return Number.NEGATIVE_INFINITY
    case 'nan':
    case '-nan':
      return Number.NaN
    default:
      if (!DOUBLE.test(digits)) throw malformed('a double that is not a number')
      return Number(digits)
  }
}

function bigNumber(digits: string): bigint {
  if (!BIG.test(digits)) throw malformed('a big number that is not a number')
  return BigInt(digits.startsWith('+') ? digits.slice(1) : digits)
}

function array(bytes: Buffer): RespReply {
  const length = count(bytes)
  if (length < 0) return null
  enter()
  const values: RespReply[] = new Array(length)
  for (let i = 0; i < length; i++) values[i] = value(bytes)
  depth--
  return values
}

function map(bytes: Buffer): RespReply {
  const length = count(bytes)
  if (length < 0) throw malformed('a null where it cannot be')
  enter()
  const entries: Record<string, RespReply> = Object.create(null)
  for (let i = 0; i < length; i++) {
    const key = mapKey(bytes)
    entries[key] = value(bytes)
  }
  depth--
  return entries
}

function mapKey(bytes: Buffer): string {
  const buffers = asBuffers
  asBuffers = false
  const key = value(bytes)
  asBuffers = buffers
  if (typeof key === 'object' && key !== null) throw malformed('a map whose key is neither text nor a number')
  return String(key)
}

function enter(): void {
  if (++depth > MAX_DEPTH) throw malformed(`more than ${MAX_DEPTH} aggregates inside each other`)
}

function replyError(message: string): ReplyError {
  const space = message.indexOf(' ')
  return new ReplyError(space < 0 ? message : message.slice(0, space), message)
}

function truncated(): Error {
  return malformed('a reply that is cut off')
}

function malformed(what: string): Error {
  return new Error(`not RESP: ${what}`)
}
