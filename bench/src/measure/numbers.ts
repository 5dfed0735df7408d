/** Medians, and numbers as people read them. */

/** The middle of the values; of an even number of them the mean of the two in the middle. Of none: NaN. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const high = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? Number.NaN) + high) / 2
}

/** Median, least and greatest. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** Sums up repeated measurements. */
export function spread(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}

/** Three significant digits, thousands apart: 183,000; 71.3; 0.042. */
export function readable(value: number): string {
  if (!Number.isFinite(value)) return '-'
  const rounded = Number(value.toPrecision(3))
  if (Math.abs(rounded) >= 100) return Math.round(rounded).toLocaleString('en-US')
  if (rounded === 0) return '0'
  return Math.abs(rounded) < 0.01 ? '<0.01' : rounded.toFixed(Math.abs(rounded) >= 10 ? 1 : 2)
}
