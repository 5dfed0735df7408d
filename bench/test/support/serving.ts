/** Servers on free ports of the loopback device, closed after each test. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { suite } from '../../../packages/pool-worker/test/kit/kit.ts'

/** For the tests of one file. `keep` closes a server, when its test is over, that was started elsewhere. */
export function servingIn(test: ReturnType<typeof suite>): {
  /** Starts a server whose connections are handled by `attend`; its port. */
  serving(attend: (socket: Socket) => void, allowHalfOpen?: boolean): Promise<number>
  keep(server: Server): void
} {
  const servers: Server[] = []
  test.after.each(async () => {
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
  })
  const keep = (server: Server): void => void servers.push(server)
  return {
    keep,
    async serving(attend, allowHalfOpen = false) {
      const server = createServer({ noDelay: true, allowHalfOpen }, attend)
      keep(server)
      await once(server.listen(0, '127.0.0.1'), 'listening')
      return (server.address() as AddressInfo).port // of a TCP server, which listens
    },
  }
}
