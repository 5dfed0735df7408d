/** The pool in numbers, put together from the books, the counters and the shards. */
import type { Dispatch } from './dispatch.ts'
import { lateness, type PoolStats, type ShardStats } from './stats.ts'

/** What `pool.stats()` returns: no connection is looked at. */
export function overview(name: string, { books, links, numbers }: Dispatch, bufferedBytes: number): PoolStats {
  const { perShard, pendingLeases, pendingRequests, probing: _, ...counts } = books.counts()
  const shards = perShard.map(({ live, suspect, ...shard }): ShardStats => {
    const host = links[shard.shard]?.host
    return {
      ...shard,
      state: suspect ? 'suspect' : live ? 'live' : 'restarting',
      utilization: host?.utilization() ?? 0,
      delay: host === undefined ? { p50: 0, p99: 0, max: 0 } : lateness(host.delay),
    }
  })
  const pending = { leases: pendingLeases, requests: pendingRequests }
  const inFlight = numbers.requests.unsettled - pendingRequests - numbers.waitingAlone
  const counters = numbers.counters()
  return { name, ...counts, pending, inFlight, paused: books.paused, bufferedBytes, counters, ...numbers.times(), shards }
}
