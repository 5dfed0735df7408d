/** tarn over `node:net`. */
import { Pool } from 'tarn'
import type { Contender } from './contender.ts'
import { type EchoSetup, echo } from './echo.ts'
import { EchoSocket } from './echo-socket.ts'

export async function open(setup: EchoSetup): Promise<Contender> {
  const pool = new Pool({
    create: () => EchoSocket.open(setup),
    destroy: (socket: EchoSocket) => socket.destroy(),
    min: 0,
    max: setup.connections,
  })
  const ask = async (payload: Buffer): Promise<Buffer> => {
    const socket = await pool.acquire().promise
    try {
      return await socket.request(payload)
    } finally {
      pool.release(socket)
    }
  }
  return echo(ask, setup, async () => void (await pool.destroy()))
}
