/** PoolError, the one error class, and the form in which errors cross a thread. */
import { inspect } from 'node:util'

/** Why a call failed. Stable: branch on `code`, never on `message`. */
export type PoolErrorCode =
  /** An option is unknown or of the wrong kind; the message names it. */
  | 'BAD_OPTION'
  /** The protocol refuses the request, or it needs a lease. Nothing was sent. */
  | 'BAD_REQUEST'
  /** No connection within `acquireTimeoutMs`; `cause` is the last connect error, if any. */
  | 'ACQUIRE_TIMEOUT'
  /** `maxPending` callers wait already. */
  | 'QUEUE_FULL'
  /** The pool is closed, or closes and this call still waited. */
  | 'POOL_CLOSED'
  /** DNS or the connect failed; `cause` is the system's error. */
  | 'CONNECT_FAILED'
  /** DNS, connect, TLS and hand-shake took longer than `connectTimeoutMs`. */
  | 'CONNECT_TIMEOUT'
  /** The server is down: `failFastAfter` connects in a row have failed. `cause` is why the last did. It is tried again, again and again. */
  | 'UNAVAILABLE'
  /** The TLS hand-shake failed, or the server's certificate is not trusted. */
  | 'TLS_REJECTED'
  /** The server refuses the credentials. */
  | 'AUTH_FAILED'
  /** No reply, or no result of a handler, in time; `phase` says where the time went. */
  | 'REQUEST_TIMEOUT'
  /** The connection ended before the reply came. */
  | 'CONNECTION_LOST'
  /** What the server sent is not of the protocol. The connection is destroyed. */
  | 'PROTOCOL_ERROR'
  /** A reply or bytes that belong to nobody. The connection is destroyed. */
  | 'DESYNC'
  /** A reply longer than `maxReplyBytes`. The connection is destroyed. */
  | 'REPLY_TOO_LARGE'
  /** The lease, or a view of its connection, is over. */
  | 'LEASE_RELEASED'
  /** The lease was held longer than `maxLeaseMs`. The connection is destroyed. */
  | 'LEASE_EXPIRED'
  /** With `detectNestedAcquire`: its caller holds a connection by `use`, and would wait for another that only a holder can give back. */
  | 'NESTED_ACQUIRE'
  /** A hook of the protocol, or the credentials' function, failed; `cause` is what it threw. */
  | 'HOOK_FAILED'
  /** A handler failed; `cause` is what it threw. */
  | 'HANDLER_FAILED'
  /** A value cannot cross to another thread. */
  | 'NOT_CLONEABLE'
  /** The thread that held the connection has died; it is replaced. */
  | 'SHARD_LOST'
  /** A thread could not be started, or a module not be loaded; `cause` says why. */
  | 'NO_SHARD'
  /** More bytes would wait than `maxBufferedBytes`, or too many calls are in flight. */
  | 'RESOURCE_EXHAUSTED'

/** Where a call was when it failed. */
export type PoolErrorPhase = 'start' | 'queue' | 'connect' | 'probe' | 'send' | 'reply' | 'handler' | 'close'

/** What the peer may have seen of a failed call: nothing; perhaps all of it; it ran, and its result is lost. */
export type Outcome = 'not-sent' | 'maybe-executed' | 'executed'

/** Whose event loop stood still: the calling thread's, or that of the shard which had the call. */
export type Stalled = 'main' | 'shard'

/** The pool at the moment of the failure. */
export interface PoolCounts {
  /** In whatever state, those being opened or closed included. */
  readonly connections: number
  readonly idle: number
  readonly opening: number
  /** Callers who wait. */
  readonly pending: number
}

/** One who held a connection while others waited: `pool.leases()` tells more of him. */
export interface Holder {
  /** A lease, its `stream()`, or a handler that ran. */
  readonly kind: 'lease' | 'stream' | 'handler'
  /** The connection's id, unique within the pool's life. */
  readonly connection: string
  /** For how many milliseconds. */
  readonly heldMs: number
  /** Of a handler: its name. */
  readonly handler?: string | undefined
}

/** What a `PoolError` is made with besides its code and message. */
export interface PoolErrorDetails {
  readonly phase?: PoolErrorPhase | undefined
  readonly outcome?: Outcome | undefined
  readonly counts?: PoolCounts | undefined
  readonly stalled?: Stalled | undefined
  readonly oldest?: readonly Holder[] | undefined
  readonly cause?: unknown
}

const BRAND = Symbol.for('cenote.PoolError')

/**
 * The one error of the pool. `cause` is the error below it, kept across threads with its code, errno and syscall.
 *
 * @example
 * import { PoolError } from '@cenote/pool-core'
 *
 * export function mayRetry(error: unknown): boolean {
 *   return PoolError.is(error) && error.outcome === 'not-sent'
 * }
 */
export class PoolError extends Error {
  override readonly name = 'PoolError'
  readonly code: PoolErrorCode
  /** Where the call was. */
  readonly phase: PoolErrorPhase | undefined
  /** What the server may have seen of it: whether it may be tried again. */
  readonly outcome: Outcome | undefined
  /** The pool at that moment, where that explains the error. */
  readonly counts: PoolCounts | undefined
  /** Of a time-out, when it is not the server that was slow: which thread stood still. The message says for how long. */
  readonly stalled: Stalled | undefined
  /** Of a wait for a connection that was too long: who held connections longest, at most three. The message says how many more. */
  readonly oldest: readonly Holder[] | undefined

  constructor(code: PoolErrorCode, message: string, details: PoolErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.phase = details.phase
    this.outcome = details.outcome
    this.counts = details.counts
    this.stalled = details.stalled
    this.oldest = details.oldest
    Object.defineProperty(this, BRAND, { value: true })
  }

