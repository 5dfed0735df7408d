/** The public face: checks arguments, types what goes in and out, and decides nothing. */
import type { EventEmitter } from 'node:events'
import { badOption } from '@cenote/pool-worker'
import type { Advice } from './advise.ts'
import {
  type AcquireOptions,
  type CloseOptions,
  checkCallOptions,
  type HandlerOptions,
  type RequestOptions,
  type WaitOptions,
} from './call-options.ts'
import { callHandler, closePool, sendRequest } from './calling.ts'
import type { Coordinator } from './coordinator.ts'
import type { PoolHandlers } from './handler-types.ts'
import type { LeaseInfo } from './holders.ts'
import type { Language } from './language.ts'
import type { ConnectionInfo, Lease } from './lease.ts'
import type { ResizeOptions } from './option-types.ts'
import type { Settings } from './options.ts'
import type { Shards } from './shards.ts'
import type { PoolStats } from './stats.ts'
import type { PoolDump } from './telemetry/dump.ts'
import type { EventArguments } from './telemetry/events.ts'

/**
 * A pool of connections. Made by `createPool`.
 *
 * @example
 * import { createPool, type Pool, type RespReply, type RespRequest, resp } from '@cenote/pool-core'
 *
 * const pool: Pool<RespRequest, RespReply> = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp() })
 * await pool.close()
 */
export class Pool<Req = never, Rep = never, Module = Record<never, never>> {
  /**
   * The functions of the handlers module, each run in a shard next to a connection that is its alone until it settles. A call takes
   * the input and `HandlerOptions`; input and result are cloned.
   *
   * @throws PoolError `HANDLER_FAILED`: it threw, or rejected; `cause` is with what.
   * @throws PoolError `REQUEST_TIMEOUT`: `timeoutMs` is over, by default the pool's `handlerTimeoutMs` (Infinity); it is told by its signal.
   * @throws PoolError `NOT_CLONEABLE`: the input or the result cannot be cloned.
   * @throws PoolError `CONNECTION_LOST`: the connection died before the handler began. `SHARD_LOST`: the shard died; and as `acquire`.
   *
   * @example
   * import type { Pool } from '@cenote/pool-core'
   *
   * type Reports = { total(key: string): Promise<number> } // as handlersAt<typeof import('./reports.js')>(url) types it
   * export const today = (pool: Pool<never, never, Reports>): Promise<number> => pool.handlers.total('today', { timeoutMs: 5_000 })
   */
  readonly handlers: PoolHandlers<Module>
  /**
   * What happens in the pool, as it happens: `PoolEvents` names the events. A listener runs in the async context that the pool was made in.
   *
   * @example
   * import { createPool, resp } from '@cenote/pool-core'
   *
   * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp() })
   * pool.events.on('connectFailed', ({ endpoint, error }) => console.error(endpoint, error.code))
   */
  readonly events: EventEmitter<EventArguments>
  readonly #settings: Settings
  readonly #language: Language
  readonly #coordinator: Coordinator
  readonly #shards: Shards
  #closed: Promise<void> | undefined = undefined

  /** @internal */
  constructor(
    settings: Settings,
    language: Language,
    coordinator: Coordinator,
    shards: Shards,
    handlers: readonly string[],
    events: EventEmitter<EventArguments>,
  ) {
    this.#settings = settings
    this.#language = language
    this.#coordinator = coordinator
    this.#shards = shards
    this.events = events
    const entries = handlers.map(
      (name) => [name, (input: unknown, options?: HandlerOptions) => callHandler(coordinator, name, input, options)] as const,
    )
    // The names come from the very module that the type describes.
    this.handlers = Object.freeze(Object.assign(Object.create(null), Object.fromEntries(entries))) as PoolHandlers<Module>
  }

  /**
   * The pool's name, in errors and statistics.
   *
   * @example
   * import { createPool } from '@cenote/pool-core'
   *
   * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:7', name: 'echo' })
   * console.log(pool.name) // echo
   */
  get name(): string {
    return this.#settings.name
  }

