/** Values of flags, as people write them: times, sizes, counts. Each reader names its flag when it cannot read. */
import { UsageError } from '../process/command.ts'

const TIME = 'a time such as 500ms, 30s or 2m'
const SIZE = 'a number of bytes such as 64, 4k or 1m'

const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
const BYTES: Readonly<Record<string, number>> = { '': 1, k: 1_024, m: 1_024 ** 2 }

/** What a duration may be, in milliseconds. */
interface TimeLimits {
  /** Default 1. */
  readonly least?: number
  /** Default an hour. */
  readonly most?: number
}

/** Reads a duration with its unit; in milliseconds. */
export function time(flag: string, text: string, { least = 1, most = 3_600_000 }: TimeLimits = {}): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? []
  const value = text === '0' ? 0 : Number(number) * (MILLISECONDS[unit] ?? Number.NaN)
  if (value >= least && value <= most) return value
  throw new UsageError(`--${flag} must be ${TIME}, from ${printTime(least)} to ${printTime(most)}, not ${JSON.stringify(text)}`)
}

/** Reads a number of bytes; k and m are the binary ones. */
export function size(flag: string, text: string, least: number, most: number): number {
  const [, number, unit = ''] = /^(\d+)([km]?)(?:i?b)?$/i.exec(text) ?? []
  const value = Number(number) * (BYTES[unit.toLowerCase()] ?? Number.NaN)
  if (value >= least && value <= most) return value
  throw new UsageError(`--${flag} must be ${SIZE}, from ${least} to ${most.toLocaleString('en-US')} bytes, not ${JSON.stringify(text)}`)
}

/** Reads a whole number. */
export function count(flag: string, text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw new UsageError(`--${flag} must be a whole number from ${least} to ${most.toLocaleString('en-US')}, not ${JSON.stringify(text)}`)
}

/** Reads one word out of several. */
export function word<T extends string>(flag: string, text: string, words: readonly T[]): T {
  const found = words.find((each) => each === text)
  if (found !== undefined) return found
  throw new UsageError(`--${flag} must be ${words.slice(0, -1).join(', ')} or ${words.at(-1)}, not ${JSON.stringify(text)}`)
}

/** A duration as `time` reads it. */
export function printTime(ms: number): string {
  for (const [unit, scale] of [
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1_000],
  ] as const)
    if (ms >= scale && ms % scale === 0) return `${ms / scale}${unit}`
  return ms === 0 ? '0' : `${ms}ms`
}
