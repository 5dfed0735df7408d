/** Servers of the bench listen on a free port of the loopback device. */
import type { Server } from 'node:net'

const BACKLOG = 65_535 // the kernel takes as many as it allows

/** Resolves with the port once the server listens. */
export async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port: 0, host: '127.0.0.1', backlog: BACKLOG }, resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return address.port
}
