/** generic-pool over bare sockets. */
import { createPool } from 'generic-pool'
import type { ClientSetup, FramedClient } from './client.ts'
import { type FramedSocket, openSocket } from './socket.ts'

/** Opens the pool; its connections come with the first requests. */
export async function openClient(setup: ClientSetup): Promise<FramedClient> {
  const pool = createPool<FramedSocket>(
    {
      create: () => openSocket(setup),
      destroy: async ({ socket }) => void socket.destroy(),
    },
    { max: setup.connections, min: 0 },
  )
  return {
    async request(body) {
      const socket = await pool.acquire()
      try {
        return await socket.request(body)
      } finally {
        void pool.release(socket) // its promise is not waited for: nobody does, and it would cost
      }
    },
    async close() {
      await pool.drain()
      await pool.clear()
    },
  }
}
