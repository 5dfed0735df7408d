/** Bare TLS sockets on the main thread. */
import { openSocket, type Session } from '../../framed/socket.ts'
import type { Contender } from './contender.ts'
import { connections, type TlsSetup } from './tls-work.ts'

const CONNECTING = 16 // as many as a pool of Cenote's has under way: all at once would block the loop for the whole round

/** @param setup.resume - Whether hand-shakes are cut short by a session that an earlier one left, as Cenote's are. */
export async function open(setup: TlsSetup & { readonly resume: boolean }): Promise<Contender> {
  const session: Session | undefined = setup.resume ? {} : undefined
  const waiting: (() => void)[] = []
  let connecting = 0
  return connections(
    async (body) => {
      if (connecting === CONNECTING) await new Promise<void>((resolve) => waiting.push(resolve))
      else connecting++
      const opened = await openSocket(setup, session)
      const next = waiting.shift()
      if (next === undefined) connecting--
      else next()
      try {
        return await opened.request(body)
      } finally {
        opened.socket.destroy()
      }
    },
    setup,
    async () => undefined,
  )
}
