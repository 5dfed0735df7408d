/** The errors that the coordinator gives to those who wait: what happened, where, and how the pool stood. */
import { type Outcome, PoolError, type PoolErrorPhase, type Stalled } from '@cenote/pool-worker'
import type { Call } from './calls.ts'
import type { Situation, WaitPhase } from './situation.ts'

/** A thread that stood still, and so made callers wait. */
export interface Stall {
  readonly where: Stalled
  readonly ms: number
  /** Which one. */
  readonly shard?: number
}

/**
 * Makes an error for one of many who are refused at once, by a clock or by the end of the pool: without a stack, which would show nothing
 * of its caller. For a hundred thousand of them that takes half a second less.
 */
export function stackless(make: () => PoolError): PoolError {
  if (Object.isFrozen(Error)) return make()
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return make()
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

/** Why a time-out may be no fault of the server's: a shard that is silent, or this thread when it stood still. */
function stallOf(situation: Situation, shard: Stall | undefined): Stall | undefined {
  if (shard !== undefined) return shard
  return situation.stalledMs > 0 ? { where: 'main', ms: situation.stalledMs } : undefined
}

/** What a time-out says of the thread that stood still. */
function blame(stall: Stall | undefined): string {
  if (stall === undefined) return ''
  const { where, ms, shard } = stall
  return where === 'main' ? `; the calling thread stood still for ${ms} ms` : `; shard ${shard} has been silent for ${ms} ms`
}

/** What would not fit into what may wait on the calling thread. */
export function beyondBuffer(max: number, phase: PoolErrorPhase, outcome: Outcome): PoolError {
  return new PoolError('RESOURCE_EXHAUSTED', `more than maxBufferedBytes (${max}) would wait on the calling thread`, { phase, outcome })
}

/** What a caller lacked when its time was up. */
const LACKED = { queue: 'none in use came back', connect: 'none was opened', probe: 'none was proved fit' } as const

/**
 * A caller's time was up before it had a connection.
 *
 * @param phase - Default: by its place in the queue.
 * @param shard - The shard that stands still, if that keeps it waiting.
 */
export function waitedTooLong(
  call: Call,
  situation: Situation,
  shard?: Stall,
  phase: WaitPhase = situation.phase(call.run?.ticket ?? call),
): PoolError {
  const code = call.kind === 'lease' && call.run === undefined ? 'ACQUIRE_TIMEOUT' : 'REQUEST_TIMEOUT'
  const { name, text, holders, counts, oldest, connectError } = situation
  const stall = stallOf(situation, shard)
  const message = `${name}: no connection within ${call.timeoutMs} ms, ${LACKED[phase]}: ${text}${holders}${blame(stall)}`
  const details = { phase, outcome: 'not-sent', counts, stalled: stall?.where, oldest, cause: connectError } as const
  return stackless(() => new PoolError(code, message, details))
}

/** Its caller holds leases by `use`, and waits for a connection that only one who holds it can give back. */
export function nestedAcquire(held: number, heldMs: number, situation: Situation): PoolError {
  const leases = held === 1 ? 'a lease of' : `${held} leases, the oldest of`
  const message = `${situation.name}: inside pool.use(), which holds ${leases} ${Math.round(heldMs)} ms, this would wait for another`
  return new PoolError('NESTED_ACQUIRE', `${message}: ${situation.text}`, {
    phase: 'queue',
    outcome: 'not-sent',
    counts: situation.counts,
  })
}

/** A request's time was up after it had gone to a connection. */
export function answeredTooLate(call: Call, outcome: Outcome, situation: Situation, shard?: Stall): PoolError {
  const phase: PoolErrorPhase = outcome === 'not-sent' ? 'send' : 'reply'
  const stall = stallOf(situation, shard)
  const message = `${situation.name}: no reply within ${call.timeoutMs} ms${blame(stall)}`
  const details = { phase, outcome, counts: situation.counts, stalled: stall?.where }
  return stackless(() => new PoolError('REQUEST_TIMEOUT', message, details))
}

/** A handler's time was up. */
export function ranTooLong(call: Call, handler: string, situation: Situation, shard?: Stall): PoolError {
  const stall = stallOf(situation, shard)
  const message = `${situation.name}: the handler '${handler}' has not ended within ${call.timeoutMs} ms${blame(stall)}`
  const { counts } = situation
  const details = { phase: 'handler', outcome: 'maybe-executed', counts, stalled: stall?.where } as const
  return stackless(() => new PoolError('REQUEST_TIMEOUT', message, details))
}

/** `maxPending` wait already. */
export function queueFull(situation: Situation): PoolError {
  return new PoolError('QUEUE_FULL', `${situation.name}: no more callers may wait: ${situation.text}`, {
    phase: 'queue',
    outcome: 'not-sent',
    counts: situation.counts,
  })
}

/** So many connects in a row have failed that nobody waits for another. */
export function connectFailed(cause: PoolError, situation: Situation): PoolError {
  return new PoolError(cause.code, `${situation.name}: ${cause.message}`, {
    phase: 'connect',
    outcome: 'not-sent',
    counts: situation.counts,
    cause: cause.cause ?? cause,
  })
}

/** The endpoint is down: whoever comes is not made to wait. */
export function unavailable(cause: PoolError | undefined, failures: number, maxMs: number, situation: Situation): PoolError {
  const tries = `${failures} ${failures === 1 ? 'connect has' : 'connects in a row have'} failed; it is tried again at least every ${maxMs} ms`
  return new PoolError('UNAVAILABLE', `${situation.name}: ${tries}: ${cause?.message}`, {
    phase: 'connect',
    outcome: 'not-sent',
    counts: situation.counts,
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
  const { code, message, phase, counts, stalled, oldest, cause } = error
  return new PoolError(code, message, { phase, outcome, counts, stalled, oldest, cause })
}
