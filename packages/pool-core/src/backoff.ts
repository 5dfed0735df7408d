/** The pause before trying again. */

/**
 * Full jitter: a random time below a bound that grows with each failure in a row, so that those who failed together do
 * not come back together.
 *
 * @param failures - In a row, from 1.
 * @param chance - At least 0, below 1.
 * @returns Milliseconds.
 * @see The AWS architecture blog, "Exponential backoff and jitter" (full jitter)
 */
export function backoffMs(
  options: { readonly initialMs: number; readonly maxMs: number; readonly factor: number },
  failures: number,
  chance: number,
): number {
  return chance * Math.min(options.maxMs, options.initialMs * options.factor ** (failures - 1))
}
