/** Cuts a stream into chunks, frames it as a connection does, and puts the frames together again. */
import { assert as check, type IProperty } from 'fast-check'
import type { Codec, Framer } from '../src/codec.ts'
import { FrameWriter } from '../src/codec.ts'

/** A frame as it came out of a framer. */
export interface Framed {
  readonly kind: 'reply' | 'push'
  readonly bytes: Buffer
}

/** Frames a stream that comes in these chunks; keeps what came before, as whoever calls a framer must. */
export function frameChunks(framer: Framer, chunks: readonly Buffer[]): Framed[] {
  const frames: Framed[] = []
  let kept: Buffer[] = []
  for (const chunk of chunks) {
    // A private copy that is overwritten afterwards: a framer that kept it would read nonsense.
    const slab = Buffer.from(chunk)
    let done = 0
    framer.push(slab, (start, end, kind) => {
      if (start !== done) throw new Error(`a frame starts at ${start}, the one before ended at ${done}`)
      frames.push({ kind, bytes: Buffer.concat([...kept, chunk.subarray(start, end)]) })
      kept = []
      done = end
    })
    if (done < chunk.length) kept.push(chunk.subarray(done))
    slab.fill(0xee)
    if (framer.atBoundary() !== (kept.length === 0))
      throw new Error(`atBoundary() is ${framer.atBoundary()} with ${kept.length} pieces kept`)
  }
  return frames
}

/** The stream in one piece, cut in two at every offset, and byte by byte. */
export function* cuts(stream: Buffer): Generator<Buffer[]> {
  yield [stream]
  for (let at = 1; at < stream.length; at++) yield [stream.subarray(0, at), stream.subarray(at)]
  yield Array.from(stream, (_, at) => stream.subarray(at, at + 1))
}

/** The stream cut at these places, which are taken modulo its length. */
export function cutAt(stream: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [0, ...places.map((place) => place % (stream.length + 1)).sort((a, b) => a - b), stream.length]
  return sorted.slice(1).map((end, i) => stream.subarray(sorted[i], end))
}

/** The bytes of one request. */
export function encoded<Req, Rep>(codec: Codec<Req, Rep>, request: Req): Buffer {
  const out = new FrameWriter()
  out.begin()
  codec.encode(request, out)
  return Buffer.from(out.written)
}

/** The error that a function throws. */
export function thrownBy(action: () => unknown): unknown {
  try {
    action()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

/** The code of the error that a function throws. */
export function codeOf(action: () => unknown): string {
  const thrown = thrownBy(action) as { code?: unknown } // whatever it is, it is compared by the test
  return String(thrown.code)
}

/** Looks for an example that breaks a property. */
export function holds<Ts>(property: IProperty<Ts>): void {
  void check(property) // done when it returns: the property is no async one
}
