/** What is sent, over and over: one kind of request to one pool. */
import { tracingChannel } from 'node:diagnostics_channel'
import type { AcquireOptions, CallTrace, Pool } from '@cenote/pool-core'

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
    watch: () => watched(send),
    receivedBytes: (reply) => receivedBytes(reply as Rep), // it is what `send` has resolved with
    prepare,
    remove,
  }
}

/**
 * Follows one request by the pool's tracing channel, which is listened to for no longer than the call: the trace is filled on the way,
 * whoever listens then. To listen all the time would take a quarter of the throughput.
 */
function watched(send: () => Promise<unknown>): ReturnType<Work['watch']> {
  let timing: Timing | undefined
  const take = (trace: unknown): void => {
    timing = trace as CallTrace // what this channel is documented to publish
  }
  const { start } = tracingChannel('cenote:request')
  start.subscribe(take)
  try {
    return { reply: send(), timing }
  } finally {
    start.unsubscribe(take)
  }
}