  /**
   * Lends one connection, the most recently used first. Waits in the queue when all are in use.
   *
   * @param options.timeoutMs - One budget for queueing, connecting and probing. Default: the pool's `acquireTimeoutMs`.
   * @param options.priority - From 0 to 9, higher first. Default 0.
   * @param options.signal - Ends the wait with `signal.reason`. A connection being opened stays in the pool.
   * @throws PoolError `ACQUIRE_TIMEOUT`: the budget is spent; `phase` says what was lacking, `oldest` who holds connections longest, and
   * `cause` is the last connect error, if any.
   * @throws PoolError `QUEUE_FULL`: `maxPending` wait already.
   * @throws PoolError `CONNECT_FAILED`, `CONNECT_TIMEOUT`, `TLS_REJECTED`, `AUTH_FAILED`, `HOOK_FAILED`: no connection is open, and the last of
   *   `failFastAfter` connects in a row has failed so.
   * @throws PoolError `UNAVAILABLE`: that was before this call; it does not wait. `cause` is why the last connect failed.
   * @throws PoolError `POOL_CLOSED`, `BAD_OPTION`.
   * @see HikariCP `connectionTimeout` (one budget), puddle `Acquire` (what becomes of a cancelled caller's connection)
   *
   * @example
   * import { createPool, resp } from '@cenote/pool-core'
   *
   * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp() })
   * await using lease = await pool.acquire({ timeoutMs: 2_000 })
   * console.log(await lease.request(['PING'])) // PONG
   */
  acquire(options?: AcquireOptions): Promise<Lease<Req, Rep>> {
    try {
      const checked = checkCallOptions(options, 'acquire')
      return this.#coordinator.leasing.acquire(checked) as Promise<Lease<Req, Rep>> // the protocol's types are known here alone
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Lends a connection that is idle at this moment and was in use less than `probeAfterIdleMs` ago; else undefined. Never waits.
   *
   * @throws PoolError `POOL_CLOSED`.
   *
   * @example
   * import { createPool, resp } from '@cenote/pool-core'
   *
   * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp() })
   * using lease = pool.tryAcquire()
   * console.log(lease === undefined) // true
   */
  tryAcquire(): Lease<Req, Rep> | undefined {
    return this.#coordinator.leasing.tryAcquire() as Lease<Req, Rep> | undefined // as above
  }

  /**
   * Runs a function with a connection and releases it afterwards, whatever happens. A connection on which a reply is still owed then is
   * destroyed: await each request, or return its promise. Inside, use the lease: another call to the pool needs another connection, and
   * waits for ever where all who hold one do so. `detectNestedAcquire` finds them.
   *
   * @param options - As for `acquire`.
   * @throws PoolError `NESTED_ACQUIRE`, with `detectNestedAcquire`: inside another `use` of this pool, and it would have to wait.
   * @throws As `acquire`, and whatever the function throws.
   *
   * @example
   * import { createPool, resp } from '@cenote/pool-core'
   *
   * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp() })
   * const visits = await pool.use(async (lease) => {
   *   await lease.request(['MULTI'])
   *   await lease.request(['INCR', 'visits'])
   *   return lease.request(['EXEC'])
   * })
   */
  async use<T>(work: (lease: Lease<Req, Rep>) => T | Promise<T>, options?: AcquireOptions): Promise<T> {
    if (typeof work !== 'function') throw badOption('use', 'its first argument must be a function')
    const lease = await this.acquire(options)
    try {
      return await this.#coordinator.leasing.call(lease as Lease, () => work(lease))
    } finally {
      lease[Symbol.dispose]()
    }
  }

