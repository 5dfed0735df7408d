/** What subscribers of the channels are given: one object for each operation, the same from start to end, filled on the way. */
import { type ConnectTimes, PoolError, type PoolErrorPhase, type World } from '@cenote/pool-worker'
import type { ConnectionInfo } from '../lease.ts'
import { withoutData } from './redact.ts'

/**
 * An acquire, a request or a handler under way, as `cenote:acquire`, `cenote:request` and `cenote:handler` of `diagnostics_channel` tell of it.
 * No request, reply, input or result is ever in it.
 *
 * @example
 * import type { CallTrace } from '@cenote/pool-core'
 *
 * export const told = ({ pool, waitMs, error }: CallTrace): string => `${pool}: waited ${waitMs} ms, ${error?.message ?? 'ok'}`
 */
export class CallTrace {
  readonly pool: string
  /** The name of the handler, if it is one. */
  readonly handler: string | undefined
  /** What the caller allows for all of it. */
  readonly timeoutMs: number
  readonly priority: number
  /** Where it went: the connection's id, its shard, and the server. Undefined till then. */
  connection: string | undefined = undefined
  shard: number | undefined = undefined
  endpoint: string | undefined = undefined
  /** From the call until it had its connection, the last one if it went to several. */
  waitMs: number | undefined = undefined
  /** From then until the reply or the result came, or it failed. An acquire has none. */
  serviceMs: number | undefined = undefined
  /** Where it failed. */
  phase: PoolErrorPhase | undefined = undefined
  /** Why it failed: code, phase and outcome of the caller's error, without words of the server's or of the user's code. */
  error: Error | undefined = undefined
  readonly #owner: Traces
  readonly #world: World
  readonly #serves: boolean
  readonly #begun: number
  #placed: number | undefined = undefined

  /** @internal */
  constructor(owner: Traces, world: World, serves: boolean, timeoutMs: number, priority: number, handler?: string) {
    this.pool = owner.pool
    this.#owner = owner
    this.#world = world
    this.#serves = serves
    this.#begun = world.now()
    this.timeoutMs = timeoutMs
    this.priority = priority
    this.handler = handler
  }

  /** Whether it is of this pool, whatever others are called. @internal */
  isOf(owner: Traces): boolean {
    return this.#owner === owner
  }

  /** It has a connection. @internal */
  placed({ id, shard, endpoint }: ConnectionInfo): void {
    this.connection = id
    this.shard = shard
    this.endpoint = endpoint
    this.#placed = this.#world.now()
    this.waitMs = this.#placed - this.#begun
  }

  /** It is over. @internal */
  ended(): void {
    if (this.#serves && this.#placed !== undefined) this.serviceMs = this.#world.now() - this.#placed
  }

  /** It is over, and failed. @internal */
  failed(error: unknown): void {
    this.ended()
    this.phase = PoolError.is(error) ? error.phase : undefined
    this.error = withoutData(error)
  }
}

/**
 * One connect under way, as `cenote:connect` of `diagnostics_channel` tells of it.
 *
 * @example
 * import type { ConnectTrace } from '@cenote/pool-core'
 *
 * export const told = ({ endpoint, totalMs, tlsMs }: ConnectTrace): string => `${endpoint}: ${totalMs} ms, of it TLS ${tlsMs ?? 0} ms`
 */
export class ConnectTrace {
  readonly pool: string
  /** The id of the connection that is to be. */
  readonly connection: string
  readonly shard: number
  readonly endpoint: string
  readonly timeoutMs: number
  /** Milliseconds: the name's look-up, unless its addresses were known; TCP (or the unix socket), TLS, and the protocol's hand-shake. */
  lookupMs: number | undefined = undefined
  connectMs: number | undefined = undefined
  tlsMs: number | undefined = undefined
  handshakeMs: number | undefined = undefined
  /** All of it, as it was seen from here. */
  totalMs: number | undefined = undefined
  phase: PoolErrorPhase | undefined = undefined
  error: Error | undefined = undefined
  readonly #owner: Traces
  readonly #world: World
  readonly #begun: number

  /** @internal */
  constructor(owner: Traces, world: World, connection: string, shard: number, endpoint: string, timeoutMs: number) {
    this.pool = owner.pool
    this.#owner = owner
    this.#world = world
    this.#begun = world.now()
    this.connection = connection
    this.shard = shard
    this.endpoint = endpoint
    this.timeoutMs = timeoutMs
  }

  /** @internal */
  isOf(owner: Traces): boolean {
    return this.#owner === owner
  }

  /** The name's addresses have been found. @internal */
  resolved(ms: number): void {
    this.lookupMs = ms
  }

  /** What the shard has measured. @internal */
  measured({ lookup, connect, tls, handshake }: ConnectTimes): void {
    this.lookupMs = milliseconds(lookup)
    this.connectMs = milliseconds(connect)
    this.tlsMs = milliseconds(tls)
    this.handshakeMs = milliseconds(handshake)
  }

  /** It is over. @internal */
  ended(error: PoolError | undefined): void {
    this.totalMs = this.#world.now() - this.#begun
    if (error === undefined) return
    this.phase = error.phase
    this.error = withoutData(error)
  }
}

function milliseconds(microseconds: number | undefined): number | undefined {
  return microseconds === undefined ? undefined : microseconds / 1000
}

/** Makes the traces of one pool. */
export class Traces {
  readonly pool: string
  readonly #world: World

  constructor(pool: string, world: World) {
    this.pool = pool
    this.#world = world
  }

  acquire(timeoutMs: number, priority = 0): CallTrace {
    return new CallTrace(this, this.#world, false, timeoutMs, priority)
  }

  request(timeoutMs: number, priority = 0): CallTrace {
    return new CallTrace(this, this.#world, true, timeoutMs, priority)
  }

  handler(name: string, timeoutMs: number, priority = 0): CallTrace {
    return new CallTrace(this, this.#world, true, timeoutMs, priority, name)
  }

  connect(connection: string, shard: number, endpoint: string, timeoutMs: number): ConnectTrace {
    return new ConnectTrace(this, this.#world, connection, shard, endpoint, timeoutMs)
  }
}
