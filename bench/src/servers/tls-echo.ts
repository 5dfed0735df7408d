/** An echo server behind TLS. */
import { createServer, type Server } from 'node:tls'
import type { Certificate } from './certificate.ts'
import { listen } from './listen.ts'

/** Serves on a free port of the loopback device. Resolves once it listens. */
export async function serveTls({ cert, key }: Certificate): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer({ cert, key, noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy()) // a client that went away
    socket.on('data', (chunk: Buffer) => void socket.write(chunk)) // what its clients have under way is bounded: nothing piles up
  })
  return { port: await listen(server), server }
}
