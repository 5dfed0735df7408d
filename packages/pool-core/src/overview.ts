/** What can be seen of a pool, put together from the books, the counters and the shards whenever somebody looks. */
import { printEndpoint, type World } from '@cenote/pool-worker'
import { countStates } from './books/counts.ts'
import type { Site } from './books/sites.ts'
import type { Dispatch } from './dispatch.ts'
import type { LeaseInfo } from './holders.ts'
import type { Buffered } from './line.ts'
import type { Settings } from './options.ts'
import { type EndpointStats, lateness, type PoolStats, type ShardStats } from './stats.ts'
import { type PoolDump, takeDump } from './telemetry/dump.ts'
import type { Inside } from './telemetry/inside.ts'

export class Overview {
  readonly #settings: Settings
  readonly #world: World
  readonly #dispatch: Dispatch
  readonly #buffered: Buffered
  readonly #whenClosed: Set<() => void> = new Set()

  constructor(settings: Settings, world: World, dispatch: Dispatch, buffered: Buffered) {
    this.#settings = settings
    this.#world = world
    this.#dispatch = dispatch
    this.#buffered = buffered
  }

  stats(): PoolStats {
    return statsOf(this.#settings.name, this.#dispatch, this.#buffered.bytes)
  }

  leases(): LeaseInfo[] {
    return this.#dispatch.holders()
  }

  dump(): PoolDump {
    return takeDump(this.#settings, this.#dispatch, this.#world, this.stats())
  }

  /** For instruments. */
  inside(): Inside {
    const { traces, numbers, books } = this.#dispatch
    return { name: this.#settings.name, traces, numbers, limits: books.limits, stats: () => this.stats(), whenClosed: this.#whenClosed }
  }

  /** The pool has closed. */
  closed(): void {
    for (const tell of this.#whenClosed) queueMicrotask(tell)
  }
}

/** No connection is looked at. */
function statsOf(name: string, dispatch: Dispatch, bufferedBytes: number): PoolStats {
  const { books, links, numbers, endpoints } = dispatch
  const { perShard, pendingLeases, pendingRequests, probing: _, ...counts } = books.counts()
  const shards = perShard.map(({ live, suspect, ...shard }): ShardStats => {
    const host = links[shard.shard]?.host
    const { busyMs, elapsedMs } = host?.busy() ?? { busyMs: 0, elapsedMs: 0 }
    return {
      ...shard,
      state: suspect ? 'suspect' : live ? 'live' : 'restarting',
      utilization: elapsedMs > 0 ? Math.min(1, busyMs / elapsedMs) : 0,
      busyMs,
      elapsedMs,
      delay: host === undefined ? { p50: 0, p99: 0, max: 0 } : lateness(host.delay),
    }
  })
  const { maxConnections, minConnections, maxIdle, minIdle } = books.limits
  const pending = { leases: pendingLeases, requests: pendingRequests }
  const inFlight = numbers.requests.unsettled - pendingRequests - numbers.waitingAlone
  return {
    name,
    limits: { maxConnections, minConnections, maxIdle, minIdle },
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
