/** What idle bare sockets weigh. */
import { openSocket } from '../../framed/socket.ts'
import { threadMemory } from '../../measure/thread-memory.ts'
import type { Contender } from './contender.ts'
import { type MemorySetup, memoryOf } from './memory-work.ts'

const AT_ONCE = 1_000

export async function open(setup: MemorySetup): Promise<Contender> {
  const sockets = [await openSocket(setup)]
  const openAll = async () => {
    while (sockets.length < setup.connections) {
      const count = Math.min(AT_ONCE, setup.connections - sockets.length)
      sockets.push(...(await Promise.all(Array.from({ length: count }, () => openSocket(setup)))))
    }
  }
  const close = async () => {
    for (const { socket } of sockets) socket.destroy()
  }
  return memoryOf(threadMemory, openAll, setup, close)
}
