/** How many connections the work needs, by what was measured. */
import type { LoadStats } from './books/load.ts'

interface Sizes {
  readonly maxConnections: number
  readonly minConnections: number
}

/** What `pool.advise()` returns. */
export interface Advice {
  /** How long it was measured, in milliseconds. */
  readonly overMs: number
  /** Callers who came for a connection, or for a place on a shared one, per second. */
  readonly callsPerSecond: number
  /** How long a call kept a connection from the others, in milliseconds: on a shared connection, its share. */
  readonly holdMs: number
  /**
   * How many connections that keeps in use on average, by Little's law: arrival rate × hold time. Counted over the time itself, so that
   * leases that outlast it count; those who came and were not served are added.
   */
  readonly connections: number
  /** Of `maxConnections`, how much was in use: 0 to 1. */
  readonly utilization: number
  /** Callers who stood in the queue, on average. */
  readonly waiting: number
  /** What `pool.resize()` would be given. */
  readonly sizes: Sizes
  /** Why, a sentence for each. */
  readonly reasons: readonly string[]
}

/** What the option takes. */
const MAX_CONNECTIONS = 65_536

/** How many standard deviations above the average are provided for: the number in use varies as its square root. */
const HEADROOM = 2

/**
 * @param sizes - Those in force: the advice if nothing was measured.
 * @see Little, "A proof for the queuing formula L = λW" (1961); Halfin and Whitt (1981) on square-root staffing
 */
export function advise({ overMs, calls, served, usedMs, waitedMs }: LoadStats, sizes: Sizes): Advice {
  const perMs = (amount: number): number => (overMs > 0 ? amount / overMs : 0)
  const inUse = perMs(usedMs)
  const connections = inUse * Math.max(1, served > 0 ? calls / served : 1) // who came and was not served would have used one too
  const callsPerSecond = perMs(calls) * 1000
  const holdMs = served > 0 ? usedMs / served : 0
  const measured = {
    overMs,
    callsPerSecond,
    holdMs,
    connections,
    utilization: inUse / sizes.maxConnections,
    waiting: perMs(waitedMs),
  }
  if (connections === 0) return { ...measured, sizes, reasons: ['Nothing was measured: nobody has used a connection.'] }
  const maxConnections = Math.min(MAX_CONNECTIONS, Math.ceil(connections + HEADROOM * Math.sqrt(connections)))
  const minConnections = Math.min(maxConnections, Math.floor(connections))
  return {
    ...measured,
    sizes: { maxConnections, minConnections },
    reasons: [
      `${round(callsPerSecond)} calls/s that hold a connection for ${round(holdMs)} ms keep ${round(connections)} in use.`,
      `maxConnections ${maxConnections}, not ${sizes.maxConnections}: as many, and ${HEADROOM} times their square root for the times above the average.`,
      `minConnections ${minConnections}, not ${sizes.minConnections}: on average so many are in use, so they need not be opened anew.`,
      ...(measured.waiting >= 1
        ? [`${round(measured.waiting)} callers waited on average; the server must bear more connections for it to help.`]
        : []),
    ],
  }
}

/** What was between two moments. */
export function loadBetween(before: LoadStats, after: LoadStats): LoadStats {
  return {
    overMs: after.overMs - before.overMs,
    calls: after.calls - before.calls,
    served: after.served - before.served,
    usedMs: after.usedMs - before.usedMs,
    waitedMs: after.waitedMs - before.waitedMs,
  }
}

function round(value: number): number {
  return Number(value.toPrecision(3))
}
