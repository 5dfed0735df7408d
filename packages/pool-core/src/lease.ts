/** A lease: a caller's right to one connection until it is released. */
import type { Duplex } from 'node:stream'
import { badOption, PoolError } from '@cenote/pool-worker'
import { checkCallOptions, type WaitOptions } from './call-options.ts'
import type { Call } from './calls.ts'
import type { Leasing } from './leasing.ts'
import type { Line } from './line.ts'
import { checkReleaseOptions } from './options.ts'

/** What a lease says of its connection. */
export interface ConnectionInfo {
  /** Unique within the pool's life. */
  readonly id: string
  /** Which shard holds it, from 0. */
  readonly shard: number
  /** Printed without credentials. */
  readonly endpoint: string
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** Leases, handlers and requests that the connection was given: what `maxUses` counts. */
  readonly uses: number
}

/**
 * One connection, for its holder alone. `release()` it once, or hold it with `await using`.
 *
 * @example
 * import { createPool, resp } from '@cenote/pool-core'
 *
 * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp() })
 * await using lease = await pool.acquire()
 * await lease.request(['MULTI'])
 * await lease.request(['INCRBY', 'a', 1])
 * await lease.request(['EXEC'])
 */
export class Lease<Req = unknown, Rep = unknown> {
  readonly #leasing: Leasing
  #line: Line | undefined
  #released = false
  #abort: AbortController | undefined = undefined
  #listeners: Set<(value: Rep) => void> | undefined = undefined
  #dirty = false
  #lostBy: PoolError | undefined = undefined
  /** When it was granted, in the world's milliseconds. @internal */
  readonly grantedAt: number
  /** Its requests that wait while it is given another connection. @internal */
  readonly waiting: Call[] = []
  /** What its holder asked for it with. @internal */
  readonly priority: number
  /** It was given another connection once already. @internal */
  rebound = false
  /** How often its caller has moved to another connection: this lease's rebinding, and the leases before it. @internal */
  moves = 0
  /** Settles when it has the other connection, or will have none. @internal */
  rebinding: Promise<void> | undefined = undefined

  /** @internal */
  constructor(leasing: Leasing, line: Line, grantedAt: number, priority: number) {
    this.#leasing = leasing
    this.#line = line
    this.grantedAt = grantedAt
    this.priority = priority
  }

  /**
   * Aborts, with the error as its reason, when the connection dies while the lease is held.
   *
   * @example
   * import { setTimeout } from 'node:timers/promises'
   * import { createPool, resp } from '@cenote/pool-core'
   *
   * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp() })
   * await pool.use((lease) => setTimeout(10, undefined, { signal: lease.signal })) // waits no longer than the connection lives
   */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController()
    if (this.#lostBy !== undefined && !this.#abort.signal.aborted) this.#abort.abort(this.#lostBy)
    return this.#abort.signal
  }

  /**
   * Which connection this is.
   *
   * @throws PoolError `CONNECTION_LOST`: it has died.
   *
   * @example
   * import { createPool, resp } from '@cenote/pool-core'
   *
   * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp() })
   * await using lease = await pool.acquire()
   * console.log(lease.connection.uses) // 1
   */
  get connection(): ConnectionInfo {
    return this.#leasing.connectionInfo(this.#line)
  }

