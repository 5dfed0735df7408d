/** tarn: `acquire`, awaited. */
import { Pool } from 'tarn'
import { type AcquireSetup, pairs } from './acquire.ts'
import type { Contender } from './contender.ts'
import { EchoSocket } from './echo-socket.ts'

export async function open({ port, connections }: AcquireSetup): Promise<Contender> {
  const pool = new Pool({
    create: () => EchoSocket.open({ port, payloadBytes: 1 }),
    destroy: (socket: EchoSocket) => socket.destroy(),
    min: connections,
    max: connections,
  })
  const opened = await Promise.all(Array.from({ length: connections }, () => pool.acquire().promise))
  for (const socket of opened) pool.release(socket)
  const batch = async (count: number): Promise<void> => {
    for (let pair = 0; pair < count; pair++) pool.release(await pool.acquire().promise)
  }
  return pairs(batch, async () => void (await pool.destroy()))
}
