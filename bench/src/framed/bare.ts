/** Bare sockets in a stack, or with `fifo` in a queue: taken, used, put back; who finds none waits in line. */
import type { ClientSetup, FramedClient } from './client.ts'
import { type FramedSocket, openSockets } from './socket.ts'

/** Opens all connections. */
export async function openClient(setup: ClientSetup): Promise<FramedClient> {
  const all = await openSockets(setup, setup.connections)
  const idle = [...all]
  const take = () => (setup.scheduling === 'fifo' ? idle.shift() : idle.pop())
  const waiting: ((socket: FramedSocket) => void)[] = []
  const give = (socket: FramedSocket) => {
    const next = waiting.shift()
    if (next === undefined) idle.push(socket)
    else next(socket)
  }
  return {
    async request(body) {
      const socket = take() ?? (await new Promise<FramedSocket>((resolve) => waiting.push(resolve)))
      try {
        if (setup.pollFirst === true) await polled()
        return await socket.request(body)
      } finally {
        give(socket)
      }
    },
    async close() {
      for (const { socket } of all) socket.destroy()
    },
  }
}

/** Resolves after a whole poll phase: the first of the two callbacks may belong to one that is over. */
function polled(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}
