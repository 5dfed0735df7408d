/** What all numbers of a pool must add up to: at every moment, and when it is closed. The one place that knows the equations. */
import type { Counters, EndpointStats, PoolStats, ShardStats } from '@cenote/pool-core'

/** Every state that a connection can be counted in. */
const STATES = ['idle', 'opening', 'inUse', 'resetting', 'closing'] as const

const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0)
const statesOf = (stats: PoolStats | ShardStats | EndpointStats): number => sumOf(STATES.map((state) => stats[state]))

/** Sums of counters that are equal when nothing is under way: each begun is ended in one of these ways. */
const ENDS: readonly (readonly [what: string, begun: (counters: Counters) => number, ended: (counters: Counters) => number])[] = [
  ['opening = opened + connectFailures + connectsAbandoned', (n) => n.opening, (n) => n.opened + n.connectFailures + n.connectsAbandoned],
  ['opened = closed', (n) => n.opened, (n) => n.closed],
  ['acquired = released + reclaimed', (n) => n.acquired, (n) => n.released + n.reclaimed],
  ['acquires = those that ended', (n) => n.acquires, (n) => sumOf(Object.values(n.ended.acquires))],
  ['requests = those that ended', (n) => n.requests, (n) => sumOf(Object.values(n.ended.requests))],
  ['handlers = those that ended', (n) => n.handlers, (n) => sumOf(Object.values(n.ended.handlers))],
]

/** Requests begun, and neither ended nor in flight: as many as wait, for a place or for a connection of their own. */
function waitingIsOff({ counters, inFlight, pending }: PoolStats): string[] {
  const waiting = counters.requests - sumOf(Object.values(counters.ended.requests)) - inFlight
  if (inFlight >= 0 && waiting >= pending.requests && waiting <= pending.requests + pending.leases) return []
  return [`requests − ended − inFlight wait: ${waiting}, with ${inFlight} in flight and ${JSON.stringify(pending)} pending`]
}

const failures = ({ ended }: Counters): number => sumOf(Object.values(ended).map(({ failed }) => failed))

/** What does not hold, though it must at every moment. */
export function momentary(stats: PoolStats): string[] {
  const { connections, counters, shards, endpoints } = stats
  const equal: [string, number, number][] = [
    ['the states add up to connections', statesOf(stats), connections],
    ['the reasons add up to closed', sumOf(Object.values(counters.closedBy)), counters.closed],
    ['the codes add up to what failed', sumOf(Object.values(counters.failedBy)), failures(counters)],
    ...[...STATES, 'connections' as const].map((key): [string, number, number] => [
      `${key} of all shards`,
      sumOf(shards.map((shard) => shard[key])),
      stats[key],
    ]),
    ...shards.map((shard): [string, number, number] => [`the states of shard ${shard.shard}`, statesOf(shard), shard.connections]),
    ...[...STATES, 'connections' as const].map((key): [string, number, number] => [
      `${key} of all endpoints`,
      sumOf(endpoints.map((endpoint) => endpoint[key])),
      stats[key],
    ]),
  ]
  const negative = ENDS.filter(([, begun, ended]) => begun(counters) < ended(counters)).map(
    ([what]) => `more has ended than begun: ${what}`,
  )
  const unequal = equal.flatMap(([what, is, ought]) => (is === ought ? [] : [`${what}: ${is}, not ${ought}`]))
  return [...unequal, ...negative, ...waitingIsOff(stats)]
}

/** What does not hold of a pool that is closed and whose leases are all released: every gauge is zero, and the counters subtract. */
export function final(stats: PoolStats): string[] {
  const { connections, pending, inFlight, bufferedBytes, shards, endpoints, counters } = stats
  const gauges = { connections, 'pending leases': pending.leases, 'pending requests': pending.requests, inFlight, bufferedBytes }
  const handlers = sumOf(shards.map((shard) => shard.handlers))
  const open = sumOf(endpoints.map((endpoint) => endpoint.pending + endpoint.counters.opened - endpoint.counters.closed))
  return [
    ...momentary(stats),
    ...Object.entries({ ...gauges, handlers, 'pending or open at endpoints': open }).flatMap(([what, value]) =>
      value === 0 ? [] : [`${what}: ${value}`],
    ),
    ...ENDS.flatMap(([what, begun, ended]) =>
      begun(counters) === ended(counters) ? [] : [`${what}: ${begun(counters)}, ${ended(counters)}`],
    ),
  ]
}
