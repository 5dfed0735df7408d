/** The echo of the comparisons as a protocol of its own: with a probe, which `fixed()` has not. */
import { defineProtocol, fixedCodec } from '@cenote/pool-core/shard'

export default defineProtocol<Uint8Array, Buffer, { readonly bytes: number }>({
  name: 'echo',
  codec: ({ bytes }) => fixedCodec({ bytes }),
  async probe(connection) {
    const payload = Buffer.alloc(connection.options.bytes, 'probe')
    const reply = await connection.request(payload)
    if (!reply.equals(payload)) throw new Error('the probe got a wrong reply')
  },
})
