/** Sockets in another thread and rings to it, no pool: requests take turns with the connections. What is sent has no length before it. */
import { RingClient } from '../../rings/client.ts'
import type { Contender } from './contender.ts'
import { type FramedSetup, framed } from './framed-work.ts'

/** @param setup.work - An echo. */
export async function open(setup: FramedSetup & { readonly work: { readonly echo: number }; readonly thread: string }): Promise<Contender> {
  const { connections, work, thread } = setup
  const client = await RingClient.open({ ...setup, bytes: work.echo }, new URL(thread))
  let requests = 0
  return framed({ request: (body) => client.request(requests++ % connections, body), close: () => client.close() }, setup)
}
