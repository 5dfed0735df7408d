/** Bare sockets in a stack: taken, used, put back; who finds none waits in line. */
import type { ClientSetup, FramedClient } from './client.ts'
import { type FramedSocket, openSocket } from './socket.ts'

/** Opens all connections. */
export async function openClient(setup: ClientSetup): Promise<FramedClient> {
  const all = await Promise.all(Array.from({ length: setup.connections }, () => openSocket(setup)))
  const idle = [...all]
  const waiting: ((socket: FramedSocket) => void)[] = []
  const give = (socket: FramedSocket) => {
    const next = waiting.shift()
    if (next === undefined) idle.push(socket)
    else next(socket)
  }
  return {
    async request(body) {
      const socket = idle.pop() ?? (await new Promise<FramedSocket>((resolve) => waiting.push(resolve)))
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
