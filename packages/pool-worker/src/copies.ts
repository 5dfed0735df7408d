/**
 * Copies to and from the rings. V8 copies memory that threads share a word at a time where source and target begin at the same place in a word, and
 * else byte by byte, which takes up to five times as long: so whoever may choose where a copy begins chooses that.
 */

/** Below this length a loop is faster than a native copy. Measured on Node 20. */
const SMALL = 48
/** From this length on a copy is worth a second view of its memory, to begin where the source does. */
export const LONG = 512
const WORD_BYTES = 8

/** How far behind a word's beginning, in bytes, a copy of `length` bytes of `source` from `start` on should begin. */
export function skewOf(source: Uint8Array, start: number, length: number): number {
  return length < LONG ? 0 : (source.byteOffset + start) & (WORD_BYTES - 1)
}

/** Copies `source[start, end)` to `target[at, …)`. */
export function copyBytes(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  if (end - start > SMALL) {
    target.set(start === 0 && end === source.length ? source : source.subarray(start, end), at)
    return
  }
  // In range by construction: the caller gives positions inside both.
  for (let from = start, to = at; from < end; from++, to++) target[to] = source[from] as number
}

/** A private copy of `source[start, end)`; a short one may share its memory with others, as all of Node's do. */
export function copyOf(source: Uint8Array, start: number, end: number): Buffer {
  const length = end - start
  const skew = skewOf(source, start, length)
  const copy = skew === 0 ? Buffer.allocUnsafe(length) : Buffer.allocUnsafe(skew + length).subarray(skew)
  copyBytes(source, start, end, copy, 0)
  return copy
}
