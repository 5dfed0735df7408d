/**
 * The channels of `node:diagnostics_channel`, resolved once. All are published on the thread that called `createPool`: a subscriber
 * there would never see what a shard's thread publishes.
 */
import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel'
import type { CallTrace, ConnectTrace } from './traces.ts'

/** `pool.acquire()` and `pool.use()`. */
export const acquireChannel: TracingChannel<unknown, CallTrace> = tracingChannel('cenote:acquire')
/** `pool.request()` and `lease.request()`. */
export const requestChannel: TracingChannel<unknown, CallTrace> = tracingChannel('cenote:request')
/** `pool.handlers`. */
export const handlerChannel: TracingChannel<unknown, CallTrace> = tracingChannel('cenote:handler')
/** One connection, from the moment it is wanted: the look-up of its name and the question for credentials are part of it. */
export const connectChannel: TracingChannel<unknown, ConnectTrace> = tracingChannel('cenote:connect')

/** Whether anybody listens: five reads, for Node 20 has no `hasSubscribers` of a tracing channel before 20.13. */
export function observed<T extends object>({ start, end, asyncStart, asyncEnd, error }: TracingChannel<unknown, T>): boolean {
  return start.hasSubscribers || end.hasSubscribers || asyncStart.hasSubscribers || asyncEnd.hasSubscribers || error.hasSubscribers
}

/**
 * Publishes a call as `tracePromise` does, but never what it resolves with. What a subscriber binds to `start` by `bindStore` holds while
 * the call is made.
 */
export function follow<T>(channel: TracingChannel<unknown, CallTrace>, trace: CallTrace, make: () => Promise<T>): Promise<T> {
  return channel.start.runStores(trace, () => {
    const promise = make()
    channel.end.publish(trace)
    return promise.then(
      (value) => {
        trace.ended()
        finish(channel, trace)
        return value
      },
      (error: unknown) => {
        trace.failed(error)
        channel.error.publish(trace)
        finish(channel, trace)
        throw error
      },
    )
  })
}

/** Publishes that a connect begins, around whatever begins it. */
export function followConnect(trace: ConnectTrace, begin: () => void): void {
  connectChannel.start.runStores(trace, begin)
  connectChannel.end.publish(trace)
}

/** Publishes how a connect has ended. */
export function connectEnded(trace: ConnectTrace): void {
  if (trace.error !== undefined) connectChannel.error.publish(trace)
  finish(connectChannel, trace)
}

function finish<T extends object>(channel: TracingChannel<unknown, T>, trace: T): void {
  channel.asyncStart.publish(trace)
  channel.asyncEnd.publish(trace)
}
