/** The pool's options: one table of their checks and defaults. */
import { availableParallelism } from 'node:os'
import type { ResourceLimits, SHARE_ENV } from 'node:worker_threads'
import { badOption, type Credentials, type Endpoint, type ProtocolReference, type TlsSettings } from '@cenote/pool-worker'
import type { Balancing } from './books/balancer.ts'
import {
  type Check,
  type Complete,
  count,
  duration,
  environment,
  fileUrl,
  flag,
  label,
  numberWithin,
  oneOf,
  ownValues,
  record,
  refuseUnknown,
  texts,
} from './checks.ts'
import { checkEndpoints, type EndpointSource, mayUseTls } from './endpoint-list.ts'
import { unknownOption } from './foreign.ts'
import type { BackoffOptions, EjectionOptions, ReleaseOptions, RetryBudgetOptions, RingBytes } from './option-types.ts'
import { checkCredentials, checkHandlers, checkProtocol, checkTls } from './parts.ts'
import type { RetryLimits } from './retry-budget.ts'

const MiB = 2 ** 20

/** The options as the rest of the pool reads them: complete, checked, frozen. */
export interface Settings {
  readonly endpoint: EndpointSource
  readonly balancing: Balancing
  readonly maxPerEndpoint: number
  readonly ejection: { readonly afterFailures: number; readonly baseMs: number; readonly maxMs: number; readonly maxEjected: number }
  /** Asked for each connect; undefined when there are none. What a user's function returns has been checked. */
  readonly credentials: ((endpoint: Endpoint) => Promise<Credentials>) | undefined
  readonly protocol: ProtocolReference
  /** URL of the handlers module. */
  readonly handlers: string | undefined
  readonly shards: number
  readonly maxConnections: number
  readonly minConnections: number
  readonly minIdle: number
  readonly maxIdle: number
  /** Undefined: the protocol's. */
  readonly pipelining: number | undefined
  readonly acquireTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly handlerTimeoutMs: number
  readonly connectTimeoutMs: number
  readonly lookupTtlMs: number
  readonly maxConnecting: number
  readonly failFastAfter: number
  readonly maxPending: number
  readonly scheduling: 'lifo' | 'fifo'
  readonly idleTimeoutMs: number
  readonly maxLifetimeMs: number
  readonly maxUses: number
  readonly leakDetectionMs: number
  readonly maxLeaseMs: number
  readonly detectNestedAcquire: boolean
  readonly probeAfterIdleMs: number
  readonly probeTimeoutMs: number
  readonly heartbeatMs: number
  readonly maxMainStallMs: number
  readonly shardStallMs: number
  readonly maxShardStallMs: number
  readonly inactivityTimeoutMs: number
  readonly keepAlive: boolean
  readonly keepAliveInitialDelayMs: number
  readonly noDelay: boolean
  readonly retryStale: number
  readonly retryBudget: RetryLimits
  readonly backoff: { readonly initialMs: number; readonly maxMs: number; readonly factor: number }
  readonly maxReplyBytes: number
  readonly ringBytes: { readonly toMain: number; readonly toShard: number }
  readonly highWaterMark: number
  readonly maxBufferedBytes: number
  readonly worker: {
    readonly url: string | undefined
    readonly env: Readonly<Record<string, string>> | typeof SHARE_ENV | undefined
    readonly execArgv: readonly string[] | undefined
    readonly resourceLimits: ResourceLimits | undefined
  }
  readonly tls: TlsSettings | undefined
  readonly allowExitOnIdle: boolean
  readonly name: string
}

let pools = 0

const checkBackoff = record<BackoffOptions>({
  initialMs: duration(undefined, false),
  maxMs: duration(undefined, false),
  factor: numberWithin(1, 100),
})

const checkRetryBudget = record<RetryBudgetOptions>({
  ratio: numberWithin(0, 100),
  minPerSecond: numberWithin(0, Number.POSITIVE_INFINITY),
})

