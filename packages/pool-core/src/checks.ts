/** How one value of an option is checked: each takes an own value and its name, and returns a safe copy or throws BAD_OPTION. */
import { SHARE_ENV } from 'node:worker_threads'
import { badOption } from '@cenote/pool-worker'
import { nearest } from './nearest.ts'

/** Reads one given value; `name` is what a complaint calls it. */
export type Check<T> = (value: unknown, name: string) => T

/** The longest delay that a timer of Node takes. */
const MAX_MS = 2 ** 31 - 1

/** A value as a complaint prints it. Never called with what may be a secret. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object'
  return String(value)
}

/** A whole number of the range; with `infinity`, Infinity too. */
export function count(min: number, max: number, infinity = false): Check<number> {
  return (value, name) => {
    if (typeof value === 'number' && ((Number.isSafeInteger(value) && value >= min && value <= max) || (infinity && value === Infinity)))
      return value
    throw badOption(name, `must be a whole number from ${min} to ${max}${infinity ? ', or Infinity' : ''}, not ${show(value)}`)
  }
}

/** Any finite number of the range. */
export function numberWithin(min: number, max: number): Check<number> {
  return (value, name) => {
    if (typeof value === 'number' && value >= min && value <= max) return value
    throw badOption(name, `must be a number from ${min} to ${max}, not ${show(value)}`)
  }
}

/** Milliseconds above 0; fractions are allowed, and Infinity unless said otherwise. */
export function duration(max: number = MAX_MS, infinity = true): Check<number> {
  return (value, name) => {
    if (typeof value === 'number' && ((value > 0 && value <= max) || (infinity && value === Infinity))) return value
    throw badOption(name, `must be milliseconds: a number above 0, up to ${max}${infinity ? ', or Infinity' : ''}, not ${show(value)}`)
  }
}

/** true or false. */
export const flag: Check<boolean> = (value, name) => {
  if (typeof value === 'boolean') return value
  throw badOption(name, `must be true or false, not ${show(value)}`)
}

/** A text for people: not empty, one line. */
export function label(max: number): Check<string> {
  return (value, name) => {
    if (typeof value === 'string' && value.length > 0 && value.length <= max && !/\p{Cc}/u.test(value)) return value
    throw badOption(name, `must be a text of 1 to ${max} characters without control characters, not ${show(value)}`)
  }
}

/** An absolute `file:` URL, as a URL or a string; returned as a string. */
export const fileUrl: Check<string> = (value, name) => {
  const text = value instanceof URL ? value.href : value
  if (typeof text === 'string' && URL.canParse(text) && new URL(text).protocol === 'file:') return new URL(text).href
  throw badOption(name, `must be an absolute file: URL, such as new URL('./module.js', import.meta.url), not ${show(value)}`)
}

/** Own enumerable properties of an object, each read once; those that are undefined count as not given. */
export function ownValues(value: unknown, name: string, shape: string): Map<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badOption(name, `must be an object ${shape}`)
  return new Map(Object.entries(value).filter(([, item]) => item !== undefined))
}

/** All fields of a type, each there: what is not given is undefined, so that a lookup never ends at a prototype. */
export type Complete<T> = { readonly [Key in keyof T]-?: T[Key] | undefined }

/** An object of the given fields; unknown ones are refused. */
export function record<T extends object>(fields: { readonly [Key in keyof T]-?: Check<NonNullable<T[Key]>> }): Check<Complete<T>> {
  const known = Object.keys(fields) as (keyof T & string)[] // the keys of `fields` are those of T
  return (value, name) => {
    const own = ownValues(value, name, `of ${known.join(', ')}`)
    refuseUnknown(own, known, name)
    const entries = known.map((key) => [key, own.has(key) ? fields[key](own.get(key), `${name}.${key}`) : undefined])
    return Object.freeze(Object.fromEntries(entries)) as Complete<T> // each key of T with what its check returned
  }
}

/** Complains of the first property that is not among the known ones, naming the nearest. */
export function refuseUnknown(own: ReadonlyMap<string, unknown>, known: readonly string[], name: string): void {
  for (const key of own.keys()) {
    if (known.includes(key)) continue
    const near = nearest(key, known)
    throw badOption(
      `${name}.${key}`,
      near === undefined ? `is unknown; known are ${known.join(', ')}` : `is unknown; did you mean ${near}?`,
    )
  }
}

/** Texts in an array, copied. */
export const texts: Check<readonly string[]> = (value, name) => {
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return Object.freeze([...value])
  throw badOption(name, 'must be an array of strings')
}

/** Environment variables for a worker: a record of strings, or `SHARE_ENV`. */
export const environment: Check<Readonly<Record<string, string>> | typeof SHARE_ENV> = (value, name) => {
  if (value === SHARE_ENV) return SHARE_ENV
  const own = ownValues(value, name, 'of strings, or SHARE_ENV of node:worker_threads')
  const result: Record<string, string> = Object.create(null)
  for (const [key, item] of own) {
    if (typeof item !== 'string') throw badOption(name, `must hold strings only; ${JSON.stringify(key)} is none`)
    result[key] = item
  }
  return Object.freeze(result)
}

/** A text that is never printed. */
export const secretText: Check<string> = (value, name) => {
  if (typeof value === 'string') return value
  throw badOption(name, 'must be a string')
}

/** A text or bytes, never printed; bytes are copied, so that no larger buffer crosses with them. */
export const secretBytes: Check<string | Uint8Array> = (value, name) => {
  if (typeof value === 'string') return value
  if (value instanceof Uint8Array) return new Uint8Array(value)
  throw badOption(name, 'must be a string, a Buffer or a Uint8Array')
}

/** One of the given texts. */
export function oneOf<T extends string>(...choices: readonly T[]): Check<T> {
  return (value, name) => {
    const choice = choices.find((item) => item === value)
    if (choice !== undefined) return choice
    throw badOption(name, `must be one of ${choices.map((item) => JSON.stringify(item)).join(', ')}`)
  }
}
