/** What all numbers of a pool at rest must add up to. */
import type { PoolStats } from '@cenote/pool-core'
import * as assert from 'uvu/assert'

/** Nothing is under way, the books hold, and the counters agree with them. */
export function assertBalanced(pool: { stats(): PoolStats; check(): string[] }): void {
  const { connections, idle, opening, inUse, pending, counters } = pool.stats()
  assert.equal(pool.check(), [])
  assert.equal({ pending, opening, inUse }, { pending: { leases: 0, requests: 0 }, opening: 0, inUse: 0 })
  assert.is(idle, connections)
  assert.is(counters.acquired, counters.released)
  assert.is(counters.opened - counters.closed, connections)
  assert.is(
    Object.values(counters.closedBy).reduce((sum, count) => sum + count, 0),
    counters.closed,
  )
}