const checkEjection = record<EjectionOptions>({
  afterFailures: count(1, Number.MAX_SAFE_INTEGER, true),
  baseMs: duration(undefined, false),
  maxMs: duration(undefined, false),
  maxEjected: numberWithin(0, 1),
})

const ringSize: Check<number> = (value, name) => {
  const bytes = count(4096, 2 ** 30)(value, name)
  if ((bytes & (bytes - 1)) === 0) return bytes
  throw badOption(name, `must be a power of two from 4096 to ${2 ** 30}, not ${bytes}`)
}

const checkRings = record<RingBytes>({ toMain: ringSize, toShard: ringSize })

const mebibytes = numberWithin(Number.MIN_VALUE, 2 ** 20)

const checkWorker = record<Settings['worker']>({
  url: fileUrl,
  env: environment,
  execArgv: texts,
  resourceLimits: record<ResourceLimits>({
    maxYoungGenerationSizeMb: mebibytes,
    maxOldGenerationSizeMb: mebibytes,
    codeRangeSizeMb: mebibytes,
    stackSizeMb: mebibytes,
  }),
})

/** One row of the table: how a given value is checked, and what stands for one that is not given. */
interface Row<T> {
  readonly check: Check<T>
  /** `max` is `maxConnections`. */
  readonly otherwise: (max: number) => T
}

function row<T, D extends T = T>(check: Check<T>, otherwise: D | ((max: number) => D)): Row<T> {
  // T is never a function where a plain default is given.
  return { check, otherwise: typeof otherwise === 'function' ? (otherwise as (max: number) => D) : () => otherwise }
}

/** The table. Its keys are the options that exist; types and units stand in `PoolOptions`, name by name. */
const TABLE: { readonly [Name in keyof Settings]: Row<Settings[Name]> } = {
  endpoint: row<EndpointSource>(checkEndpoints, () => checkEndpoints(undefined, 'endpoint')),
  balancing: row<Balancing>(oneOf('least-pending', 'peak-ewma', 'round-robin'), 'least-pending'),
  maxPerEndpoint: row(count(1, 65_536), (max) => max),
  ejection: row(
    (value, name) => completeEjection(checkEjection(value, name)),
    () => completeEjection(),
  ),
  credentials: row<Settings['credentials']>(checkCredentials, () => undefined),
  protocol: row<ProtocolReference>(checkProtocol, Object.freeze({ builtin: 'raw', options: undefined })),
  handlers: row<string | undefined>(checkHandlers, undefined),
  shards: row(count(0, 64), (max) => Math.max(1, Math.min(availableParallelism() - 1, 4, max))),
  maxConnections: row(count(1, 65_536), 10),
  minConnections: row(count(0, 65_536), 0),
  minIdle: row(count(0, 65_536), 0),
  maxIdle: row(count(0, 65_536), (max) => max),
  pipelining: row<number | undefined>(count(1, 65_536), undefined),
  acquireTimeoutMs: row(duration(), 10_000),
  requestTimeoutMs: row(duration(), 30_000),
  handlerTimeoutMs: row(duration(), Infinity),
  connectTimeoutMs: row(duration(), 5_000),
  lookupTtlMs: row(duration(), 30_000),
  maxConnecting: row(count(1, Number.MAX_SAFE_INTEGER, true), 16),
  failFastAfter: row(count(1, Number.MAX_SAFE_INTEGER, true), 3),
  maxPending: row(count(1, Number.MAX_SAFE_INTEGER, true), 10_000),
  scheduling: row<'lifo' | 'fifo'>(oneOf('lifo', 'fifo'), 'lifo'),
  idleTimeoutMs: row(duration(), 30_000),
  maxLifetimeMs: row(duration(), 1_800_000),
  maxUses: row(count(1, Number.MAX_SAFE_INTEGER, true), Infinity),
  leakDetectionMs: row(duration(), Infinity),
  maxLeaseMs: row(duration(), Infinity),
  detectNestedAcquire: row(flag, false),
  probeAfterIdleMs: row(duration(), 1_000),
  probeTimeoutMs: row(duration(), 1_000),
  heartbeatMs: row(duration(), Infinity),
  maxMainStallMs: row(duration(), 60_000),
  shardStallMs: row(duration(), 2_000),
  maxShardStallMs: row(duration(), Infinity),
  inactivityTimeoutMs: row(duration(), Infinity),
  keepAlive: row(flag, true),
  keepAliveInitialDelayMs: row(duration(32_767_000, false), 15_000),
  noDelay: row(flag, true),
  retryStale: row(count(0, 10), 1),
  retryBudget: row(
    (value, name) => completeBudget(checkRetryBudget(value, name)),
    () => completeBudget(),
  ),
  backoff: row(
    (value, name) => withDefaults(checkBackoff(value, name)),
    () => withDefaults(),
  ),
  maxReplyBytes: row(count(1, 2 ** 31 - 1), 16 * MiB),
  ringBytes: row(
    (value, name) => bothRings(value, name),
    () => bothRings({}, 'ringBytes'),
  ),
  highWaterMark: row(count(1024, 64 * MiB), 256 * 1024),
  maxBufferedBytes: row(count(1, Number.MAX_SAFE_INTEGER, true), 256 * MiB),
  worker: row<Settings['worker']>(checkWorker, () => checkWorker({}, 'worker')),
  tls: row<TlsSettings | undefined>(checkTls, undefined),
  allowExitOnIdle: row(flag, true),
  name: row(label(100), () => `pool-${++pools}`),
}

