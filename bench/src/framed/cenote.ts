/** Cenote with `lengthPrefixed()`, everything at its default but what the scenario is about. */
import { createPool, lengthPrefixed, type Pool } from '@cenote/pool-core'
import type { ClientSetup, FramedClient } from './client.ts'

/** Opens a pool. */
export function openPool(setup: ClientSetup): Promise<Pool<Uint8Array, Buffer>> {
  const { port, ca, connections, shards, pipelining, minConnections, scheduling } = setup
  return createPool({
    endpoint: ca === undefined ? `tcp://127.0.0.1:${port}` : `tls://localhost:${port}`,
    protocol: lengthPrefixed(),
    maxConnections: connections,
    shards,
    pipelining,
    minConnections,
    scheduling,
    ...(ca === undefined ? {} : { tls: { ca } }),
  })
}

/** Opens the pool; its connections come with the first requests. */
export async function openClient(setup: ClientSetup): Promise<FramedClient> {
  const pool = await openPool(setup)
  return { request: (body) => pool.request(body), close: () => pool.close() }
}
