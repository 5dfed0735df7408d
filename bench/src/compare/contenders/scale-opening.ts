/** Opens all connections of a pool. */
import type { Lease, Pool } from '@cenote/pool-core'

const AT_ONCE = 1_000 // callers who wait for a connect: far below `maxPending`

/** Resolves when so many connections are open, and idle. */
export async function openAll<Req, Rep, Module>(pool: Pool<Req, Rep, Module>, count: number): Promise<void> {
  const leases: Lease<Req, Rep>[] = []
  while (leases.length < count)
    leases.push(...(await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - leases.length) }, () => pool.acquire()))))
  for (const lease of leases) lease.release()
}
