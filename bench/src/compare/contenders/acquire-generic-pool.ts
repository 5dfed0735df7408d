/** generic-pool: `acquire`, awaited. */
import { createPool } from 'generic-pool'
import { type AcquireSetup, pairs } from './acquire.ts'
import type { Contender } from './contender.ts'
import { EchoSocket } from './echo-socket.ts'

export async function open({ port, connections }: AcquireSetup): Promise<Contender> {
  const factory = {
    create: () => EchoSocket.open({ port, payloadBytes: 1 }),
    destroy: async (socket: EchoSocket) => socket.destroy(),
  }
  const pool = createPool(factory, { min: connections, max: connections })
  await pool.ready()
  const batch = async (count: number): Promise<void> => {
    for (let pair = 0; pair < count; pair++) void pool.release(await pool.acquire()) // nobody waits for the promise of `release`
  }
  return pairs(batch, async () => {
    await pool.drain()
    await pool.clear()
  })
}