  /** Whether a value is a PoolError, from this copy of the package or another. */
  static is(value: unknown): value is PoolError {
    return typeof value === 'object' && value !== null && BRAND in value
  }
}

/**
 * A reply that the server meant as an error. The connection stays good.
 * `code` is the first word of a RESP error (`ERR`, `WRONGTYPE`, …).
 *
 * @example
 * import { createPool, ReplyError, resp } from '@cenote/pool-core'
 *
 * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp() })
 * await pool.request(['NO-SUCH-COMMAND']).catch((error: unknown) => {
 *   if (ReplyError.is(error)) console.log(error.code) // ERR
 * })
 */
export class ReplyError extends Error {
  override readonly name = 'ReplyError'
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
    Object.defineProperty(this, REPLY_BRAND, { value: true })
  }

  /** Whether a value is a ReplyError, from this copy of the package or another. */
  static is(value: unknown): value is ReplyError {
    return typeof value === 'object' && value !== null && REPLY_BRAND in value
  }
}

/** What is wrong with an option, by its name. */
export function badOption(name: string, problem: string): PoolError {
  return new PoolError('BAD_OPTION', `${name}: ${problem}`, { phase: 'start', outcome: 'not-sent' })
}

/** What a codec's `encode` threw, as the request's caller is told of it: nothing was sent. */
export function badRequest(thrown: unknown): PoolError {
  if (PoolError.is(thrown) && thrown.outcome !== undefined) return thrown
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  const [code, message] = PoolError.is(thrown) ? [thrown.code, text] : (['BAD_REQUEST', `the request cannot be encoded: ${text}`] as const)
  const cause = PoolError.is(thrown) ? thrown.cause : thrown
  return new PoolError(code, message, { phase: 'send', outcome: 'not-sent', cause })
}

const REPLY_BRAND = Symbol.for('cenote.ReplyError')

/** An error as plain data: what structured clone, piscina and comlink would drop of it is kept. */
export interface ErrorData {
  readonly type: 'pool' | 'reply' | 'error' | 'value'
  readonly name: string
  readonly message: string
  readonly stack?: string | undefined
  readonly code?: string | number | undefined
  readonly errno?: number | undefined
  readonly syscall?: string | undefined
  readonly phase?: PoolErrorPhase | undefined
  readonly outcome?: Outcome | undefined
  readonly counts?: PoolCounts | undefined
  readonly stalled?: Stalled | undefined
  readonly oldest?: readonly Holder[] | undefined
  readonly cause?: ErrorData | undefined
  readonly errors?: readonly ErrorData[] | undefined
}

const MAX_DEPTH = 8

/** Turns anything thrown into plain data; causes and aggregated errors to a depth of 8. Never throws. */
export function encodeError(thrown: unknown, depth = 0): ErrorData {
  try {
    return encode(thrown, depth)
  } catch {
    return { type: 'value', name: 'Error', message: 'an error whose properties cannot be read' }
  }
}

function encode(thrown: unknown, depth: number): ErrorData {
  if (!(thrown instanceof Error)) return { type: 'value', name: 'Error', message: string(thrown) ?? inspect(thrown, { depth: 1 }) }
  const { code, errno, syscall, errors } = thrown as { code?: unknown; errno?: unknown; syscall?: unknown; errors?: unknown }
  const deeper = depth < MAX_DEPTH
  const pool = PoolError.is(thrown) ? thrown : undefined
  return {
    type: pool !== undefined ? 'pool' : ReplyError.is(thrown) ? 'reply' : 'error',
    name: String(thrown.name),
    message: String(thrown.message),
    stack: string(thrown.stack),
    code: string(code) ?? number(code),
    errno: number(errno),
    syscall: string(syscall),
    phase: pool?.phase,
    outcome: pool?.outcome,
    counts: pool?.counts,
    stalled: pool?.stalled,
    oldest: pool?.oldest,
    cause: deeper && thrown.cause !== undefined ? encodeError(thrown.cause, depth + 1) : undefined,
    // Half the depth each: sixteen errors that hold one another would else be 16⁸.
    errors: deeper && Array.isArray(errors) ? errors.slice(0, 16).map((error) => encodeError(error, depth + MAX_DEPTH / 2)) : undefined,
  }
}

function string(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

/** Rebuilds an error from its data. A PoolError or ReplyError comes back as one; another keeps its name, code and stack. */
export function decodeError(data: ErrorData): Error {
  const cause = data.cause === undefined ? undefined : decodeError(data.cause)
  const error = rebuild(data, cause)
  if (data.stack !== undefined) Object.defineProperty(error, 'stack', { value: data.stack, configurable: true, writable: true })
  return error
}

function rebuild(data: ErrorData, cause: Error | undefined): Error {
  // The codes of these two were made by the constructors above.
  if (data.type === 'pool') {
    const { phase, outcome, counts, stalled, oldest } = data
    return new PoolError(data.code as PoolErrorCode, data.message, { phase, outcome, counts, stalled, oldest, cause })
  }
  if (data.type === 'reply') return new ReplyError(String(data.code), data.message)
  const options = cause === undefined ? undefined : { cause }
  const error =
    data.errors === undefined ? new Error(data.message, options) : new AggregateError(data.errors.map(decodeError), data.message, options)
  const define = (key: string, value: unknown) => {
    if (value !== undefined) Object.defineProperty(error, key, { value, configurable: true, writable: true, enumerable: key !== 'name' })
  }
  if (data.name !== error.name) define('name', data.name)
  define('code', data.code)
  define('errno', data.errno)
  define('syscall', data.syscall)
  return error
}
