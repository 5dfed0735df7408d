/** The pool's options: their types, defaults and checks, each in one place. */
import { availableParallelism } from 'node:os'
import type { ResourceLimits, SHARE_ENV } from 'node:worker_threads'
import {
  badOption,
  type Credentials,
  type Endpoint,
  type Handlers,
  type Protocol,
  type ProtocolReference,
  parseEndpoint,
  type TlsSettings,
} from '@cenote/pool-worker'
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
import { unknownOption } from './foreign.ts'
import { checkCredentials, checkHandlers, checkProtocol, checkTls } from './parts.ts'

const MiB = 2 ** 20

/** How long to wait before trying again: a random time from 0 up to `initialMs × factor^(failures − 1)`, at most `maxMs`. */
export interface BackoffOptions {
  /** Milliseconds, above 0. Default 100. */
  readonly initialMs?: number | undefined
  /** Milliseconds, not below `initialMs`. Default 5_000, or `initialMs` if that is more. */
  readonly maxMs?: number | undefined
  /** From 1 (no growth) to 100. Default 2. */
  readonly factor?: number | undefined
}

/** Bytes of shared memory for each shard, per direction: powers of two from 4 KiB to 1 GiB. */
export interface RingBytes {
  /** Towards the application. Default 4 MiB: large replies run at a little below the speed of bare sockets. */
  readonly toMain?: number | undefined
  /** Towards the shard. Default 1 MiB. */
  readonly toShard?: number | undefined
}

/** How the threads are made. What is not given is inherited, as with `node:worker_threads`. */
export interface WorkerOptions {
  /** The worker's file, when the installed one cannot be found, for instance because the application was bundled. */
  readonly url?: URL | string | undefined
  /** Environment variables, or `SHARE_ENV`. Default: a copy of the process's. */
  readonly env?: Readonly<Record<string, string | undefined>> | typeof SHARE_ENV | undefined
  /** Node's command-line options for the threads. Default: the process's. */
  readonly execArgv?: readonly string[] | undefined
  /** Limits of memory, in MiB; a shard that goes beyond dies with SHARD_LOST and is replaced. Default: none. */
  readonly resourceLimits?: ResourceLimits | undefined
}

/**
 * What connections sign in with: one answer for all, or a function that is asked anew for each connect. Never printed.
 *
 * @example
 * import type { CredentialsOption } from '@cenote/pool-core'
 *
 * export const credentials: CredentialsOption = async () => ({ username: 'app', password: String(process.env.TOKEN) })
 */
export type CredentialsOption = Credentials | ((endpoint: Endpoint) => Credentials | Promise<Credentials>)

/**
 * What `createPool` takes. Each duration is in milliseconds, above 0; `Infinity` means without limit. The object is
 * copied: changing it later changes nothing. Only its own properties count, and `undefined` means the default.
 *
 * @example
 * import { createPool, type PoolOptions } from '@cenote/pool-core'
 *
 * const options: PoolOptions = { endpoint: 'tcp://127.0.0.1:7', maxConnections: 4, idleTimeoutMs: 5_000 }
 * await using pool = await createPool(options)
 */
