/** The errors that the coordinator gives to those who wait: what happened, where, and how the pool stood. */
import { type Outcome, PoolError, type PoolErrorPhase, type Stalled } from '@cenote/pool-worker'
import type { BooksCounts } from './books/counts.ts'
import type { Call } from './calls.ts'

/** A thread that stood still, and so made callers wait. */
export interface Stall {
  readonly where: Stalled
  readonly ms: number
  /** Which one. */
  readonly shard?: number
}

/** What every refusal tells of the pool. */
export interface Situation {
  readonly name: string
  readonly maxConnections: number
  readonly counts: BooksCounts
  /** Of the last connect that failed since one succeeded. */
  readonly connectError: PoolError | undefined
  /** Now, when a time-out is told of. */
  readonly stall: Stall | undefined
}

function counted({ counts }: Situation): { connections: number; idle: number; opening: number; pending: number } {
  const { connections, idle, opening } = counts
  return { connections, idle, opening, pending: counts.pendingLeases + counts.pendingRequests }
}

function describe(situation: Situation): string {
  const { connections, idle, opening, pending } = counted(situation)
  const { inUse } = situation.counts
  return `${connections} of ${situation.maxConnections} connections (${inUse} in use, ${idle} idle, ${opening} opening), ${pending} waiting`
}

/** What a time-out says of the thread that stood still. */
function blame({ stall }: Situation): string {
  if (stall === undefined) return ''
  const { where, ms, shard } = stall
  return where === 'main' ? `; the calling thread stood still for ${ms} ms` : `; shard ${shard} has been silent for ${ms} ms`
}

/** What would not fit into what may wait on the calling thread. */
export function beyondBuffer(max: number, phase: PoolErrorPhase, outcome: Outcome): PoolError {
  return new PoolError('RESOURCE_EXHAUSTED', `more than maxBufferedBytes (${max}) would wait on the calling thread`, { phase, outcome })
}

/** A caller's time was up before it had a connection. */
export function waitedTooLong(call: Call, situation: Situation): PoolError {
  const phase: PoolErrorPhase = situation.counts.opening > 0 || situation.connectError !== undefined ? 'connect' : 'queue'
  const code = call.kind === 'lease' && call.run === undefined ? 'ACQUIRE_TIMEOUT' : 'REQUEST_TIMEOUT'
  const message = `${situation.name}: no connection within ${call.timeoutMs} ms: ${describe(situation)}${blame(situation)}`
  return new PoolError(code, message, {
    phase,
    outcome: 'not-sent',
    counts: counted(situation),
    stalled: situation.stall?.where,
    cause: situation.connectError,
  })
}

/** Its caller holds leases by `use`, and waits for a connection that only one who holds it can give back. */
export function nestedAcquire(held: number, heldMs: number, situation: Situation): PoolError {
  const leases = held === 1 ? 'a lease of' : `${held} leases, the oldest of`
  const message = `${situation.name}: inside pool.use(), which holds ${leases} ${Math.round(heldMs)} ms, this would wait for another`
  return new PoolError('NESTED_ACQUIRE', `${message}: ${describe(situation)}`, {
    phase: 'queue',
    outcome: 'not-sent',
    counts: counted(situation),
  })
}

/** A request's time was up after it had gone to a connection. */
export function answeredTooLate(call: Call, outcome: Outcome, situation: Situation): PoolError {
  const phase: PoolErrorPhase = outcome === 'not-sent' ? 'send' : 'reply'
  return new PoolError('REQUEST_TIMEOUT', `${situation.name}: no reply within ${call.timeoutMs} ms${blame(situation)}`, {
    phase,
    outcome,
    counts: counted(situation),
    stalled: situation.stall?.where,
  })
}

/** A handler's time was up. */
export function ranTooLong(call: Call, handler: string, situation: Situation): PoolError {
  const message = `${situation.name}: the handler '${handler}' has not ended within ${call.timeoutMs} ms${blame(situation)}`
  return new PoolError('REQUEST_TIMEOUT', message, {
    phase: 'handler',
    outcome: 'maybe-executed',
    counts: counted(situation),
    stalled: situation.stall?.where,
  })
}

/** `maxPending` wait already. */
export function queueFull(situation: Situation): PoolError {
  return new PoolError('QUEUE_FULL', `${situation.name}: no more callers may wait: ${describe(situation)}`, {
    phase: 'queue',
    outcome: 'not-sent',
    counts: counted(situation),
  })
}

/** So many connects in a row have failed that nobody waits for another. */
export function connectFailed(cause: PoolError, situation: Situation): PoolError {
  return new PoolError(cause.code, `${situation.name}: ${cause.message}`, {
    phase: 'connect',
    outcome: 'not-sent',
    counts: counted(situation),
    cause: cause.cause ?? cause,
  })
}

/** The endpoint is down: whoever comes is not made to wait. */
export function unavailable(cause: PoolError | undefined, failures: number, maxMs: number, situation: Situation): PoolError {
  const tries = `${failures} ${failures === 1 ? 'connect has' : 'connects in a row have'} failed; it is tried again at least every ${maxMs} ms`
  return new PoolError('UNAVAILABLE', `${situation.name}: ${tries}: ${cause?.message}`, {
    phase: 'connect',
    outcome: 'not-sent',
    counts: counted(situation),
    cause,
  })
}

/** `close()` came first. */
export function poolClosed(name: string, outcome: Outcome): PoolError {
  return new PoolError('POOL_CLOSED', `${name}: the pool is closed`, { phase: 'close', outcome })
}

/** A connection has gone, and what was under way on it. */
export function connectionLost(message: string, outcome: Outcome, cause?: unknown): PoolError {
  return new PoolError('CONNECTION_LOST', message, { phase: outcome === 'not-sent' ? 'send' : 'reply', outcome, cause })
}

/** The same error for a caller of whom more is known. */
export function withOutcome(error: PoolError, outcome: Outcome): PoolError {
  const { code, message, phase, counts, stalled, cause } = error
  return new PoolError(code, message, { phase, outcome, counts, stalled, cause })
}
