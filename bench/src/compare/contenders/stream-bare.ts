/** A bare socket for each stream. */
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Contender } from './contender.ts'
import { bulk, type StreamSetup } from './stream-bulk.ts'

export async function open({ port }: StreamSetup): Promise<Contender> {
  return bulk(
    async () => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true })
      await once(socket, 'connect')
      return socket
    },
    async () => undefined,
  )
}