  /**
   * Sends one request and waits for its reply: on a shared connection, pipelined, when the protocol allows; else on one of its own.
   *
   * @param options.timeoutMs - One deadline from now to the reply, queue included. Default: the pool's `requestTimeoutMs`.
   * @param options.priority - From 0 to 9, higher first, when it has to wait for a connection. Default 0.
   * @param options.signal - Rejects with `signal.reason`. A reply that comes all the same reaches nobody.
   * @param options.idempotent - Sending it twice does no harm.
   * @throws PoolError `REQUEST_TIMEOUT`: `phase` says where the time went, `outcome` what the server may have seen.
   * @throws PoolError `BAD_REQUEST`: the codec refuses it, or it needs a lease, for it changes the connection.
   * @throws PoolError `CONNECTION_LOST`, `PROTOCOL_ERROR`, `DESYNC`, `REPLY_TOO_LARGE`, `SHARD_LOST`, `RESOURCE_EXHAUSTED`; and as `acquire`.
   * @throws ReplyError when the server answered with an error.
   *
   * @example
   * import { createPool, resp } from '@cenote/pool-core'
   *
   * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp() })
   * await pool.request(['SET', 'greeting', 'hello'])
   * console.log(await pool.request(['GET', 'greeting'], { timeoutMs: 2_000, idempotent: true })) // hello
   */
  request(request: Req, options?: RequestOptions): Promise<Rep> {
    return sendRequest(this.#coordinator, this.#language, request, options) as Promise<Rep> // the protocol's types are known here alone
  }

  /**
   * Resolves when `minConnections` are open.
   *
   * @param options.timeoutMs - Default: the pool's `acquireTimeoutMs`.
   * @throws PoolError `ACQUIRE_TIMEOUT`: they were not in time; `cause` is the last connect error.
   * @throws PoolError `POOL_CLOSED`, `BAD_OPTION`.
   *
   * @example
   * import { createPool, resp } from '@cenote/pool-core'
   *
   * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp(), minConnections: 2 })
   * await pool.ready()
   */
  async ready(options: WaitOptions = {}): Promise<void> {
    await this.#coordinator.upkeep.ready(checkCallOptions(options, 'wait'))
  }

  /**
   * The pool in numbers, at this moment.
   *
   * @example
   * import { createPool, resp } from '@cenote/pool-core'
   *
   * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp() })
   * await pool.request(['PING'])
   * console.log(pool.stats().connections) // 1
   */
  stats(): PoolStats {
    return this.#coordinator.overview.stats()
  }

  /**
   * All that is known of the pool at this moment, as plain data to be logged, with the flight recorder: what happened last in the pool, in
   * each shard, and in one that has died. No payload and no secret is in it. It looks at each connection: not for every second.
   *
   * @example
   * import { createPool, resp } from '@cenote/pool-core'
   *
   * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp(), shards: 1 })
   * await pool.request(['PING'])
   * console.log(pool.dump().recorder.shards[0]?.events.map(({ event }) => event)) // [ 'started', 'open', 'opened' ]
   */
  dump(): PoolDump {
    return this.#coordinator.overview.dump()
  }

  /**
   * Who holds a connection at this moment, the oldest first: leases, their streams, and handlers. One whose connection has died holds none.
   * @see PgBouncer `SHOW CLIENTS`, HikariCP `leakDetectionThreshold`
   *
   * @example
   * import { createPool, resp } from '@cenote/pool-core'
   *
   * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp() })
   * await using lease = await pool.acquire()
   * console.log(pool.leases().map(({ kind, connection }) => `${kind} of ${connection.id === lease.connection.id}`)) // [ 'lease of true' ]
   */
  leases(): readonly LeaseInfo[] {
    return this.#coordinator.overview.leases()
  }

  /**
   * Gives the pool other limits, at once. When there are too many connections, idle ones close now, those in use when they come back;
   * no lease is cut. When `minConnections` grows, more open. A `maxIdle` or `maxPerEndpoint` that was equal to
   * `maxConnections` when the pool was created follows it.
   *
   * @throws PoolError `BAD_OPTION`: nothing has changed. `POOL_CLOSED`.
   * @see deadpool `Pool::resize`, HikariCP `setMaximumPoolSize`
   *
   * @example
   * import { createPool, resp } from '@cenote/pool-core'
   *
   * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp() })
   * pool.resize({ maxConnections: 40, minConnections: 4 })
   */
  resize(sizes: ResizeOptions): void {
    this.#coordinator.upkeep.resize(sizes)
  }

  /**
   * How many connections the work needs, by what was measured: by Little's law as many are in use as calls come in the time that each
   * holds one. It changes nothing; `pool.resize(pool.advise().sizes)` would.
   *
   * @param since - What `stats()` returned earlier: only what came after it counts. Default: since the pool was made.
   * @throws PoolError `BAD_OPTION`: `since` is something else.
   * @see Little's law L = λW; HikariCP "About Pool Sizing"
   *
   * @example
   * import { createPool, resp } from '@cenote/pool-core'
   *
   * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp() })
   * const before = pool.stats()
   * await pool.request(['PING'])
   * const { connections, sizes, reasons } = pool.advise(before)
   * console.log(connections <= sizes.maxConnections) // true
   */
  advise(since?: PoolStats): Advice {
    return this.#coordinator.upkeep.advise(since)
  }

  /**
   * Replaces connections, for instance after the server's address has moved: each closes at once if it is idle, else when it comes
   * back; no lease is cut. Others open as they are needed.
   *
   * @param predicate - Chooses among those that are open; returns true for each that is to go. Default: all, those being opened too.
   * @throws PoolError `BAD_OPTION`, `POOL_CLOSED`; and whatever the predicate throws: then none was chosen.
   * @see puddle `Reset`, PgBouncer `RECONNECT`
   *
   * @example
   * import { createPool, resp } from '@cenote/pool-core'
   *
   * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp() })
   * pool.recycle(({ createdAt }) => createdAt < Date.now() - 60_000)
   */
  recycle(predicate?: (connection: ConnectionInfo) => boolean): void {
    if (predicate !== undefined && typeof predicate !== 'function') throw badOption('recycle', 'its argument must be a function')
    this.#coordinator.upkeep.recycle(predicate)
  }

  /**
   * Holds whoever comes or waits in the queue, each until its own deadline, until `resume()`. `tryAcquire` finds nothing. Leases, requests
   * and handlers under way go on; one whose connection dies before anything was sent waits for another like everybody.
   *
   * @throws PoolError `POOL_CLOSED`.
   * @see PgBouncer `PAUSE`
   *
   * @example
   * import { createPool, resp } from '@cenote/pool-core'
   *
   * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp() })
   * pool.pause()
   * const reply = pool.request(['PING']) // waits
   * pool.resume()
   * console.log(await reply) // PONG
   */
  pause(): void {
    this.#coordinator.upkeep.pause(true)
  }

  /**
   * Serves those whom `pause()` has held, in their order; while the server is down it tells them so.
   *
   * @throws PoolError `POOL_CLOSED`.
   *
   * @example
   * import type { Pool } from '@cenote/pool-core'
   *
   * export const failedOver = (pool: Pool): void => {
   *   pool.recycle()
   *   pool.resume()
   * }
   */
  resume(): void {
    this.#coordinator.upkeep.pause(false)
  }

  /**
   * Refuses new work, rejects who waits with POOL_CLOSED, lets granted work finish, then destroys what is left.
   * Resolves when no thread, port, timer or socket of the pool is left. Calling it again returns the same promise.
   *
   * @param options.timeoutMs - How long granted work may go on. Default 10_000.
   * @throws PoolError `BAD_OPTION`: the pool stays open.
   *
   * @example
   * import { createPool, resp } from '@cenote/pool-core'
   *
   * const pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp() })
   * await pool.close({ timeoutMs: 1_000 })
   */
  close(options: CloseOptions = {}): Promise<void> {
    if (this.#closed === undefined) {
      try {
        this.#closed = closePool(this.#coordinator, this.#shards, checkCallOptions(options, 'close').timeoutMs)
      } catch (error) {
        return Promise.reject(error)
      }
    }
    return this.#closed
  }

  /** As `close()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Every invariant of the books that does not hold: for tests. @internal */
  check(): string[] {
    return this.#coordinator.check()
  }
}
