/** What is sent, over and over: one kind of request to one pool. */
import { tracingChannel } from 'node:diagnostics_channel'
import type { AcquireOptions, CallTrace, Pool } from '@cenote/pool-core'
import { UsageError } from '../process/command.ts'

/** How long a request waited for a connection, and was served; filled in by the time it has succeeded. */
export interface Timing {
  readonly waitMs: number | undefined
  readonly serviceMs: number | undefined
}

/** A pool, as far as it does not matter what it speaks. */
export interface AnyPool extends Pick<Pool, 'close' | 'ready' | 'stats'> {
  acquire(options: AcquireOptions): Promise<{ release(): void }>
}

/** Requests without end. */
export interface Work {
  readonly pool: AnyPool
  /** For people: 'GET {key}, values of 64 bytes'. */
  readonly about: string
  /** Bytes of one request, without what the protocol adds. */
  readonly sentBytes: number
  /** Sends the next one. */
  send(): Promise<unknown>
  /** The same, and looks at it closely, which costs some microseconds. */
  watch(): { readonly reply: Promise<unknown>; readonly timing: Timing | undefined }
  /** Bytes of a reply. @throws WrongReply when it is not the answer. */
  receivedBytes(reply: unknown): number
  /** Makes the server ready. */
  prepare(): Promise<void>
  /** Leaves the server as it was. */
  remove(): Promise<void>
}

const nothing = async (): Promise<void> => undefined

/** What is particular about a kind of request. */
export interface RequestKind<Req, Rep> {
  readonly about: string
  readonly sentBytes: number
  readonly next: () => Req
  readonly receivedBytes: (reply: Rep) => number
  readonly prepare?: () => Promise<void>
  readonly remove?: () => Promise<void>
}

/** Work that is done by `pool.request`. */
export function requests<Req, Rep>(pool: Pool<Req, Rep>, kind: RequestKind<Req, Rep>): Work {
  const { about, sentBytes, next, receivedBytes, prepare = nothing, remove = nothing } = kind
  const send = () => pool.request(next())
  return {
    pool,
    about,
    sentBytes,
    send,
    watch: () => watched('cenote:request', send),
    receivedBytes: (reply) => receivedBytes(reply as Rep), // it is what `send` has resolved with
    prepare,
    remove,
  }
}

/** A module of handlers, whatever is in it. */
export type AnyHandlers = Readonly<Record<string, (input: unknown) => Promise<unknown>>>

/**
 * Work that is done by a handler of the user's, which runs in a shard beside its connection. Only text and bytes have a size.
 *
 * @throws UsageError when the module has no such function.
 */
export function handlerCalls(pool: Pool<never, never, AnyHandlers>, name: string, input: unknown): Work {
  const handler = pool.handlers[name]
  if (handler === undefined)
    throw new UsageError(`--handler: no function ${name} in the module; there are ${Object.keys(pool.handlers).join(', ')}`)
  const send = () => handler(input)
  return {
    pool,
    about: `handler ${name}`,
    sentBytes: bytesOf(input),
    send,
    watch: () => watched('cenote:handler', send),
    receivedBytes: bytesOf,
    prepare: nothing,
    remove: nothing,
  }
}

function bytesOf(value: unknown): number {
  return typeof value === 'string' || value instanceof Uint8Array ? value.length : 0
}

/**
 * Follows one call by the pool's tracing channel, which is listened to for no longer than the call: the trace is filled on the way,
 * whoever listens then. To listen all the time would take a quarter of the throughput.
 */
function watched(channel: 'cenote:request' | 'cenote:handler', send: () => Promise<unknown>): ReturnType<Work['watch']> {
  let timing: Timing | undefined
  const take = (trace: unknown): void => {
    timing = trace as CallTrace // what this channel is documented to publish
  }
  const { start } = tracingChannel(channel)
  start.subscribe(take)
  try {
    return { reply: send(), timing }
  } finally {
    start.unsubscribe(take)
  }
}
