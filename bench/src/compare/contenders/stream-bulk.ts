/** Bulk data over one connection, in both directions: the same code on a bare socket and on `lease.stream()`. */
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { BLOCK_BYTES, blockAt, byteAt, READS, WRITES } from '../../servers/stream-peer.ts'
import type { Contender } from './contender.ts'

export interface StreamSetup {
  readonly port: number
}

const MIB = 2 ** 20

/** Half of each round goes out, half comes in, over a stream each. */
export function bulk(open: () => Promise<Duplex>, close: () => Promise<void>): Contender {
  return {
    async round(roundMs) {
      const outMibPerSecond = (await write(await open(), roundMs / 2)) / MIB
      const inMibPerSecond = (await read(await open(), roundMs / 2)) / MIB
      return { outMibPerSecond, inMibPerSecond }
    },
    close,
  }
}

/** Writes block after block as fast as the stream takes them; done when the peer has said how many bytes it has. Bytes per second. */
async function write(stream: Duplex, durationMs: number): Promise<number> {
  const said: Buffer[] = []
  stream.on('data', (chunk: Buffer) => said.push(chunk))
  const closed = once(stream, 'close')
  const start = performance.now()
  let sent = 0
  stream.write(Buffer.of(WRITES))
  while (performance.now() - start < durationMs) {
    const taken = stream.write(blockAt(sent))
    sent += BLOCK_BYTES
    if (!taken) await once(stream, 'drain')
  }
  stream.end()
  await closed
  const elapsedMs = performance.now() - start
  const counted = Number(Buffer.concat(said).toString())
  if (counted !== sent) throw new Error(`${sent} bytes were written, the peer counted ${counted}`)
  return (sent / elapsedMs) * 1_000
}

/** Reads what comes for a while, and sees that it is what was sent. Bytes per second. */
async function read(stream: Duplex, durationMs: number): Promise<number> {
  const start = performance.now()
  let received = 0
  stream.write(Buffer.of(READS))
  const closed = once(stream, 'close')
  stream.on('data', (chunk: Buffer) => {
    if (chunk[0] !== byteAt(received)) stream.destroy(new Error(`a wrong byte arrived at ${received}`))
    received += chunk.length
    if (performance.now() - start >= durationMs) stream.destroy()
  })
  await closed
  return (received / (performance.now() - start)) * 1_000
}
