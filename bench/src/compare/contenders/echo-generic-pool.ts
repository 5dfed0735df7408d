/** generic-pool over `node:net`. */
import { createPool } from 'generic-pool'
import type { Contender } from './contender.ts'
import { type EchoSetup, echo } from './echo.ts'
import { EchoSocket } from './echo-socket.ts'

export async function open(setup: EchoSetup): Promise<Contender> {
  const factory = { create: () => EchoSocket.open(setup), destroy: async (socket: EchoSocket) => socket.destroy() }
  const pool = createPool(factory, { max: setup.connections })
  const ask = async (payload: Buffer): Promise<Buffer> => {
    const socket = await pool.acquire()
    try {
      return await socket.request(payload)
    } finally {
      void pool.release(socket) // its promise is not waited for: nobody does, and it would cost
    }
  }
  return echo(ask, setup, async () => {
    await pool.drain()
    await pool.clear()
  })
}
