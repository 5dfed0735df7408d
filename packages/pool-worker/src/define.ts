/** Protocols and handlers: how users define them, how a pool refers to them, and what their hooks are given. */
import type { Socket } from 'node:net'
import type { Codec } from './codec.ts'
import type { Credentials, Endpoint } from './endpoint.ts'
import { badOption } from './errors.ts'

/** Who may share a connection with a request: anybody; nobody while it runs; only a lease, for it changes the connection. */
export type Scope = 'shared' | 'exclusive' | 'lease'

/**
 * What becomes of bytes that the server sent unasked. `reply`: they answer the oldest request, as the confirmation of a subscription
 * does, or are delivered when none is owed. `answer` sends a request whose reply nobody waits for.
 */
export type PushVerdict<Req> = 'ignore' | 'deliver' | 'destroy' | 'reply' | { readonly answer: Req }

/** The connection as a codec's hooks and a user's handlers see it: requests that never cross a thread. */
export interface ShardConnection<Req, Rep> {
  /** Sends a request and waits for its reply. Several may be in flight; replies come in order. */
  readonly request: (request: Req) => Promise<Rep> // no method: of those TypeScript accepts narrower requests
  /**
   * Tells the pool for how many milliseconds the server keeps this connection when it is idle, as with HTTP's `Keep-Alive: timeout`; from
   * now on, until told otherwise. It closes earlier, by 2 s or by half if that is less, and is not used any more then: so no request meets
   * a connection that the server is closing. Infinity: the server does not say.
   *
   * @throws PoolError `BAD_OPTION`: not a number above 0. `LEASE_RELEASED`: the hook, or the handler, has ended.
   * @see undici `keepAliveTimeoutThreshold`
   */
  readonly keepAlive: (ms: number) => void
}

/** The connection as `onConnect`, `probe` and `reset` of a codec see it. */
export interface HookConnection<Req, Rep, Options = unknown> extends ShardConnection<Req, Rep> {
  /** Waits for the next frame without asking: for servers that speak first. */
  next(): Promise<Rep>
  /** What `protocolAt` was given, frozen. */
  readonly options: Options
  /** The pool's, asked anew for this connect. */
  readonly credentials: Credentials | undefined
  readonly endpoint: Endpoint
}

/** The connection as a client protocol sees it. */
export interface ClientConnection<Options = unknown> {
  /** The connected socket, an ordinary `net.Socket` from now on. Once for each connection. */
  socket(): Socket
  /** Says that the client is done for: it is lent no more and closed when its work is. */
  retire(reason: string): void
  /** Tells for how many milliseconds the server keeps it when it is idle, as `ShardConnection.keepAlive`; as long as the connection lives. */
  keepAlive(ms: number): void
  /** What `protocolAt` was given, frozen. */
  readonly options: Options
  /** The pool's, asked anew for this connect. */
  readonly credentials: Credentials | undefined
  readonly endpoint: Endpoint
}

/** A protocol as a codec: bytes on a socket. Loaded on both sides. */
export interface CodecProtocol<Req, Rep, Options = unknown> {
  /** For errors. */
  readonly name: string
  /** Calls in flight on one connection. Default 1: a request has its connection for itself. */
  readonly pipelining?: number
  /** The codec, or what makes it from the protocol's options. */
  readonly codec: Codec<Req, Rep> | ((options: Options) => Codec<Req, Rep>)
  /** Default: every request is 'shared'. */
  scope?(request: Req): Scope
  /** The hand-shake, within the connect deadline. */
  onConnect?(connection: HookConnection<Req, Rep, Options>): Promise<void> | void
  /** The health check of an idle connection; throwing, rejecting or taking longer than `probeTimeoutMs` destroys it. */
  probe?(connection: HookConnection<Req, Rep, Options>): Promise<void> | void
  /**
   * Undoes what 'lease' requests changed, before the next caller; failing or taking longer than `probeTimeoutMs` destroys the connection.
   * Without it, each connection that they changed is destroyed.
   */
  reset?(connection: HookConnection<Req, Rep, Options>): Promise<void> | void
  /** What a push means. Default 'destroy'. */
  push?(value: Rep): PushVerdict<Req>
  /** Proves that a reply belongs to its request; `false` is DESYNC and destroys the connection. */
  correlate?(request: Req, reply: Rep): boolean
}

