/** The books in numbers. */
import type { Pending } from './pending.ts'
import type { Placement } from './placement.ts'
import type { Tally } from './slots.ts'

/** Connections by state. The states add up to `connections`. */
export interface ConnectionCounts {
  readonly connections: number
  readonly idle: number
  /** Being opened or probed. */
  readonly opening: number
  /** Leased, or shared with at least one request in flight. */
  readonly inUse: number
  /** Given back, and not yet proved fit for the next caller. */
  readonly resetting: number
  readonly closing: number
}

/** One shard's share. */
export interface ShardCounts extends ConnectionCounts {
  readonly shard: number
  readonly live: boolean
  /** Live, but shows no sign of life. */
  readonly suspect: boolean
  /** Handlers that run. */
  readonly handlers: number
}

/** All shards together. */
export interface BooksCounts extends ConnectionCounts {
  /** Of `opening`: those being probed. */
  readonly probing: number
  readonly pendingLeases: number
  readonly pendingRequests: number
  readonly perShard: readonly ShardCounts[]
}

/** Adds up the books at this moment. */
export function countBooks(placement: Placement, pending: Pending): BooksCounts {
  const perShard: ShardCounts[] = []
  for (const home of placement.shards) {
    if (home === undefined) continue
    const { shard, live, suspect, connections, handlers } = home
    perShard.push({ shard, live, suspect, connections, ...countStates(home.tally), handlers })
  }
  const { connections, tally } = placement
  const { probing } = tally
  return { connections, ...countStates(tally), probing, pendingLeases: pending.leases, pendingRequests: pending.requests, perShard }
}

/** The states of connections as they are told. */
export function countStates(tally: Tally): Omit<ConnectionCounts, 'connections'> {
  const { idle, opening, probing, shared, leased, resetting, closing } = tally
  return { idle, opening: opening + probing, inUse: shared + leased, resetting, closing }
}
