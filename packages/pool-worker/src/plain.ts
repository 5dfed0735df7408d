/**
 * Small plain values as JSON inside frames. For these a structured clone gives the same, and a message of a port costs ten times as much as
 * a frame: what is not sure to come out the same goes beside the rings, as a parcel.
 */
import { types } from 'node:util'
import { transferOf } from './transfer.ts'

/** Of a text, in characters; of an array or object, in entries. What is longer is cloned as fast as it is written and parsed. */
const MOST_CHARACTERS = 1_024
const MOST_ENTRIES = 32

/**
 * Whether a value is undefined, a primitive that JSON knows, or an array or plain object of such primitives. Nothing deeper: one object that
 * is met twice in a value is one object in its clone, and two in JSON.
 */
export function isPlain(value: unknown): boolean {
  if (value === undefined || isLeaf(value)) return true
  if (typeof value !== 'object' || value === null || types.isProxy(value) || 'toJSON' in value || transferOf(value).length > 0) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== Array.prototype) return false
  const keys = Object.keys(value)
  if (keys.length > MOST_ENTRIES || Array.isArray(value) !== (prototype === Array.prototype)) return false
  // Indexes come first: if there are as many keys as entries, and the last is the last index, nothing is missing and nothing besides.
  if (Array.isArray(value)) return keys.length === value.length && keys.at(-1) === lastIndex(value) && value.every(isLeaf)
  for (const key of keys) if (key.length > MOST_CHARACTERS || !isLeaf((value as Readonly<Record<string, unknown>>)[key])) return false // its own
  return true
}

function lastIndex({ length }: readonly unknown[]): string | undefined {
  return length === 0 ? undefined : String(length - 1)
}

function isLeaf(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
      return value.length <= MOST_CHARACTERS
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
    case 'boolean':
      return true
    default:
      return value === null
  }
}

/** A plain value as bytes; undefined as none. */
export function packPlain(value: unknown): Buffer {
  return value === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(value))
}

/** What `packPlain` made `bytes[start, end)` of. */
export function unpackPlain(bytes: Buffer, start: number, end: number): unknown {
  return start === end ? undefined : JSON.parse(bytes.toString('utf8', start, end))
}
