/** generic-pool after a stall. What fails is destroyed, as its users are told to. */
import { createPool } from 'generic-pool'
import { type FramedSocket, openSocket } from '../../framed/socket.ts'
import type { Contender } from './contender.ts'
import { type StallSetup, stalls } from './stall-work.ts'

/** @param setup.check - Whether each connection is asked before it is lent (`testOnBorrow`) if its socket is still writable. */
export async function open(setup: StallSetup & { readonly check: boolean }): Promise<Contender> {
  let connects = 0
  let waits = 0
  const pool = createPool<FramedSocket>(
    {
      async create() {
        connects++
        return await openSocket(setup)
      },
      destroy: async ({ socket }) => void socket.destroy(),
      validate: async ({ socket }) => socket.writable,
    },
    { max: setup.connections, testOnBorrow: setup.check },
  )
  return stalls(
    {
      async fill() {
        const sockets = await Promise.all(Array.from({ length: setup.connections }, () => pool.acquire()))
        await Promise.all(sockets.map((socket) => (socket.socket.writable ? pool.release(socket) : pool.destroy(socket))))
      },
      async request(body) {
        if (pool.available === 0) waits++
        const socket = await pool.acquire()
        try {
          const reply = await socket.request(body)
          void pool.release(socket)
          return reply
        } catch (error) {
          void pool.destroy(socket)
          throw error
        }
      },
      connects() {
        const made = connects
        connects = 0
        return made
      },
      waits() {
        const waited = waits
        waits = 0
        return waited
      },
      async close() {
        await pool.drain()
        await pool.clear()
      },
    },
    setup,
  )
}
