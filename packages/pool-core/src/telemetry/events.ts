/** What a pool tells of itself while it works: `pool.events`. */
import { type EventEmitter, EventEmitterAsyncResource } from 'node:events'
import { type CloseReason, PoolError } from '@cenote/pool-worker'
import type { ConnectionInfo } from '../lease.ts'
import { withoutData } from './redact.ts'

/** A lease that nobody has released; told once while it is held, and once when it was collected. */
export interface LeakEvent {
  /** Undefined when it has died in the meantime: then no connection is held up. */
  readonly connection: ConnectionInfo | undefined
  readonly heldMs: number
  /** The frames of whoever acquired it, the innermost first; only with `leakDetectionMs`. */
  readonly stack: string | undefined
  /** Its holder had forgotten it: it was garbage-collected, and its connection has been destroyed. */
  readonly collected: boolean
  /** It was held longer than `maxLeaseMs`: it has ended, and its connection has been destroyed. */
  readonly expired: boolean
}

/**
 * The events by name, each with its one argument. Never a payload, never a secret: an error has its code, phase and counts, and what the
 * system says, but of what a server or the user's code said only its name, its code and its frames.
 */
export interface PoolEvents {
  /** A connection is open, its hand-shake done. */
  readonly connectionOpened: { readonly connection: ConnectionInfo; readonly connectMs: number }
  /** An open connection has ended; `error` is what broke it, if anything did. */
  readonly connectionClosed: {
    readonly connection: ConnectionInfo
    readonly reason: CloseReason
    readonly error?: PoolError | undefined
  }
  /** A connection did not come. */
  readonly connectFailed: { readonly endpoint: string; readonly error: PoolError }
  /** So many connects in a row have failed that callers are refused at once with UNAVAILABLE. It is tried again, again and again. */
  readonly endpointDown: { readonly endpoint: string; readonly error: PoolError; readonly failures: number }
  /** A connection to it is open again, after `downMs` milliseconds. */
  readonly endpointUp: { readonly endpoint: string; readonly downMs: number }
  /** A lease is held longer than `leakDetectionMs`, or the pool has taken it back. */
  readonly leak: LeakEvent
  /** A lease that was told of as a leak was released after all. */
  readonly leakReturned: Omit<LeakEvent, 'collected' | 'expired'>
  /** It takes work from now on: it is on the list. */
  readonly endpointAdded: { readonly endpoint: string; readonly weight: number }
  /** It takes no more work: it is no longer on the list. */
  readonly endpointRemoved: { readonly endpoint: string }
  /** It has failed so often that it takes no work for `forMs` milliseconds. */
  readonly endpointEjected: { readonly endpoint: string; readonly forMs: number }
  /** It takes work again. */
  readonly endpointReturned: { readonly endpoint: string }
  /** The lists of endpoints do not go on, or one is wrong. The last good one stays. The error is as it was thrown: nobody else is told. */
  readonly endpointsFailed: { readonly error: PoolError }
  /** A shard serves: for the first time, or again. */
  readonly shardStarted: { readonly shard: number }
  /** A shard has given no sign of life for `shardStallMs`: it is passed over while others can serve. */
  readonly shardSuspect: { readonly shard: number; readonly silentMs: number }
  /** A suspect shard has given a sign of life; `silentMs` is how long it had been silent at the last look. */
  readonly shardRecovered: { readonly shard: number; readonly silentMs: number }
  /** A shard has died, and is being replaced. */
  readonly shardLost: { readonly shard: number; readonly error: PoolError }
}

/** The same, as `EventEmitter` takes it. */
export type EventArguments = { [Name in keyof PoolEvents]: [PoolEvents[Name]] }

/**
 * Tells those who listen. A listener runs in a microtask of its own, in the async context that the pool was made in: what it throws is an
 * uncaught error of its own and harms nothing here.
 */
export class Events {
  /** For the user. */
  readonly emitter: EventEmitter<EventArguments> = new EventEmitterAsyncResource({
    name: 'cenote.Pool',
  }) as unknown as EventEmitter<EventArguments> // its types know no names

  /** Whether somebody listens. */
  heard(name: keyof PoolEvents): boolean {
    return this.emitter.listenerCount(name) > 0
  }

  /** @param event - Called only when somebody listens. */
  emit<Name extends keyof PoolEvents>(name: Name, event: () => PoolEvents[Name]): void {
    if (this.emitter.listenerCount(name) === 0) return
    const argument = name === 'endpointsFailed' ? event() : withoutWords(event()) // of that one nobody else is told
    queueMicrotask(() => (this.emitter as EventEmitter).emit(name, argument)) // of the type that the name asks for
  }
}

/** An event that has an error tells of it what observers may know. */
function withoutWords<T extends object>(event: T): T {
  const error: unknown = Reflect.get(event, 'error')
  return PoolError.is(error) ? { ...event, error: withoutData(error) } : event
}
