/** Copies of bytes between rings and the memory of one thread. */

/** Below this length a loop is faster than a native copy. Measured on Node 20. */
const SMALL = 48
/** From this length on a second copy takes less time than one byte after the other. */
const LONG = 192
/** Where a byte is in its word. */
const WORD = 7

const scratch: Buffer = Buffer.allocUnsafeSlow(16_384 + WORD + 1)
const STEP = 16_384

/**
 * Copies `source[start, end)` to `target[at, …)`.
 *
 * V8 copies to and from memory that threads share word by word where source and target have the same place in a word, and byte by byte, in four to
 * five times as long, where they have not. Such a copy goes by way of memory of our own.
 */
export function copyBytes(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  const length = end - start
  if (length <= SMALL) {
    // In range by construction: the caller gives positions inside both.
    for (let from = start, to = at; from < end; from++, to++) target[to] = source[from] as number
  } else if (length < LONG || isAligned(source, start, target, at)) {
    target.set(start === 0 && end === source.length ? source : source.subarray(start, end), at)
  } else copyAcross(source, start, end, target, at)
}

function isAligned(source: Uint8Array, start: number, target: Uint8Array, at: number): boolean {
  return ((source.byteOffset + start - target.byteOffset - at) & WORD) === 0
}

function copyAcross(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  const [into, from] = [isShared(target), isShared(source)]
  if (!into && !from) return target.set(source.subarray(start, end), at)
  const place = (into ? target.byteOffset + at : source.byteOffset + start) & WORD // of the side that is shared
  for (let done = 0; start + done < end; done += STEP) {
    const size = Math.min(STEP, end - start - done)
    scratch.set(source.subarray(start + done, start + done + size), place)
    target.set(scratch.subarray(place, place + size), at + done)
  }
}

function isShared({ buffer }: Uint8Array): boolean {
  return buffer instanceof SharedArrayBuffer
}
