/** What idle bare sockets weigh. */
import { openSocket, openSockets } from '../../framed/socket.ts'
import { threadMemory } from '../../measure/thread-memory.ts'
import type { Contender } from './contender.ts'
import { type MemorySetup, memoryOf } from './memory-work.ts'

export async function open(setup: MemorySetup): Promise<Contender> {
  const sockets = [await openSocket(setup)]
  const openAll = async () => void sockets.push(...(await openSockets(setup, setup.connections - 1)))
  const close = async () => {
    for (const { socket } of sockets) socket.destroy()
  }
  return memoryOf(threadMemory, openAll, setup, close)
}
