/** An echo server: what the one in C does, for where there is no C compiler. */
import { createServer, type Server } from 'node:net'

/** Serves on a free port of the loopback device. Resolves once it listens. A client that does not read is not read from either. */
export async function serveEcho(): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy()) // a client that went away
    socket.pipe(socket)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port: 0, host: '127.0.0.1', backlog: 65_535 }, resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return { port: address.port, server }
}
