/** How long a server keeps an idle connection: what it says, told to the caller's side. */
import { badOption } from './errors.ts'
import { Kind } from './frame.ts'
import type { Place } from './side.ts'

/** A server counts from when it has sent the last byte, which is some time before anybody here is idle; and closes when it likes. */
const MARGIN_MS = 2_000

/**
 * Tells for how long the connection may stay idle, less a margin.
 * @throws PoolError `BAD_OPTION`.
 */
export function tellKeepAlive(place: Pick<Place, 'send'>, ms: unknown): void {
  if (typeof ms !== 'number' || !(ms > 0)) throw badOption('keepAlive', 'must be a number of milliseconds above 0, or Infinity')
  place.send(Kind.KEEP, 0, ms === Number.POSITIVE_INFINITY ? 0 : usable(ms))
}

/** Whole milliseconds, at least one: 0 means for ever. */
function usable(ms: number): number {
  return Math.max(1, Math.min(0x7fff_ffff, Math.floor(ms - Math.min(MARGIN_MS, ms / 2))))
}