/** The names of all options. */
export const OPTION_NAMES: readonly (keyof Settings)[] = Object.freeze(Object.keys(TABLE) as (keyof Settings)[]) // the keys of `TABLE`

function completeBudget(given?: Complete<RetryBudgetOptions>): RetryLimits {
  return Object.freeze({ ratio: given?.ratio ?? 0.2, minPerSecond: given?.minPerSecond ?? 10 })
}

function withDefaults(given?: Complete<BackoffOptions>): Settings['backoff'] {
  return Object.freeze({
    initialMs: given?.initialMs ?? 100,
    maxMs: given?.maxMs ?? Math.max(5_000, given?.initialMs ?? 0),
    factor: given?.factor ?? 2,
  })
}

function completeEjection(given?: Complete<EjectionOptions>): Settings['ejection'] {
  const baseMs = given?.baseMs ?? 30_000
  const maxMs = given?.maxMs ?? Math.max(300_000, baseMs)
  return Object.freeze({ afterFailures: given?.afterFailures ?? 5, baseMs, maxMs, maxEjected: given?.maxEjected ?? 0.5 })
}

function bothRings(value: unknown, name: string): Settings['ringBytes'] {
  if (typeof value === 'object') {
    const { toMain, toShard } = checkRings(value, name)
    return Object.freeze({ toMain: toMain ?? 4 * MiB, toShard: toShard ?? MiB })
  }
  const bytes = ringSize(value, name)
  return Object.freeze({ toMain: bytes, toShard: bytes })
}

/**
 * Checks a pool's options and completes them with their defaults.
 *
 * @param input - What the user gave: only own properties count; it is copied.
 * @throws PoolError `BAD_OPTION`: names the option, what it takes, and what it was given, unless that may be a secret.
 */
export function readOptions(input: unknown): Settings {
  const own = ownValues(input, 'options', "with at least an endpoint, such as { endpoint: 'tcp://127.0.0.1:6379' }")
  for (const key of own.keys()) if (!Object.hasOwn(TABLE, key)) throw badOption(key, unknownOption(key, OPTION_NAMES))
  const max = read('maxConnections', own, 0)
  const entries = OPTION_NAMES.map((name) => [name, name === 'maxConnections' ? max : read(name, own, max)])
  const settings = Object.freeze(Object.fromEntries(entries)) as Settings // each name with what its row returned
  refuseContradictions(settings)
  return settings
}

function read<Name extends keyof Settings>(name: Name, own: ReadonlyMap<string, unknown>, max: number): Settings[Name] {
  return own.has(name) ? TABLE[name].check(own.get(name), name) : TABLE[name].otherwise(max)
}

