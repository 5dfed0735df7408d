/** `pool.dump()`: all that is known of a pool at a moment, as plain data that may be logged: no payload and no secret is in it. */
import { printEndpoint, type World } from '@cenote/pool-worker'
import type { SlotState } from '../books/slots.ts'
import type { Call } from '../calls.ts'
import type { Dispatch } from '../dispatch.ts'
import { type EndpointSource, isLists } from '../endpoint-list.ts'
import { connectionId, type LeaseInfo } from '../holders.ts'
import type { Line } from '../line.ts'
import type { Settings } from '../options.ts'
import type { PoolStats } from '../stats.ts'
import { VERSION } from '../version.ts'
import type { FlightRecord } from './flight.ts'

/** One connection, being opened or closed ones too. */
export interface ConnectionDump {
  readonly id: string
  readonly endpoint: string
  readonly shard: number
  readonly state: SlotState
  /** Milliseconds since it opened; undefined: it has not yet. */
  readonly ageMs: number | undefined
  readonly uses: number
  /** Requests on it, those whose callers have gone among them. */
  readonly inFlight: number
  /** Replies that the server owes it. */
  readonly owed: number
}

/** What `pool.dump()` returns. */
export interface PoolDump {
  readonly name: string
  /** When it was made, as ISO 8601. */
  readonly at: string
  readonly uptimeMs: number
  readonly versions: { readonly cenote: string; readonly node: string }
  /** Those that can hold no secret; Infinity as a text. */
  readonly options: Readonly<Record<string, unknown>>
  readonly stats: PoolStats
  readonly connections: readonly ConnectionDump[]
  /** Who waits in the queue; `oldestMs` is how long the one has that came first. */
  readonly pending: { readonly count: number; readonly oldestMs: number }
  readonly leases: readonly LeaseInfo[]
  readonly recorder: FlightRecord
}

/** Which options a dump shows: those alone that can hold no secret, however they are misused. A new one has to be decided on. */
const SHOWN: { readonly [Name in keyof Settings]: boolean } = {
  endpoint: true, // printed without credentials: it takes none
  balancing: true,
  maxPerEndpoint: true,
  ejection: true,
  credentials: false,
  protocol: false,
  handlers: false,
  shards: true,
  maxConnections: true,
  minConnections: true,
  minIdle: true,
  maxIdle: true,
  pipelining: true,
  acquireTimeoutMs: true,
  requestTimeoutMs: true,
  handlerTimeoutMs: true,
  connectTimeoutMs: true,
  lookupTtlMs: true,
  maxConnecting: true,
  failFastAfter: true,
  maxPending: true,
  scheduling: true,
  detectNestedAcquire: true,
  idleTimeoutMs: true,
  maxLifetimeMs: true,
  maxUses: true,
  leakDetectionMs: true,
  maxLeaseMs: true,
  probeAfterIdleMs: true,
  probeTimeoutMs: true,
  heartbeatMs: true,
  inactivityTimeoutMs: true,
  shardStallMs: true,
  maxShardStallMs: true,
  maxMainStallMs: true,
  keepAlive: true,
  keepAliveInitialDelayMs: true,
  noDelay: true,
  retryStale: true,
  retryBudget: true,
  backoff: true,
  maxReplyBytes: true,
  ringBytes: true,
  highWaterMark: true,
  maxBufferedBytes: true,
  worker: false,
  tls: false,
  allowExitOnIdle: true,
  name: true,
}

/** Puts it together now: each connection and each caller who waits is looked at. */
export function takeDump(settings: Settings, dispatch: Dispatch, world: World, stats: PoolStats): PoolDump {
  const now = world.now()
  return {
    name: settings.name,
    at: new Date(performance.timeOrigin + now).toISOString(),
    uptimeMs: now - dispatch.flight.since,
    versions: { cenote: VERSION, node: process.versions.node },
    options: shownOptions({ ...settings, ...stats.limits }),
    stats,
    connections: dispatch.links.flatMap((link) => [...(link?.lines() ?? [])].map((line) => describe(line, now))),
    pending: { count: stats.pending.leases + stats.pending.requests, oldestMs: longestWait(dispatch, now) },
    leases: dispatch.holders(),
    recorder: dispatch.flight.read(),
  }
}

/** What of the options a dump shows. */
export function shownOptions(settings: Settings): Record<string, unknown> {
  const names = Object.keys(SHOWN) as (keyof Settings)[] // the keys of `SHOWN`
  const shown = names.filter((name) => SHOWN[name] && settings[name] !== undefined)
  return Object.fromEntries(shown.map((name) => [name, name === 'endpoint' ? printEndpoints(settings.endpoint) : plain(settings[name])]))
}

function printEndpoints(source: EndpointSource): string | string[] {
  if (isLists(source)) return 'lists that follow one another'
  const [first, ...others] = source.map(({ endpoint }) => printEndpoint(endpoint))
  return others.length === 0 ? String(first) : [String(first), ...others]
}

/** JSON has no Infinity. */
function plain(value: unknown): unknown {
  if (value === Number.POSITIVE_INFINITY) return 'Infinity'
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
}

function describe(line: Line, now: number): ConnectionDump {
  const { slot, serial, site, openedAt } = line
  let owed = 0
  for (let call = line.first; call !== undefined; call = call.lineNext) owed++
  return {
    id: connectionId(slot, serial),
    endpoint: printEndpoint(site.endpoint),
    shard: slot.shard,
    state: slot.state,
    ageMs: openedAt === 0 ? undefined : performance.timeOrigin + now - openedAt,
    uses: slot.uses,
    inFlight: slot.inFlight,
    owed,
  }
}

function longestWait({ books }: Dispatch, now: number): number {
  let longest = 0
  for (const waiter of books.waiters) longest = Math.max(longest, now - (waiter as Call).queuedAt) // only calls are put into the books
  return longest
}
