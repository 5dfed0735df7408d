/** Cenote with exclusive leases; all options but the limits at their defaults. */
import { createPool, fixed, protocolAt } from '@cenote/pool-core'
import type { Contender } from './contender.ts'
import { type EchoSetup, echo } from './echo.ts'

/** @param setup.probe - Whether the protocol has a probe: then a connection that was idle for `probeAfterIdleMs` is probed before it is lent. */
export async function open(setup: EchoSetup & { readonly shards: number; readonly probe?: boolean }): Promise<Contender> {
  const bytes = setup.payloadBytes
  const probed = new URL('./echo-protocol.js', import.meta.url)
  const pool = await createPool({
    endpoint: `tcp://127.0.0.1:${setup.port}`,
    protocol: setup.probe ? protocolAt<typeof import('../../echo-protocol.ts')>(probed, { bytes }) : fixed({ bytes }),
    shards: setup.shards,
    maxConnections: setup.connections,
  })
  const ask = async (payload: Buffer): Promise<Buffer> => {
    const lease = await pool.acquire()
    try {
      return await lease.request(payload)
    } finally {
      lease.release()
    }
  }
  return echo(ask, setup, () => pool.close())
}
