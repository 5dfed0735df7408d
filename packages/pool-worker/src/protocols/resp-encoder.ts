/** Turns a request into an array of bulk strings. */
import type { FrameWriter } from '../codec.ts'
import { PoolError } from '../errors.ts'

/** A command and its arguments. Strings go as UTF-8, numbers as their decimal digits, bytes as they are. */
export type RespRequest = readonly (string | number | Uint8Array)[]

const CR = 13
const LF = 10
const BULK = 36 // $
const ARRAY = 42 // *

/** Up to this many characters a string is looked at one by one; the native count costs more. */
const SHORT = 64

/**
 * Writes one request.
 *
 * @throws PoolError `BAD_REQUEST`: not an array, empty, or an argument of another type; the message names its index.
 */
export function encodeRequest(request: RespRequest, out: FrameWriter): void {
  if (!Array.isArray(request)) throw new PoolError('BAD_REQUEST', 'a request is an array of a command and its arguments')
  const length = request.length
  if (length === 0) throw new PoolError('BAD_REQUEST', 'a request needs at least the name of a command')
  header(ARRAY, length, out)
  for (let i = 0; i < length; i++) {
    const argument = request[i] as RespRequest[number] // in range; what it is, is looked at here
    if (typeof argument === 'string') text(argument, out)
    else if (typeof argument === 'number' && !Number.isNaN(argument)) digits(String(argument), out)
    else if (argument instanceof Uint8Array) {
      header(BULK, argument.length, out)
      out.bytes(argument)
      lineEnd(out)
    } else throw new PoolError('BAD_REQUEST', `argument ${i} of a request must be a string, a number or bytes, not ${kindOf(argument)}`)
  }
}

function text(argument: string, out: FrameWriter): void {
  const bytes = byteLength(argument)
  header(BULK, bytes, out)
  out.utf8(argument, bytes)
  lineEnd(out)
}

function digits(argument: string, out: FrameWriter): void {
  header(BULK, argument.length, out)
  out.latin1(argument)
  lineEnd(out)
}

function byteLength(argument: string): number {
  const length = argument.length
  if (length > SHORT) return Buffer.byteLength(argument)
  for (let i = 0; i < length; i++) if (argument.charCodeAt(i) > 127) return Buffer.byteLength(argument)
  return length
}

function header(type: number, count: number, out: FrameWriter): void {
  out.byte(type)
  out.decimal(count)
  lineEnd(out)
}

function lineEnd(out: FrameWriter): void {
  out.byte(CR)
  out.byte(LF)
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return typeof value === 'number' ? 'NaN' : Array.isArray(value) ? 'an array' : typeof value
}
