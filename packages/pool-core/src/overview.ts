/** The pool in numbers, put together from the books, the counters and the shards. */
import { printEndpoint } from '@cenote/pool-worker'
import { countStates } from './books/counts.ts'
import type { Site } from './books/sites.ts'
import type { Dispatch } from './dispatch.ts'
import { type EndpointStats, lateness, type PoolStats, type ShardStats } from './stats.ts'

/** What `pool.stats()` returns: no connection is looked at. */
export function overview(name: string, dispatch: Dispatch, bufferedBytes: number): PoolStats {
  const { books, links, numbers, endpoints } = dispatch
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
  return {
    name,
    ...counts,
    pending,
    inFlight,
    paused: books.paused,
    bufferedBytes,
    counters: numbers.counters(),
    ...numbers.times(),
    load: dispatch.load(),
    shards,
    endpoints: books.sites.all.map((site) => endpointStats(site, endpoints.latency(site))),
  }
}

function endpointStats(site: Site, ewmaMs: number | undefined): EndpointStats {
  const { endpoint, weight, state, connections, tally, pending, counters, admission } = site
  return {
    endpoint: printEndpoint(endpoint),
    weight,
    state: state !== 'listed' ? state : admission.down ? 'down' : 'up',
    connections,
    ...countStates(tally),
    pending,
    ewmaMs,
    counters: { ...counters },
  }
}
