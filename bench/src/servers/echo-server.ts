/** An echo server: what the one in C does, for where there is no C compiler. */
import { createServer, type Server } from 'node:net'
import { listen } from './listen.ts'

/** Serves on a free port of the loopback device. Resolves once it listens. A client that does not read is not read from either. */
export async function serveEcho(): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy()) // a client that went away
    socket.pipe(socket)
  })
  return { port: await listen(server), server }
}
