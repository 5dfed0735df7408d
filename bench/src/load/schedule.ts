/** When requests are to begin: computed from the rates alone, by a clock of its own that nothing can hold up. Pure. */
import { UsageError } from '../process/command.ts'

/** How the rate goes: one rate, from one to another, or several one after the other, each for as long. Requests a second. */
export interface RatePlan {
  readonly shape: 'constant' | 'ramp' | 'steps'
  readonly rates: readonly number[]
}

/** Even distances, or random ones as of many callers who know nothing of each other. */
export type Arrivals = 'constant' | 'poisson'

/** A stretch of time in which the rate goes straight from one value to another; requests a second. */
export interface Segment {
  readonly from: number
  readonly to: number
  readonly durationMs: number
}

const MAX_RATE = 10_000_000
const FORMS = '5000 (constant), 1000..20000 (a ramp) or 1000,5000,20000 (steps)'

/**
 * Reads `5000`, `1000..20000` or `1000,5000,20000`.
 *
 * @throws UsageError that names the flag.
 */
export function parseRate(text: string): RatePlan {
  const shape = text.includes('..') ? 'ramp' : text.includes(',') ? 'steps' : 'constant'
  const parts = text.split(shape === 'ramp' ? '..' : ',')
  const rates = parts.map((part) => (/^\d+(\.\d+)?$/.test(part) ? Number(part) : Number.NaN))
  const fits = rates.every((rate) => rate > 0 && rate <= MAX_RATE) && (shape !== 'ramp' || rates.length === 2)
  if (fits) return { shape, rates }
  throw new UsageError(
    `--rate must be requests a second, above 0 and at most ${MAX_RATE.toLocaleString('en-US')}: ${FORMS}; not ${JSON.stringify(text)}`,
  )
}

/** The plan over time: the warm-up runs at the first rate. */
export function segmentsOf({ shape, rates }: RatePlan, warmupMs: number, durationMs: number): Segment[] {
  const first = rates[0] ?? 0
  const last = rates.at(-1) ?? 0
  const segments: Segment[] = warmupMs > 0 ? [{ from: first, to: first, durationMs: warmupMs }] : []
  if (shape === 'ramp') segments.push({ from: first, to: last, durationMs })
  else for (const rate of rates) segments.push({ from: rate, to: rate, durationMs: durationMs / rates.length })
  return segments
}

/**
 * The moments at which requests are to begin, in milliseconds from the start, in order. Arrivals one apart (or, by Poisson, an
 * exponentially distributed number with the mean 1) are laid on the curve of how many the rates have asked for so far: that is right for
 * any rate that changes.
 */
export function* arrivals(segments: readonly Segment[], kind: Arrivals, random: () => number): Generator<number, void> {
  const gap = kind === 'constant' ? () => 1 : () => -Math.log(1 - random())
  let due = kind === 'constant' ? 0 : gap()
  let [startMs, before] = [0, 0]
  for (const segment of segments) {
    const total = countOf(segment)
    for (; due - before < total; due += gap()) yield startMs + timeOf(segment, due - before)
    startMs += segment.durationMs
    before += total
  }
}

/** Numbers in [0, 1) that look random and are the same for the same seed. @see mulberry32 */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function countOf({ from, to, durationMs }: Segment): number {
  return ((from + to) / 2 / 1_000) * durationMs
}

/** When the segment has asked for so many: the root of `from·t + slope·t²/2 = count`, in the form that divides by no slope. */
function timeOf({ from, to, durationMs }: Segment, count: number): number {
  const rate = from / 1_000
  const slope = (to - from) / 1_000 / durationMs
  return (2 * count) / (rate + Math.sqrt(Math.max(0, rate * rate + 2 * slope * count)))
}