  /**
   * Sends a request over this connection. Several may be in flight; their replies come in order.
   *
   * @param options.timeoutMs - From now to the reply. Default: the pool's `requestTimeoutMs`. After it the connection is destroyed, for its reply may come late.
   * @param options.signal - Rejects with `signal.reason`; the connection is destroyed if the request had been written.
   * @throws PoolError `LEASE_RELEASED`, `REQUEST_TIMEOUT`, `CONNECTION_LOST`, `PROTOCOL_ERROR`, `REPLY_TOO_LARGE`, `SHARD_LOST`, `BAD_REQUEST`.
   * @throws ReplyError when the server answered with an error; the connection stays good.
   *
   * @example
   * import { createPool, resp } from '@cenote/pool-core'
   *
   * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp() })
   * const replies = await pool.use((lease) => Promise.all([lease.request(['INCR', 'a']), lease.request(['INCR', 'b'])]))
   */
  request(request: Req, options?: WaitOptions): Promise<Rep> {
    try {
      const checked = checkCallOptions(options, ['timeoutMs', 'signal'])
      if (this.#released) throw new PoolError('LEASE_RELEASED', 'this lease has been released', { phase: 'send', outcome: 'not-sent' })
      if (this.#line?.stream !== undefined)
        throw new PoolError('BAD_REQUEST', 'this lease is a stream', { phase: 'send', outcome: 'not-sent' })
      if (this.#leasing.changes(request)) this.#dirty = true
      return this.#leasing.request(this as Lease, request, checked) as Promise<Rep> // typed where the pool is
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * The connection as a byte stream, once per lease and with no reply owed. From then on `request` throws; the stream's
   * end ends the lease, and `release()` destroys the connection unless told `{ reusable: true }`.
   *
   * @throws PoolError `LEASE_RELEASED`: released, or the stream was taken already.
   * @throws PoolError `BAD_REQUEST`: replies are owed.
   * @throws PoolError `CONNECTION_LOST`: the connection has died.
   *
   * @example
   * import { once } from 'node:events'
   * import { createPool } from '@cenote/pool-core'
   *
   * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:7' })
   * await using lease = await pool.acquire()
   * const stream = lease.stream()
   * stream.write('hello')
   * const [chunk] = await once(stream, 'data')
   * console.log(String(chunk)) // hello
   */
  stream(): Duplex {
    if (this.#released) throw new PoolError('LEASE_RELEASED', 'this lease has been released')
    return this.#leasing.stream(this as Lease)
  }

  /**
   * Calls `listener` with each push that the server sends on this connection and the protocol delivers, until the lease ends.
   * Returns what takes it off again.
   *
   * @throws PoolError `LEASE_RELEASED`, `BAD_OPTION`.
   *
   * @example
   * import { createPool, resp } from '@cenote/pool-core'
   *
   * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp() })
   * await using lease = await pool.acquire()
   * const off = lease.onPush((push) => console.error(push))
   * off()
   */
  onPush(listener: (value: Rep) => void): () => void {
    if (typeof listener !== 'function') throw badOption('onPush', 'its argument must be a function')
    if (this.#released) throw new PoolError('LEASE_RELEASED', 'this lease has been released')
    this.#listeners ??= new Set()
    const listeners = this.#listeners.add(listener)
    return () => void listeners.delete(listener)
  }

  /**
   * Gives the connection back. One that owes replies, or whose state cannot be undone, is destroyed.
   *
   * @param options.reusable - After `stream()`: both sides have left the connection as a new caller expects it. Default false: it is destroyed.
   * @throws PoolError `LEASE_RELEASED`: it was released before.
   * @throws PoolError `BAD_OPTION`: it is not released.
   *
   * @example
   * import { createPool, resp } from '@cenote/pool-core'
   *
   * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp() })
   * const lease = await pool.acquire()
   * lease.release()
   */
  release(options?: { readonly reusable?: boolean | undefined }): void {
    if (this.#released) throw new PoolError('LEASE_RELEASED', 'this lease has been released already')
    const { reusable } = options === undefined ? { reusable: false } : checkReleaseOptions(options, 'options')
    this.#leasing.release(this as Lease, reusable === true)
  }

  /**
   * Ends the lease and its connection at once; requests in flight reject with CONNECTION_LOST and `error` as the cause.
   *
   * @throws PoolError `LEASE_RELEASED`: it was released before.
   *
   * @example
   * import { createPool, resp } from '@cenote/pool-core'
   *
   * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp() })
   * const lease = await pool.acquire()
   * lease.destroy(new Error('its answers make no sense'))
   */
  destroy(error?: Error): void {
    if (this.#released) throw new PoolError('LEASE_RELEASED', 'this lease has been released already')
    this.#leasing.destroy(this as Lease, error)
  }

  /** Releases, unless that has been done. */
  [Symbol.dispose](): void {
    if (!this.#released) this.#leasing.release(this as Lease, false)
  }

  /** Releases, unless that has been done. */
  async [Symbol.asyncDispose](): Promise<void> {
    this[Symbol.dispose]()
  }

  /** @internal */
  get line(): Line | undefined {
    return this.#line
  }

  /** @internal */
  get released(): boolean {
    return this.#released
  }

  /** Whether a request went over it that changed the connection. @internal */
  get dirty(): boolean {
    return this.#dirty
  }

  /** Why its connection is gone, if it is. @internal */
  get lostBy(): PoolError | undefined {
    return this.#lostBy
  }

  /** @internal */
  bind(line: Line): void {
    this.#line = line
  }

  /** The lease is over: nothing reaches its holder from now on. @internal */
  end(): void {
    this.#released = true
    this.#listeners = undefined
  }

  /** Its connection died before anything was sent: its requests wait for another. @internal */
  rebind(calls: readonly Call[], rebinding: Promise<void>): void {
    this.#line = undefined
    this.rebound = true
    this.moves++
    this.rebinding = rebinding
    this.waiting.push(...calls)
  }

  /** Its connection has died. @internal */
  lost(error: PoolError): void {
    this.#line = undefined
    this.#lostBy = error
    this.#abort?.abort(error)
  }

  /** @internal */
  pushed(value: unknown): void {
    if (this.#listeners === undefined) return
    for (const listener of this.#listeners) queueMicrotask(() => listener(value as Rep)) // typed where the pool is
  }
}