export interface PoolOptions<Req = never, Rep = never, Client = undefined, Module = Record<never, never>> {
  /** The server: 'tcp://host:port', 'tls://host:port', 'unix:/path', or the same as an object. Required. */
  readonly endpoint: string | Endpoint | readonly [string | Endpoint]
  /** User name and password, or an (async) function of the endpoint that gives fresh ones for each connect. Default: none. */
  readonly credentials?: CredentialsOption | undefined
  /** What is spoken: `resp()`, `line()`, … or `protocolAt(url)`. Default: `raw()`, bytes as they come, for `lease.stream()`. */
  readonly protocol?: Protocol<Req, Rep, Client> | undefined
  /** The module whose functions run in the shards, next to a connection: `handlersAt(url)`. Default: none. */
  readonly handlers?: Handlers<Module> | undefined
  /**
   * Worker threads, 0 to 64, at most one for each connection. Default: one less than the cores, from 1 to 4. 0 keeps the
   * sockets on the calling thread: best for small replies at low load, and for tests.
   */
  readonly shards?: number | undefined
  /** Connections of all shards together, those being opened or closed included: 1 to 65_536. Default 10. More wait in the queue. */
  readonly maxConnections?: number | undefined
  /** Connections kept open though nobody needs them. Default 0: an idle pool may shrink to none. */
  readonly minConnections?: number | undefined
  /**
   * Idle connections kept ready beyond those in use, within `maxConnections`: opened in the background, so that a burst need not wait
   * for a connect. Default 0.
   */
  readonly minIdle?: number | undefined
  /** Idle connections kept at most: one released beyond that is closed. Default: `maxConnections`, so none is. */
  readonly maxIdle?: number | undefined
  /** Requests in flight on one shared connection: 1 to 65_536. Default: the protocol's. 1 gives each request a connection of its own. */
  readonly pipelining?: number | undefined
  /** One budget of milliseconds for queueing, connecting and probing. Default 10_000; then ACQUIRE_TIMEOUT. */
  readonly acquireTimeoutMs?: number | undefined
  /** Milliseconds from `request` to its reply, queueing included. Default 30_000; then REQUEST_TIMEOUT. */
  readonly requestTimeoutMs?: number | undefined
  /** Milliseconds from the call of a handler to its result. Default Infinity. */
  readonly handlerTimeoutMs?: number | undefined
  /** Milliseconds for DNS, TCP, TLS and hand-shake of one connection. Default 5_000; then CONNECT_TIMEOUT. */
  readonly connectTimeoutMs?: number | undefined
  /** Callers that may wait, 1 or more, or Infinity. Default 10_000. One more is refused at once with QUEUE_FULL. */
  readonly maxPending?: number | undefined
  /**
   * Which idle connection is used first. Default 'lifo', the one used last: the others age out, and a pool shrinks to what it needs.
   * 'fifo', the one idle longest of those that need no probe: the load is even over all, as behind a load balancer it should be.
   */
  readonly scheduling?: 'lifo' | 'fifo' | undefined
  /** Milliseconds after which an idle connection above `minConnections` and `minIdle` is closed. Default 30_000, below the usual 60 s of load balancers. */
  readonly idleTimeoutMs?: number | undefined
  /**
   * Milliseconds that a connection may live, less up to a tenth at random, fixed when it opens. Default 1_800_000. One in use is never
   * cut: it ends when it comes back; one shared by requests takes no more of them. What `minConnections` wants is opened anew.
   */
  readonly maxLifetimeMs?: number | undefined
  /** Leases, handlers and requests that one connection serves before it is closed: 1 or more. Default Infinity. A lease is never cut. */
  readonly maxUses?: number | undefined
  /** Milliseconds of idleness after which a connection is probed before it is lent. Default 1_000. Infinity: never. */
  readonly probeAfterIdleMs?: number | undefined
  /** Milliseconds that a probe may take before its connection is destroyed. Default 1_000. */
  readonly probeTimeoutMs?: number | undefined
  /** TCP keep-alive. Default true: a peer that vanished is noticed though nothing is sent. */
  readonly keepAlive?: boolean | undefined
  /** Milliseconds of silence before the first keep-alive probe, at most 32_767_000; the kernel counts whole seconds. Default 15_000. */
  readonly keepAliveInitialDelayMs?: number | undefined
  /** TCP_NODELAY. Default true: small requests leave at once. */
  readonly noDelay?: boolean | undefined
  /** The wait after a failed connect and before a dead shard is replaced. Default: up to 100 ms, doubled by each failure, up to 5_000. */
  readonly backoff?: BackoffOptions | undefined
  /** Bytes of the longest reply, up to 2 GiB. Default 16 MiB. A longer one is REPLY_TOO_LARGE and ends its connection. */
  readonly maxReplyBytes?: number | undefined
  /** Bytes of shared memory per shard; a number sets both directions. Default 4 MiB from, 1 MiB to the shard. More is faster for replies of megabytes. */
  readonly ringBytes?: number | RingBytes | undefined
  /** Bytes in flight per stream and direction, 1 KiB to 64 MiB; grows to eight times as much while used up, going out never beyond half of the ring. Default 256 KiB. */
  readonly highWaterMark?: number | undefined
  /** Bytes that may wait on the calling thread for their readers, or Infinity. Default 256 MiB. */
  readonly maxBufferedBytes?: number | undefined
  /** How the threads are made. Default: they inherit. */
  readonly worker?: WorkerOptions | undefined
  /** TLS, for an endpoint 'tls://…'. Default: the server is verified, TLS is at least 1.2. Never printed. */
  readonly tls?: TlsSettings | undefined
  /** Whether an idle pool lets the process end. Default true; pending work always keeps it alive. */
  readonly allowExitOnIdle?: boolean | undefined
  /** The pool's name in errors and statistics, up to 100 characters. Default `pool-N`. */
  readonly name?: string | undefined
}

