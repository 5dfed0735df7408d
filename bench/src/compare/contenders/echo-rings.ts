/** Sockets in another thread and rings to it, no pool: a stack of the connections, and a queue of those who wait for one. */
import { RingClient } from '../../rings/client.ts'
import type { Contender } from './contender.ts'
import { type EchoSetup, echo } from './echo.ts'

/** @param setup.thread - Entry of the thread that holds the sockets. */
export async function open(setup: EchoSetup & { readonly thread: string }): Promise<Contender> {
  const client = await RingClient.open({ ...setup, bytes: setup.payloadBytes }, new URL(setup.thread))
  const idle = Array.from({ length: setup.connections }, (_, connection) => connection)
  const waiting: ((connection: number) => void)[] = [] // as many as there are callers: shifting it costs nothing to speak of
  const ask = async (payload: Buffer): Promise<Buffer> => {
    const connection = idle.pop() ?? (await new Promise<number>((resolve) => waiting.push(resolve)))
    try {
      return await client.request(connection, payload)
    } finally {
      const next = waiting.shift()
      if (next === undefined) idle.push(connection)
      else next(connection)
    }
  }
  return echo(ask, setup, () => client.close())
}