/** A protocol as an existing library that owns the socket. Loaded in the shard only; requests and replies are cloned. */
export interface ClientProtocol<Req, Rep, Client, Options = unknown> {
  /** For errors. */
  readonly name: string
  /** Calls of `execute` at a time on one client. Default 1. */
  readonly pipelining?: number
  /** Makes the client from the connected socket, within the connect deadline. Throwing destroys the connection. */
  connect(connection: ClientConnection<Options>): Promise<Client> | Client
  /** Carries out one request; `signal` aborts when its caller has gone. */
  execute(client: Client, request: Req, context: { readonly signal: AbortSignal }): Promise<Rep> | Rep
  /** The health check of an idle client; throwing, rejecting or taking longer than `probeTimeoutMs` destroys it. */
  probe?(client: Client): Promise<void> | void
  /** Undoes what a lease or a handler changed, before the next caller; failing destroys the connection. */
  reset?(client: Client): Promise<void> | void
  /** The connection ends: lets the client say good-bye. */
  close?(client: Client): Promise<void> | void
}

declare const TYPES: unique symbol

/** What `defineProtocol` returns: the definition, tagged with its types. */
export type ProtocolDefinition<Req, Rep, Client = undefined, Options = unknown> = (
  | CodecProtocol<Req, Rep, Options>
  | ClientProtocol<Req, Rep, Client, Options>
) & { readonly [TYPES]?: { request: Req; reply: Rep; client: Client; options: Options } }

/**
 * Defines a protocol as a codec; the default export of its module.
 *
 * @example
 * // greeting.ts
 * import { defineProtocol, lineCodec } from '@cenote/pool-core/shard'
 *
 * export default defineProtocol<string, string>({
 *   name: 'greeting',
 *   pipelining: 16,
 *   codec: lineCodec(),
 *   async onConnect(connection) {
 *     const hello = await connection.request('hello')
 *     if (hello !== 'hello') throw new Error('not a greeting server')
 *   },
 * })
 */
export function defineProtocol<Req, Rep, Options = unknown>(
  definition: CodecProtocol<Req, Rep, Options>,
): ProtocolDefinition<Req, Rep, undefined, Options>
/**
 * Defines a protocol as a library that owns the socket; the default export of its module.
 *
 * @example
 * import { createInterface } from 'node:readline'
 * import { defineProtocol } from '@cenote/pool-core/shard'
 *
 * interface Client {
 *   readonly lines: AsyncIterator<string>
 *   write(text: string): void
 * }
 *
 * export default defineProtocol<string, string, Client>({
 *   name: 'readline',
 *   connect(connection) {
 *     const socket = connection.socket()
 *     return { lines: createInterface(socket)[Symbol.asyncIterator](), write: (text) => void socket.write(text) }
 *   },
 *   async execute({ lines, write }, request) {
 *     write(`${request}\n`)
 *     const { value } = await lines.next()
 *     return String(value)
 *   },
 * })
 */
export function defineProtocol<Req, Rep, Client, Options = unknown>(
  definition: ClientProtocol<Req, Rep, Client, Options>,
): ProtocolDefinition<Req, Rep, Client, Options>
export function defineProtocol(definition: object): object {
  return definition
}

/** Where a shard finds a protocol: inside its own bundle by name, or in a user's module by URL. Crosses by clone. */
export interface ProtocolReference {
  readonly builtin?: string | undefined
  readonly url?: string | undefined
  readonly options: unknown
}

/** A protocol as the option `protocol` takes it, tagged with its types. */
export interface Protocol<Req, Rep, Client = undefined> {
  readonly reference: ProtocolReference
  readonly [TYPES]?: { request: Req; reply: Rep; client: Client }
}

/** Types of the module that a `protocolAt` names. */
export type ProtocolOf<Module> = Module extends { default: ProtocolDefinition<infer Req, infer Rep, infer Client, infer _Options> }
  ? Protocol<Req, Rep, Client>
  : never

/** The options that the module's hooks see. */
export type OptionsOf<Module> = Module extends { default: { readonly [TYPES]?: { options: infer Options } } } ? Options : unknown

