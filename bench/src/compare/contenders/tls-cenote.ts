/** Cenote: leases of connections that do not exist yet. */
import { createPool, lengthPrefixed } from '@cenote/pool-core'
import type { Contender } from './contender.ts'
import { connections, type TlsSetup } from './tls-work.ts'

export async function open(setup: TlsSetup & { readonly shards: number }): Promise<Contender> {
  const pool = await createPool({
    endpoint: `tls://localhost:${setup.port}`,
    protocol: lengthPrefixed(),
    shards: setup.shards,
    maxConnections: setup.count,
    tls: { ca: setup.ca },
  })
  return connections(
    async (body) => {
      const lease = await pool.acquire()
      try {
        return await lease.request(body)
      } finally {
        lease.destroy()
      }
    },
    setup,
    () => pool.close(),
  )
}
