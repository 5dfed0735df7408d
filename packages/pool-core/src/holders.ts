/** Who holds which connection: derived from the lines whenever somebody asks, so that nothing is kept for it. */
import { printEndpoint } from '@cenote/pool-worker'
import type { Slot } from './books/slots.ts'
import type { ConnectionInfo } from './lease.ts'
import type { Line } from './line.ts'
import type { Link } from './link.ts'

/** One who holds a connection at this moment: `pool.leases()`. */
export interface LeaseInfo {
  /** A lease, its `stream()`, or a handler that runs. */
  readonly kind: 'lease' | 'stream' | 'handler'
  readonly connection: ConnectionInfo
  /** Milliseconds since the epoch. */
  readonly acquiredAt: number
  /** Milliseconds since then, by a clock that never goes back. */
  readonly heldMs: number
  /** Of a handler: its name. */
  readonly handler?: string | undefined
  /** Of a lease, with `leakDetectionMs`: the frames of whoever acquired it. */
  readonly stack?: string | undefined
}

/** Unique within a pool's life. */
export function connectionId({ shard, index }: Pick<Slot, 'shard' | 'index'>, serial: number): string {
  return `${shard}/${index}/${serial}`
}

/** What is told of a line's connection. */
export function describeConnection({ slot, serial, site, openedAt }: Line): ConnectionInfo {
  return {
    id: connectionId(slot, serial),
    shard: slot.shard,
    endpoint: printEndpoint(site.endpoint),
    createdAt: openedAt,
    uses: slot.uses,
  }
}

/** All who hold a connection, the oldest first. Who holds one that has died, or waits for another in its place, is not among them. */
export function holders(links: readonly (Link | undefined)[], describe: (line: Line) => ConnectionInfo, now: number): LeaseInfo[] {
  const all: LeaseInfo[] = []
  for (const link of links) for (const line of link?.lines() ?? []) addHolder(all, line, describe, now)
  return all.sort((one, other) => other.heldMs - one.heldMs)
}

function addHolder(all: LeaseInfo[], line: Line, describe: (line: Line) => ConnectionInfo, now: number): void {
  const { lease, run, stream } = line
  const since = lease?.grantedAt ?? run?.startedAt
  if (since === undefined) return
  const times = { acquiredAt: Math.round(performance.timeOrigin + since), heldMs: now - since }
  const connection = describe(line)
  if (lease === undefined) all.push({ kind: 'handler', connection, ...times, handler: run?.name })
  else all.push({ kind: stream === undefined ? 'lease' : 'stream', connection, ...times, stack: lease.watch?.stack })
}
