/** Noise, its checksum, and ways to read and write much of it. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { PoolError } from '@cenote/pool-core'
import * as assert from 'uvu/assert'

export const MiB: number = 2 ** 20
export const NOISE: Buffer = randomBytes(MiB + 7)

/** `bytes` of noise in pieces of odd sizes. */
export function* noise(bytes: number): Generator<Buffer> {
  let size = 1
  for (let left = bytes; left > 0; left -= size) {
    size = Math.min(left, (size * 7 + 13) % 200_003)
    const at = left % (NOISE.length - size || 1)
    yield NOISE.subarray(at, at + size)
  }
}

export function checksum(bytes: number): string {
  const hash = createHash('sha1')
  for (const piece of noise(bytes)) hash.update(piece)
  return hash.digest('hex')
}

/** Reads a stream to its end. */
export async function digest(source: AsyncIterable<Buffer>): Promise<{ bytes: number; hash: string }> {
  const hash = createHash('sha1')
  let bytes = 0
  for await (const chunk of source) {
    bytes += chunk.length
    hash.update(chunk)
  }
  return { bytes, hash: hash.digest('hex') }
}

/** Writes noise as fast as the peer's socket takes it. Returns how much it took so far. */
export function flood(socket: Socket, bytes: number): () => number {
  Readable.from(noise(bytes)).pipe(socket)
  return () => socket.bytesWritten
}

/** The first error that a stream emits. */
export async function failure(stream: NodeJS.EventEmitter): Promise<PoolError> {
  const [error] = (await once(stream, 'error')) as [unknown]
  assert.ok(PoolError.is(error), `the error is no PoolError: ${String(error)}`)
  return error
}

/** Reads exactly `bytes`, and leaves the rest where it is. */
export async function readExactly(stream: Readable, bytes: number): Promise<Buffer> {
  const parts: Buffer[] = []
  let left = bytes
  while (left > 0) {
    const part = stream.read(Math.min(left, Math.max(1, stream.readableLength))) as Buffer | null
    if (part === null) await once(stream, 'readable')
    else {
      parts.push(part)
      left -= part.length
    }
  }
  return Buffer.concat(parts)
}
