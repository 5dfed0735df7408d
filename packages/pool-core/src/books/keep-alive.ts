/** For how long a connection may stay idle besides `idleTimeoutMs`: by its server's word, or by that of whoever gives it back. */
import type { Placement } from './placement.ts'
import type { Slot } from './slots.ts'

/** Looked for again after so long, at the earliest: those that are due at almost the same time close together. */
const LOOK_MS = 5

/** So long its server keeps the connection when it is idle: from now on, until it says otherwise. */
export function keepAlive(slot: Slot, ms: number, now: number): void {
  slot.keepAliveMs = ms
  if (slot.state === 'idle') slot.idleUntil = Math.min(now + ms, slot.restUntil)
}

/** It becomes idle. */
export function beginRest(slot: Slot, now: number): void {
  slot.idleSince = now
  slot.restUntil = now + slot.restMs
  slot.idleUntil = Math.min(now + slot.keepAliveMs, slot.restUntil)
}

/**
 * Closes the idle ones that have had that time, whatever `minConnections` wants: others open in their place.
 *
 * @returns When to look again: none of those in use now is due before that either.
 */
export function endKept(placement: Placement, now: number): number {
  let due = Number.POSITIVE_INFINITY
  for (const { slots } of placement.live) {
    for (const slot of slots) {
      if (slot.state !== 'idle') due = Math.min(due, now + slot.keepAliveMs, now + slot.restMs)
      else if (slot.idleUntil <= now) placement.close(slot, 'idle')
      else due = Math.min(due, slot.idleUntil)
    }
  }
  return Math.max(due, now + LOOK_MS)
}