/**
 * Refers to a user's protocol module, which is imported by each shard and, for a codec, by the calling thread.
 *
 * @param url - An absolute `file:` URL. If its `.js` is absent, the same name with `.ts` or `.mts` is tried.
 * @param options - Cloneable; reach the hooks as `connection.options`, frozen, and are never printed.
 * @throws PoolError `BAD_OPTION`: not a `file:` URL, or options that cannot be cloned.
 *
 * @example
 * import { createPool, protocolAt } from '@cenote/pool-core'
 *
 * const protocol = protocolAt<typeof import('./greeting.js')>(new URL('./greeting.js', import.meta.url))
 * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:7', protocol })
 * console.log(await pool.request('how are you')) // how are you
 */
export function protocolAt<Module>(url: URL | string, options?: OptionsOf<Module>): ProtocolOf<Module> {
  const reference: ProtocolReference = { url: fileUrl(url, 'protocol'), options: cloneOptions(options, 'protocol') }
  return { reference } as ProtocolOf<Module> // the tag exists in types alone
}

/** Makes the reference to a built-in protocol. */
export function builtin<Req, Rep>(name: string, options: unknown): Protocol<Req, Rep> {
  return { reference: { builtin: name, options: cloneOptions(options, 'protocol') } }
}

/** A handlers module as the option `handlers` takes it, tagged with its functions. */
export interface Handlers<Module = Record<never, never>> {
  readonly url: string
  readonly [TYPES]?: Module
}

/**
 * Refers to a module whose exported functions run in the shards, next to a connection.
 *
 * @param url - An absolute `file:` URL. If its `.js` is absent, the same name with `.ts` or `.mts` is tried.
 * @throws PoolError `BAD_OPTION`: not a `file:` URL.
 *
 * @example
 * // reports.ts
 * import type { ContextOf, line } from '@cenote/pool-core/shard'
 *
 * export async function size(request: string, { connection }: ContextOf<typeof line>): Promise<number> {
 *   return (await connection.request(request)).length
 * }
 *
 * @example
 * import { createPool, handlersAt, line } from '@cenote/pool-core'
 *
 * const handlers = handlersAt<typeof import('./reports.js')>(new URL('./reports.js', import.meta.url))
 * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:7', protocol: line(), handlers })
 * console.log(await pool.handlers.size('hello')) // 5
 */
export function handlersAt<Module>(url: URL | string): Handlers<Module> {
  return { url: fileUrl(url, 'handlers') }
}

/** What the second argument of a handler holds. */
export interface HandlerContext<Req, Rep, Client = undefined, Options = unknown> {
  /** The connection, this handler's alone until it settles. */
  readonly connection: ShardConnection<Req, Rep>
  /** The library's client, with a client protocol. */
  readonly client: Client
  /** Aborted when the caller has gone or its time is up. Synchronous code does not see it. */
  readonly signal: AbortSignal
  /** Reports to the caller's `onProgress`; the value is cloned. */
  progress(value: unknown): void
  /** The protocol's options. */
  readonly options: Options
}

/**
 * The context of a handler for a protocol: `ContextOf<typeof resp>`, or of a module's default export.
 *
 * @example
 * import type { ContextOf, resp } from '@cenote/pool-core/shard'
 *
 * export async function lengths(keys: readonly string[], { connection, progress }: ContextOf<typeof resp>): Promise<number> {
 *   let sum = 0
 *   for (const key of keys) {
 *     sum += String(await connection.request(['GET', key])).length
 *     progress(sum)
 *   }
 *   return sum
 * }
 */
export type ContextOf<P> = P extends (...args: never[]) => Protocol<infer Req, infer Rep, infer Client>
  ? HandlerContext<Req, Rep, Client>
  : P extends Protocol<infer Req, infer Rep, infer Client>
    ? HandlerContext<Req, Rep, Client>
    : P extends ProtocolDefinition<infer Req, infer Rep, infer Client, infer Options>
      ? HandlerContext<Req, Rep, Client, Options>
      : never

function fileUrl(url: URL | string, option: string): string {
  const parsed = url instanceof URL ? url : URL.canParse(String(url)) ? new URL(String(url)) : undefined
  if (parsed?.protocol !== 'file:')
    throw badOption(option, "the module's address must be an absolute file: URL, such as new URL('./module.js', import.meta.url)")
  return parsed.href
}

function cloneOptions(options: unknown, option: string): unknown {
  try {
    return structuredClone(options)
  } catch {
    throw badOption(option, 'its options cannot be cloned into a worker') // without the cause, which prints what it met
  }
}
