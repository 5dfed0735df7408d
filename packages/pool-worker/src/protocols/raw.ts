/** No protocol: bytes as they are, through `lease.stream()`. */
import type { Codec } from '../codec.ts'
import { builtin, defineProtocol, type Protocol, type ProtocolDefinition } from '../define.ts'
import { PoolError } from '../errors.ts'

/**
 * Connections without requests: use `lease.stream()`. A request is a compile error, and rejects with BAD_REQUEST. Any
 * byte that comes while a connection is idle removes it from the pool.
 *
 * @example
 * import { createPool, raw } from '@cenote/pool-core'
 *
 * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:7', protocol: raw() })
 * await pool.use(async (lease) => {
 *   const socket = lease.stream()
 *   socket.end('hello')
 *   for await (const chunk of socket) console.log(String(chunk)) // hello
 * })
 */
export function raw(): Protocol<never, never> {
  return builtin('raw', undefined)
}

const codec: Codec<never, never> = {
  encode() {
    throw new PoolError('BAD_REQUEST', 'raw() has no requests: use lease.stream()')
  },
  createFramer: () => ({
    // Nothing is ever owed, so whatever comes outside a stream is a stray reply.
    push(chunk, emit) {
      emit(0, chunk.length, 'reply')
    },
    atBoundary: () => true,
  }),
  decode() {
    throw new Error('raw() has no replies')
  },
}

/** What `raw()` refers to. */
export const rawProtocol: ProtocolDefinition<never, never> = defineProtocol<never, never>({ name: 'raw', codec })
