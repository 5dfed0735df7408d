/**
 * Copies to and from the rings. V8 copies memory that threads share a word at a time where source and target begin at the same place in a word, and
 * else byte by byte, which takes up to five times as long: so whoever may choose where a copy begins chooses that.
 */

/** Below this length a loop is faster than a native copy. Measured on Node 20. */
const SMALL = 48
/** From this length on it pays to look where in a word source and target begin. */
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

/** Through here goes what begins elsewhere in a word than its copy: a second copy, of private memory, costs little. */
const BETWEEN_BYTES = 16_384
const between: Buffer = Buffer.allocUnsafeSlow(BETWEEN_BYTES + WORD_BYTES)

/** A copy of `source[start, end)` that begins at a word; a short one may share its memory with others, as all of Node's do. */
export function copyOf(source: Uint8Array, start: number, end: number): Buffer {
  return filled(Buffer.allocUnsafe(end - start), source, start, end)
}

/** The same in memory of its own, and nothing else in that: for who may give it away. */
export function ownCopyOf(source: Uint8Array, start: number, end: number): Buffer {
  return filled(Buffer.allocUnsafeSlow(end - start), source, start, end)
}

function filled(copy: Buffer, source: Uint8Array, start: number, end: number): Buffer {
  const skew = skewOf(source, start, end - start)
  if (skew === 0) copyBytes(source, start, end, copy, 0)
  else
    for (let from = start; from < end; from += BETWEEN_BYTES) {
      const length = Math.min(end - from, BETWEEN_BYTES)
      copyBytes(source, from, from + length, between, skew)
      copy.set(between.subarray(skew, skew + length), from - start)
    }
  return copy
}