function refuseContradictions(settings: Settings): void {
  const { shards, maxConnections, minConnections, minIdle, maxIdle, backoff, tls, endpoint, shardStallMs, maxShardStallMs } = settings
  if (minConnections > maxConnections)
    throw badOption('minConnections', `must be at most maxConnections (${maxConnections}), not ${minConnections}`)
  if (maxIdle > maxConnections) throw badOption('maxIdle', `must be at most maxConnections (${maxConnections}), not ${maxIdle}`)
  if (maxIdle < minConnections) throw badOption('maxIdle', `must be at least minConnections (${minConnections}), not ${maxIdle}`)
  if (minIdle > maxIdle) throw badOption('minIdle', `must be at most maxIdle (${maxIdle}), not ${minIdle}`)
  if (shards > maxConnections) throw badOption('shards', `must be at most maxConnections (${maxConnections}), not ${shards}`)
  if (backoff.initialMs > backoff.maxMs)
    throw badOption('backoff.initialMs', `must be at most backoff.maxMs (${backoff.maxMs}), not ${backoff.initialMs}`)
  if (maxShardStallMs < shardStallMs)
    throw badOption('maxShardStallMs', `must be at least shardStallMs (${shardStallMs}), not ${maxShardStallMs}`)
  const { leakDetectionMs, maxLeaseMs } = settings
  if (maxLeaseMs !== Infinity && leakDetectionMs !== Infinity && leakDetectionMs >= maxLeaseMs)
    throw badOption('leakDetectionMs', `must be less than maxLeaseMs (${maxLeaseMs}), not ${leakDetectionMs}`)
  refuseImpossible(settings)
  if (tls === undefined) return
  if (!mayUseTls(endpoint)) throw badOption('tls', 'goes with a tls:// endpoint, and there is none')
  if (tls.minVersion === 'TLSv1.3' && tls.maxVersion === 'TLSv1.2') throw badOption('tls.minVersion', 'must be at most tls.maxVersion')
}

/** What concerns endpoints alone. */
function refuseImpossible({ maxConnections, minConnections, maxPerEndpoint, ejection, endpoint }: Settings): void {
  if (maxPerEndpoint > maxConnections)
    throw badOption('maxPerEndpoint', `must be at most maxConnections (${maxConnections}), not ${maxPerEndpoint}`)
  if (Array.isArray(endpoint) && minConnections > maxPerEndpoint * endpoint.length)
    throw badOption(
      'minConnections',
      `must be at most maxPerEndpoint for each endpoint (${maxPerEndpoint * endpoint.length}), not ${minConnections}`,
    )
  if (ejection.baseMs > ejection.maxMs)
    throw badOption('ejection.baseMs', `must be at most ejection.maxMs (${ejection.maxMs}), not ${ejection.baseMs}`)
}

/**
 * Checks the limits that a pool is given anew, and completes them with those it has.
 *
 * @throws PoolError `BAD_OPTION`: names the option.
 */
export function checkSizes(input: unknown, present: Sizes): Sizes {
  const own = ownValues(input, 'options', 'of maxConnections, minConnections')
  refuseUnknown(own, ['maxConnections', 'minConnections'], 'options')
  const maxConnections = own.has('maxConnections') ? read('maxConnections', own, 0) : present.maxConnections
  const minConnections = own.has('minConnections') ? read('minConnections', own, 0) : present.minConnections
  if (minConnections > maxConnections)
    throw badOption('minConnections', `must be at most maxConnections (${maxConnections}), not ${minConnections}`)
  return { maxConnections, minConnections }
}

/** Options of a lease's `release`. */
export const checkReleaseOptions: Check<Complete<ReleaseOptions>> = record<ReleaseOptions>({ reusable: flag, keepAliveMs: duration() })

type Sizes = Pick<Settings, 'maxConnections' | 'minConnections'>

/** Bytes of requests that may be on their way to one connection: both sides of a link keep to it. */
export function sendWindow({ ringBytes }: Settings): number {
  return Math.min(2 ** 20, ringBytes.toShard / 4)
}
