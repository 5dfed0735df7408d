/** An echo server that can be told to close connections: what a load balancer does to those that are idle. */
import { createServer, type Server, type Socket } from 'node:net'
import { listen } from './listen.ts'

/** What the first message of a connection says when it is no client but tells the server what to do: how many to close, and when. */
interface Order {
  readonly close: number
  readonly afterMs: number
}

const HEADER_BYTES = 4
const MARK = '{"close"'

/** The body of an order. It is echoed when it was taken. */
export function order(close: number, afterMs: number): Buffer {
  return Buffer.from(JSON.stringify({ close, afterMs } satisfies Order))
}

/** Serves on a free port of the loopback device. Resolves once it listens. */
export async function serveClosing(): Promise<{ readonly port: number; readonly server: Server }> {
  const clients = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    clients.add(socket)
    socket.on('error', () => socket.destroy()) // a client that went away
    socket.on('close', () => clients.delete(socket))
    socket.on('data', (chunk: Buffer) => {
      if (chunk.toString('latin1', HEADER_BYTES, HEADER_BYTES + MARK.length) === MARK) {
        clients.delete(socket)
        const { close, afterMs } = JSON.parse(chunk.toString('utf8', HEADER_BYTES)) as Order // as `order` wrote it
        setTimeout(() => closeSome(clients, close), afterMs)
      }
      socket.write(chunk)
    })
  })
  return { port: await listen(server), server }
}

/** Spread over all: among those that were used last, and among those that were used first. */
function closeSome(clients: ReadonlySet<Socket>, count: number): void {
  const all = [...clients]
  for (let index = 0; index < count; index++) all[Math.floor((index * all.length) / count)]?.destroy()
}
