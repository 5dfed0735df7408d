/** Values that options of a kind refuse. */

export const WHOLE: readonly unknown[] = [-1, 1.5, Number.NaN, '4', 4n, null, true, {}, [], () => 1, Number.NEGATIVE_INFINITY]
export const DURATION: readonly unknown[] = [
  0,
  -0,
  -1,
  Number.NaN,
  '4',
  4n,
  null,
  true,
  {},
  [],
  2 ** 31,
  Number.NEGATIVE_INFINITY,
  new Date(),
]
export const FLAG: readonly unknown[] = [0, 1, 'true', null, {}, Number.NaN]
