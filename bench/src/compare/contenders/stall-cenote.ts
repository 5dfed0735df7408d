/** Cenote after a stall: requests as they come, or on leases of one caller each. */
import { createPool, lengthPrefixed } from '@cenote/pool-core'
import type { Contender } from './contender.ts'
import { type StallSetup, stalls } from './stall-work.ts'

export async function open(setup: StallSetup & { readonly shards: number; readonly leases: boolean }): Promise<Contender> {
  const { port, connections, shards } = setup
  const pool = await createPool({ endpoint: `tcp://127.0.0.1:${port}`, protocol: lengthPrefixed(), maxConnections: connections, shards })
  const since = { opening: 0, waits: 0 }
  return stalls(
    {
      async fill() {
        const leases = await Promise.all(Array.from({ length: connections }, () => pool.acquire()))
        for (const lease of leases) lease.release()
      },
      request: setup.leases ? (body) => pool.use((lease) => lease.request(body)) : (body) => pool.request(body),
      connects() {
        const before = since.opening
        since.opening = pool.stats().counters.opening
        return since.opening - before
      },
      waits() {
        const before = since.waits
        since.waits = pool.stats().wait.count
        return since.waits - before
      },
      close: () => pool.close(),
    },
    setup,
  )
}
