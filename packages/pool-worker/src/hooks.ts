/** Runs a protocol's hooks before a deadline, and gives them their view of the connection. */
import type { ClientConnection, HookConnection } from './define.ts'
import { PoolError, type PoolErrorPhase } from './errors.ts'
import type { Framed } from './framed.ts'
import { tellKeepAlive } from './keep-alive.ts'
import type { LoadedProtocol } from './load.ts'
import type { OpenRequest } from './messages.ts'
import type { Place } from './side.ts'
import type { World } from './world.ts'

/** A view that a hook was given, and how it ends: from then on its requests reject. */
export interface HookView<T> {
  readonly connection: T
  revoke(): void
}

function released(): PoolError {
  return new PoolError('LEASE_RELEASED', 'this view of the connection is over', { outcome: 'not-sent' })
}

/** A promise of user code that does not wait for it: its rejection must not end the thread, where others have connections too. */
export function forgivable<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}

/** The connection for a codec's hook. */
export function hookView(
  place: Place,
  framed: Framed,
  protocol: LoadedProtocol,
  open: OpenRequest,
): HookView<HookConnection<unknown, unknown>> {
  let live = true
  const guarded = <T>(begin: (resolve: (value: T) => void, reject: (error: unknown) => void) => void): Promise<T> =>
    forgivable(live ? new Promise<T>(begin) : Promise.reject(released()))
  const connection: HookConnection<unknown, unknown> = Object.freeze({
    request: (request: unknown) => guarded<unknown>((resolve, reject) => framed.ask({ request, resolve, reject })),
    next: () => guarded<unknown>((resolve, reject) => framed.next({ resolve, reject })),
    keepAlive: (ms: number) => {
      if (!live) throw released()
      tellKeepAlive(place, ms)
    },
    options: protocol.options,
    credentials: open.credentials,
    endpoint: open.endpoint,
  })
  return {
    connection,
    revoke() {
      live = false
    },
  }
}

/** The connection for a client protocol's connect hook. */
export function clientView(
  place: Place,
  protocol: LoadedProtocol,
  open: OpenRequest,
  socket: ClientConnection['socket'],
  retire: ClientConnection['retire'],
): ClientConnection {
  const keepAlive = (ms: number): void => tellKeepAlive(place, ms)
  return Object.freeze({ socket, retire, keepAlive, options: protocol.options, credentials: open.credentials, endpoint: open.endpoint })
}

/**
 * Runs a hook. One that throws synchronously rejects, one that settles after `ms` has no effect.
 * @param ms - `Infinity` for a hook whose deadline somebody else holds.
 * @throws PoolError The hook's own; `HOOK_FAILED`, with anything else it threw as the cause, or when it took too long.
 */
export function runHook<T>(world: World, ms: number, name: string, phase: PoolErrorPhase, hook: () => Promise<T> | T): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new PoolError('HOOK_FAILED', `the protocol's ${name} took longer than ${ms} ms`, { phase }))
    const cancel = ms === Infinity ? () => undefined : world.timer(ms, false, () => void world.immediate(late))
    const settle = async (): Promise<T> => hook()
    settle().then(
      (value) => {
        cancel()
        resolve(value)
      },
      (thrown: unknown) => {
        cancel()
        reject(hookError(name, phase, thrown))
      },
    )
  })
}

function hookError(name: string, phase: PoolErrorPhase, thrown: unknown): PoolError {
  if (PoolError.is(thrown)) return thrown
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return new PoolError('HOOK_FAILED', `the protocol's ${name} failed: ${message}`, { phase, cause: thrown })
}
