/** Bare sockets of `node:net` in a stack, and a queue of those who wait for one: no pool could do less. */
import type { Contender } from './contender.ts'
import { type EchoSetup, echo } from './echo.ts'
import { EchoSocket } from './echo-socket.ts'

export async function open(setup: EchoSetup): Promise<Contender> {
  const sockets = await Promise.all(Array.from({ length: setup.connections }, () => EchoSocket.open(setup)))
  const idle = [...sockets]
  const waiting: ((socket: EchoSocket) => void)[] = [] // as many as there are callers: shifting it costs nothing to speak of
  const ask = async (payload: Buffer): Promise<Buffer> => {
    const socket = idle.pop() ?? (await new Promise<EchoSocket>((resolve) => waiting.push(resolve)))
    try {
      return await socket.request(payload)
    } finally {
      const next = waiting.shift()
      if (next === undefined) idle.push(socket)
      else next(socket)
    }
  }
  return echo(ask, setup, async () => {
    for (const socket of sockets) socket.destroy()
  })
}