/** The options as the rest of the pool reads them: complete, checked, frozen. */
export interface Settings {
  readonly endpoint: Endpoint
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
  readonly maxPending: number
  readonly scheduling: 'lifo' | 'fifo'
  readonly idleTimeoutMs: number
  readonly maxLifetimeMs: number
  readonly maxUses: number
  readonly probeAfterIdleMs: number
  readonly probeTimeoutMs: number
  readonly keepAlive: boolean
  readonly keepAliveInitialDelayMs: number
  readonly noDelay: boolean
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
  endpoint: row<Endpoint>(parseEndpoint, () => parseEndpoint(undefined)),
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
  maxPending: row(count(1, Number.MAX_SAFE_INTEGER, true), 10_000),
  scheduling: row<'lifo' | 'fifo'>(oneOf('lifo', 'fifo'), 'lifo'),
  idleTimeoutMs: row(duration(), 30_000),
  maxLifetimeMs: row(duration(), 1_800_000),
  maxUses: row(count(1, Number.MAX_SAFE_INTEGER, true), Infinity),
  probeAfterIdleMs: row(duration(), 1_000),
  probeTimeoutMs: row(duration(), 1_000),
  keepAlive: row(flag, true),
  keepAliveInitialDelayMs: row(duration(32_767_000, false), 15_000),
  noDelay: row(flag, true),
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

function withDefaults(given?: Complete<BackoffOptions>): Settings['backoff'] {
  return Object.freeze({
    initialMs: given?.initialMs ?? 100,
    maxMs: given?.maxMs ?? Math.max(5_000, given?.initialMs ?? 0),
    factor: given?.factor ?? 2,
  })
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
  const { shards, maxConnections, minConnections, minIdle, maxIdle, backoff, tls, endpoint } = settings
  if (minConnections > maxConnections)
    throw badOption('minConnections', `must be at most maxConnections (${maxConnections}), not ${minConnections}`)
  if (maxIdle > maxConnections) throw badOption('maxIdle', `must be at most maxConnections (${maxConnections}), not ${maxIdle}`)
  if (maxIdle < minConnections) throw badOption('maxIdle', `must be at least minConnections (${minConnections}), not ${maxIdle}`)
  if (minIdle > maxIdle) throw badOption('minIdle', `must be at most maxIdle (${maxIdle}), not ${minIdle}`)
  if (shards > maxConnections) throw badOption('shards', `must be at most maxConnections (${maxConnections}), not ${shards}`)
  if (backoff.initialMs > backoff.maxMs)
    throw badOption('backoff.initialMs', `must be at most backoff.maxMs (${backoff.maxMs}), not ${backoff.initialMs}`)
  if (tls === undefined) return
  if (endpoint.transport !== 'tls') throw badOption('tls', `goes with a tls:// endpoint, not with ${endpoint.transport}`)
  if (tls.minVersion === 'TLSv1.3' && tls.maxVersion === 'TLSv1.2') throw badOption('tls.minVersion', 'must be at most tls.maxVersion')
}

/** Options of `resize`: what is not given stays. */
export interface ResizeOptions {
  /** As the option of the pool: 1 to 65_536. */
  readonly maxConnections?: number | undefined
  /** As the option of the pool: 0 to 65_536, at most `maxConnections`. */
  readonly minConnections?: number | undefined
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
export const checkReleaseOptions: Check<Complete<{ readonly reusable?: boolean }>> = record<{ readonly reusable?: boolean }>({
  reusable: flag,
})

type Sizes = Pick<Settings, 'maxConnections' | 'minConnections'>

/** Bytes of requests that may be on their way to one connection: both sides of a link keep to it. */
export function sendWindow({ ringBytes }: Settings): number {
  return Math.min(2 ** 20, ringBytes.toShard / 4)
}
