/** A peer for bulk data: takes bytes and says how many, or sends them until its client has enough. */
import { type AddressInfo, createServer, type Socket } from 'node:net'

/** Bytes of one write, on both sides. */
export const BLOCK_BYTES = 65_536
/** A client's first byte: whether it will write or read. */
export const WRITES = 'w'.charCodeAt(0)
export const READS = 'r'.charCodeAt(0)

const PERIOD = 251

/** The byte at a position of what either side sends. */
export function byteAt(position: number): number {
  return position % PERIOD
}

/** One block of `PERIOD` possible ones: what is sent from `position` on. */
export function blockAt(position: number): Buffer {
  const at = position % PERIOD
  return PATTERN.subarray(at, at + BLOCK_BYTES)
}

const PATTERN = Buffer.from(Array.from({ length: BLOCK_BYTES + PERIOD }, (_, position) => byteAt(position)))

/** Starts to listen on a free port of the loopback, and gives it. */
export function listen(): Promise<number> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy())
    socket.once('data', (first: Buffer) => {
      if (first[0] === READS) return send(socket)
      count(socket, first.length - 1)
    })
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)) // a TCP server's, which listens
  })
}

function count(socket: Socket, already: number): void {
  let bytes = already
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  socket.once('end', () => socket.end(String(bytes)))
}

function send(socket: Socket): void {
  let sent = 0
  const more = () => {
    for (let taken = true; taken && !socket.destroyed; sent += BLOCK_BYTES) taken = socket.write(blockAt(sent))
  }
  socket.on('drain', more)
  socket.once('end', () => socket.destroy())
  more()
}
