/** What the user gives: the options of a pool, and what they are made of. */
import type { ResourceLimits, SHARE_ENV } from 'node:worker_threads'
import type { Credentials, Endpoint, Handlers, Protocol, TlsSettings } from '@cenote/pool-worker'

/** How long to wait before trying again: a random time from 0 up to `initialMs × factor^(failures − 1)`, at most `maxMs`. */
export interface BackoffOptions {
  /** Milliseconds, above 0. Default 100. */
  readonly initialMs?: number | undefined
  /** Milliseconds, not below `initialMs`. Default 5_000, or `initialMs` if that is more. */
  readonly maxMs?: number | undefined
  /** From 1 (no growth) to 100. Default 2. */
  readonly factor?: number | undefined
}

/** How many calls may be sent anew: counted over the last 10 s, for all ways of sending anew together. */
export interface RetryBudgetOptions {
  /** Retries for each call, 0 to 100. Default 0.2: one for five calls. */
  readonly ratio?: number | undefined
  /** Retries a second that are allowed besides, 0 or more; up to ten times as many at once. Default 10. Infinity: no budget. */
  readonly minPerSecond?: number | undefined
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
 * What connections sign in with: one answer for all, or a function that is asked anew for each connect, in the async context that the pool
 * was made in. Never printed.
 *
 * @example
 * import type { CredentialsOption } from '@cenote/pool-core'
 *
 * export const credentials: CredentialsOption = async () => ({ username: 'app', password: String(process.env.TOKEN) })
 */
export type CredentialsOption = Credentials | ((endpoint: Endpoint) => Credentials | Promise<Credentials>)

/**
 * An endpoint and its part of the work, in proportion to the others'.
 *
 * @example
 * import type { EndpointList } from '@cenote/pool-core'
 *
 * export const replicas: EndpointList = ['tcp://10.0.0.1:6379', { endpoint: 'tcp://10.0.0.2:6379', weight: 2 }]
 */
export interface WeightedEndpoint {
  readonly endpoint: string | Endpoint
  /** 1 to 1_000. Default 1. */
  readonly weight?: number | undefined
}

/** 1 to 1_000 endpoints that serve the same. One that is listed twice counts twice: its weights add up. */
export type EndpointList = readonly (string | Endpoint | WeightedEndpoint)[]

/**
 * When an endpoint that fails is left out for a time. Not counted: errors of the server's, aborts, and what this process was too slow for.
 *
 * @see Envoy, outlier detection
 */
export interface EjectionOptions {
  /** Failed connects (those within one back-off are one), or replies lost, broken or too late, in a row. 1 or more; Infinity: none is ever left out. Default 5. */
  readonly afterFailures?: number | undefined
  /** Milliseconds of the first time; the next is as much longer. So long without another takes one back. Default 30_000. */
  readonly baseMs?: number | undefined
  /** Milliseconds of the longest time, not below `baseMs`. Default 300_000, or `baseMs` if that is more. */
  readonly maxMs?: number | undefined
  /** The largest part of the list that is left out, 0 to 1. One always stays. Default 0.5. */
  readonly maxEjected?: number | undefined
}

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
  /**
   * The server: 'tcp://host:port', 'tls://host:port', 'unix:/path', or the same as an object. Required. Several that serve the same as a
   * list, or as an async iterable of lists: each takes the place of the one before; callers wait for the first under their own deadlines.
   * What is connected to one that is no longer listed closes when nobody uses it.
   */
  readonly endpoint: string | Endpoint | EndpointList | AsyncIterable<EndpointList>
  /**
   * Whose turn it is among several endpoints. Default 'least-pending': of two at random the one with fewer requests and leases for its
   * weight. 'peak-ewma': the one whose replies are faster, too, where a slow one counts at once. 'round-robin': each in turn.
   */
  readonly balancing?: 'least-pending' | 'peak-ewma' | 'round-robin' | undefined
  /** Connections of one endpoint, those being opened or closed included: 1 to `maxConnections`, the default. */
  readonly maxPerEndpoint?: number | undefined
  /** When one of several endpoints is left out for a time. Default: after 5 failures in a row, for 30 s and longer, never more than half. */
  readonly ejection?: EjectionOptions | undefined
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
  /**
   * Milliseconds for which the addresses of a host's name are used again, for all shards together. Default 30_000; with Infinity until a
   * connect fails, which always has the name looked up anew. A name is looked up once at a time, whoever waits for it.
   */
  readonly lookupTtlMs?: number | undefined
  /**
   * Connects under way at a time to one endpoint, for all shards together: 1 or more, or Infinity. Default 16. After a failed one there is
   * none until the back-off has passed, then one, and with each that succeeds twice as many, up to this: a server that comes back is not
   * met by all at once.
   */
  readonly maxConnecting?: number | undefined
  /**
   * Failed connects in a row, with no live connection left, after which an endpoint is down: who waits is told the connect's error, who
   * comes is refused at once with UNAVAILABLE, and one connect after each back-off finds out when it serves again. 1 or more. Default 3.
   * Those that fail together, before the next back-off is over, count once; one that trying again hardly cures (AUTH_FAILED, TLS_REJECTED,
   * HOOK_FAILED) is enough alone. Infinity: callers wait for their own deadlines.
   */
  readonly failFastAfter?: number | undefined
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
  /**
   * Milliseconds after which a lease that is still held is told of, by the event `leak` or, when nobody listens, a warning of the process,
   * with the stack of whoever acquired it. Default Infinity: no stack is captured. Less than `maxLeaseMs`.
   */
  readonly leakDetectionMs?: number | undefined
  /**
   * Milliseconds that a lease may be held, its stream too: then it ends with LEASE_EXPIRED, and its connection is destroyed. Default
   * Infinity. A handler's limit is `handlerTimeoutMs`.
   */
  readonly maxLeaseMs?: number | undefined
  /**
   * Whether a call to the pool inside the function of its own `use` rejects at once with NESTED_ACQUIRE when it would have to wait for a
   * connection that only one who holds it can give back; with all of them held by such callers nobody would ever be served. It is seen by
   * the async context, which costs each `use` a little. Default false. Leases of `acquire` mark no context, so they are not seen.
   */
  readonly detectNestedAcquire?: boolean | undefined
  /** Milliseconds of idleness after which a connection is probed before it is lent. Default 1_000. Infinity: never. */
  readonly probeAfterIdleMs?: number | undefined
  /** Milliseconds that a probe may take before its connection is destroyed. Default 1_000. */
  readonly probeTimeoutMs?: number | undefined
  /**
   * Milliseconds, less up to a tenth at random, after which a shard probes an idle connection again and again, by its own clock, even while
   * the calling thread computes: for servers and load balancers that close what is idle. Default Infinity: off. It needs a protocol with a
   * probe, and ends with the calling thread: see `maxMainStallMs`. A request that comes meanwhile waits for the probe's answer.
   */
  readonly heartbeatMs?: number | undefined
  /**
   * Milliseconds for which the calling thread may be silent before heart-beats stop, so that they do not hide that it hangs; they go on when
   * it does. Default 60_000.
   */
  readonly maxMainStallMs?: number | undefined
  /**
   * Milliseconds without a sign of life after which a shard is suspect: it gets no new work while others can do it, and time-outs of its calls
   * say that it stood still. Default 2_000. Infinity: shards are not watched. On the calling thread (`shards: 0`) there is none to watch.
   */
  readonly shardStallMs?: number | undefined
  /**
   * Milliseconds without a sign of life, not below `shardStallMs`, after which a shard is ended and replaced; its calls reject with SHARD_LOST.
   * Default Infinity: it may still finish what it does.
   */
  readonly maxShardStallMs?: number | undefined
  /**
   * Milliseconds in which no byte at all arrives on a connection that owes replies; then it is lost, with CONNECTION_LOST for its calls: the
   * cure for a peer that has vanished with a request. Default Infinity: off. It must be longer than the slowest reply, blocking commands
   * such as BLPOP included. Streams are not watched, and time in which nobody reads does not count.
   */
  readonly inactivityTimeoutMs?: number | undefined
  /** TCP keep-alive. Default true: a peer that vanished is noticed though nothing is sent. */
  readonly keepAlive?: boolean | undefined
  /** Milliseconds of silence before the first keep-alive probe, at most 32_767_000; the kernel counts whole seconds. Default 15_000. */
  readonly keepAliveInitialDelayMs?: number | undefined
  /** TCP_NODELAY. Default true: small requests leave at once. */
  readonly noDelay?: boolean | undefined
  /**
   * How often a call goes on to another connection when its own has died: 0 to 10. Default 1. Only if not one byte of it was written, or it
   * is `idempotent`; a lease that has sent nothing is given another connection once, unseen. 0: never.
   */
  readonly retryStale?: number | undefined
  /** How many calls may do so. Default: 20 % of all calls plus 10 a second. Beyond, a call fails with what ended its connection. */
  readonly retryBudget?: RetryBudgetOptions | undefined
  /** The wait after a failed connect and before a dead shard is replaced. Default: up to 100 ms, doubled by each failure, up to 5_000. */
  readonly backoff?: BackoffOptions | undefined
  /** Bytes of the longest reply, up to 2 GiB. Default 16 MiB. A longer one is REPLY_TOO_LARGE and ends its connection. */
  readonly maxReplyBytes?: number | undefined
  /** Bytes of shared memory per shard; a number sets both directions. Default 4 MiB from, 1 MiB to the shard. Longer replies go beside it. */
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

/** Options of `resize`: what is not given stays. */
export interface ResizeOptions {
  /** As the option of the pool: 1 to 65_536. */
  readonly maxConnections?: number | undefined
  /** As the option of the pool: 0 to 65_536, at most `maxConnections`. */
  readonly minConnections?: number | undefined
}

/** Options of a lease's `release`. */
export interface ReleaseOptions {
  /** After `stream()`: both sides have left the connection as a new caller expects it. Default false: it is destroyed. */
  readonly reusable?: boolean | undefined
  /** Milliseconds that the connection may stay idle now, at most. Default Infinity: `idleTimeoutMs` alone counts. */
  readonly keepAliveMs?: number | undefined
}
