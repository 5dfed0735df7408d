/** Bulk data over one connection: the same code on a bare socket and on `lease.stream()`. */
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { createPool, type Pool } from '@cenote/pool-core'
import { BLOCK_BYTES, blockAt, byteAt, READS, WRITES } from '../servers/stream-peer.ts'

export type StreamWay = 'bare' | 'cenote'
export type Direction = 'out' | 'in'

/** What the parent asks for: open, round … round, close. */
export type StreamRequest =
  | { readonly ask: 'open'; readonly port: number }
  | { readonly ask: 'round'; readonly way: StreamWay; readonly direction: Direction; readonly durationMs: number }
  | { readonly ask: 'close' }

/** The state of the process. */
export class StreamContender {
  #port = 0
  #pool: Pool | undefined

  /** Carries out one request. A round gives bytes per second, of the bytes that have arrived. */
  async answer(request: StreamRequest): Promise<number> {
    switch (request.ask) {
      case 'open':
        this.#port = request.port
        this.#pool = await createPool({ endpoint: `tcp://127.0.0.1:${request.port}`, shards: 1, maxConnections: 1 })
        return 0
      case 'round': {
        const stream = await this.#open(request.way)
        return request.direction === 'out' ? await write(stream, request.durationMs) : await read(stream, request.durationMs)
      }
      case 'close':
        await this.#pool?.close()
        return 0
    }
  }

  async #open(way: StreamWay): Promise<Duplex> {
    if (way === 'cenote') {
      if (this.#pool === undefined) throw new Error('not opened')
      return (await this.#pool.acquire()).stream()
    }
    const socket = connect({ host: '127.0.0.1', port: this.#port, noDelay: true, allowHalfOpen: true })
    await once(socket, 'connect')
    return socket
  }
}

/** Writes block after block as fast as the stream takes them; done when the peer has said how many bytes it has. */
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

/** Reads what comes for a while, and sees that it is what was sent. */
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
