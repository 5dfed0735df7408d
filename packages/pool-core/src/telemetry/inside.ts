/** What instruments see of a pool without its being public: found by the pool itself, so that nothing of it is on the pool. */
import { badOption } from '@cenote/pool-worker'
import type { Numbers, PoolStats } from '../stats.ts'
import type { Traces } from './traces.ts'

/** A pool from within. */
export interface Inside {
  readonly name: string
  /** Tells the pool's traces from those of others. */
  readonly traces: Traces
  readonly numbers: Numbers
  /** As they are at the moment. */
  readonly limits: { readonly maxConnections: number; readonly maxIdle: number; readonly minIdle: number }
  stats(): PoolStats
  /** Called when the pool has closed, each in a microtask of its own. */
  readonly whenClosed: Set<() => void>
}

const insides = new WeakMap<object, Inside>()

/** Lets instruments find it. */
export function openInside(pool: object, inside: Inside): void {
  insides.set(pool, inside)
}

/** @throws PoolError `BAD_OPTION`: it is no pool, or one of another copy of the package. */
export function insideOf(pool: unknown): Inside {
  const inside = typeof pool === 'object' && pool !== null ? insides.get(pool) : undefined
  if (inside === undefined) throw badOption('pool', 'must be what createPool of this copy of Cenote has made')
  return inside
}
