/** Work that takes a known time. */

/** Keeps this thread busy for so many microseconds. */
export function spin(microseconds: number): void {
  const end = performance.now() + microseconds / 1_000
  while (performance.now() < end);
}
