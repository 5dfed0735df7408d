/** Options of single calls: types, checks. */
import { AsyncResource } from 'node:async_hooks'
import { badOption } from '@cenote/pool-worker'
import { MAX_PRIORITY } from './books/pending.ts'
import { type Check, count, duration, flag, ownValues, refuseUnknown } from './checks.ts'

/** Options of `ready`, and of a lease's requests. */
export interface WaitOptions {
  /** Milliseconds, or Infinity. Default: the pool's. */
  readonly timeoutMs?: number | undefined
  /** Ends the wait, with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}

/** Options of `acquire` and `use`. */
export interface AcquireOptions extends WaitOptions {
  /** From 0 to 9: higher first, first come first served among equals. Default 0. Those below wait as long as those above keep coming. */
  readonly priority?: number | undefined
}

/** Options of `request`. */
export interface RequestOptions extends AcquireOptions {
  /** Sending it twice does no harm: when its connection dies it is sent anew, up to `retryStale` times. Default false. */
  readonly idempotent?: boolean | undefined
}

/** Options of a handler's call. */
export interface HandlerOptions extends AcquireOptions {
  /** Told of each value that the handler reports with `progress`, in the async context of the call. */
  readonly onProgress?: ((value: unknown) => void) | undefined
}

/** Options of `close`. */
export interface CloseOptions {
  /** How long granted work may go on, in milliseconds. Default 10_000. Infinity: until it is done. */
  readonly timeoutMs?: number | undefined
}

/** All of them, as they are checked. */
export interface CallOptions {
  /** Milliseconds from the call to its end, queueing included: above 0, or Infinity. Default: the pool's. */
  readonly timeoutMs?: number | undefined
  /** Ends the wait; the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** A whole number from 0 to 9: higher first, and among equals whoever came first. Default 0. */
  readonly priority?: number | undefined
  /** Whether the request may be sent again on another connection when its own died. Default false. */
  readonly idempotent?: boolean | undefined
  /** Told what a handler reports. */
  readonly onProgress?: ((value: unknown) => void) | undefined
}

const CALL_CHECKS: { readonly [Name in keyof CallOptions]-?: Check<NonNullable<CallOptions[Name]>> } = {
  timeoutMs: duration(),
  signal: (value, name) => {
    if (isSignal(value)) return value
    throw badOption(name, 'must be an AbortSignal')
  },
  priority: count(0, MAX_PRIORITY),
  idempotent: flag,
  onProgress: (value, name) => {
    if (typeof value === 'function') return AsyncResource.bind((report: unknown) => void value(report))
    throw badOption(name, 'must be a function')
  },
}

const NOTHING: CallOptions = Object.freeze({
  timeoutMs: undefined,
  signal: undefined,
  priority: undefined,
  idempotent: undefined,
  onProgress: undefined,
})

type CallKind = 'wait' | 'acquire' | 'request' | 'handler' | 'close'

/** The names that each kind of call takes. */
const ALLOWED: Readonly<Record<CallKind, readonly (keyof CallOptions)[]>> = {
  wait: ['timeoutMs', 'signal'],
  acquire: ['timeoutMs', 'signal', 'priority'],
  request: ['timeoutMs', 'signal', 'priority', 'idempotent'],
  handler: ['timeoutMs', 'signal', 'priority', 'onProgress'],
  close: ['timeoutMs'],
}

/**
 * Checks the options of one call and copies them; only own properties count.
 *
 * @throws PoolError `BAD_OPTION`: names the option.
 */
export function checkCallOptions(options: unknown, kind: CallKind): CallOptions {
  return options === undefined ? NOTHING : checkGiven(options, ALLOWED[kind])
}

function checkGiven(options: unknown, allowed: readonly (keyof CallOptions)[]): CallOptions {
  const own = ownValues(options, 'options', `of ${allowed.join(', ')}`)
  refuseUnknown(own, allowed, 'options')
  return {
    timeoutMs: own.has('timeoutMs') ? CALL_CHECKS.timeoutMs(own.get('timeoutMs'), 'timeoutMs') : undefined,
    signal: own.has('signal') ? CALL_CHECKS.signal(own.get('signal'), 'signal') : undefined,
    priority: own.has('priority') ? CALL_CHECKS.priority(own.get('priority'), 'priority') : undefined,
    idempotent: own.has('idempotent') ? CALL_CHECKS.idempotent(own.get('idempotent'), 'idempotent') : undefined,
    onProgress: own.has('onProgress') ? CALL_CHECKS.onProgress(own.get('onProgress'), 'onProgress') : undefined,
  }
}

/** Whether a value works as an AbortSignal, whichever realm or library made it. */
function isSignal(value: unknown): value is AbortSignal {
  return (
    typeof value === 'object' &&
    value !== null &&
    'aborted' in value &&
    'addEventListener' in value &&
    typeof value.addEventListener === 'function'
  )
}
