/** From an open socket to a connection that the pool can lend: the protocol's onConnect or connect hook. */
import { Clients } from './clients.ts'
import { STALL_MS } from './deadlines.ts'
import { PoolError } from './errors.ts'
import type { CloseReason } from './frame.ts'
import { Framed } from './framed.ts'
import { clientView, hookView, runHook } from './hooks.ts'
import type { LoadedProtocol } from './load.ts'
import type { OpenRequest } from './messages.ts'
import type { Place } from './side.ts'

/** Told how it ended: once, perhaps after the connection's end, for a hook settles when it likes. */
export interface HandShake {
  /** What drives the connection from now on; told before `done`. */
  began(side: Framed | Clients): void
  done(error: PoolError | undefined): void
  /** The client says that it is done for. */
  retired(reason: string): void
}

/** Starts the protocol on a fresh connection. The caller holds the deadline. */
export function shakeHands(place: Place, protocol: LoadedProtocol, open: OpenRequest, shake: HandShake): void {
  const run = <T>(name: string, hook: () => Promise<T> | T, done: (value: T) => PoolError | undefined): void => {
    void runHook(place.world, Number.POSITIVE_INFINITY, name, 'connect', hook)
      .then(done, (error: PoolError) => error)
      .then((error) => shake.done(error)) // its own errors are the shard's own, and end the thread
  }
  if (protocol.form === 'client') {
    const clients = new Clients(place, protocol)
    shake.began(clients)
    const view = clientView(
      place,
      protocol,
      open,
      () => clients.takeSocket(),
      (reason) => shake.retired(reason),
    )
    return run(
      'connect',
      () => protocol.definition.connect(view),
      (client) => void clients.adopt(client),
    )
  }
  const framed = new Framed(place, protocol)
  shake.began(framed)
  if (!framed.start()) return
  const { onConnect } = protocol.definition
  if (onConnect === undefined) return shake.done(undefined)
  const view = hookView(place, framed, protocol, open)
  framed.beginHook()
  run(
    'onConnect',
    () => onConnect.call(protocol.definition, view.connection),
    () => {
      view.revoke()
      if (framed.endHook()) return undefined
      return new PoolError('DESYNC', 'the hand-shake left replies or bytes behind', { phase: 'connect', outcome: 'not-sent' })
    },
  )
}

/**
 * Runs the protocol's probe or reset on a quiet connection, within `probeTimeoutMs`.
 * @throws PoolError The hook's own, `HOOK_FAILED`, or `DESYNC` when replies or bytes are left behind.
 */
export async function runCheck(
  place: Place,
  protocol: LoadedProtocol,
  open: OpenRequest,
  side: Framed | Clients,
  name: 'probe' | 'reset',
): Promise<void> {
  const phase = name === 'probe' ? 'probe' : 'close'
  const ms = place.settings.probeTimeoutMs
  if (side instanceof Framed && protocol.form === 'codec') {
    const view = hookView(place, side, protocol, open)
    side.beginHook()
    try {
      await runHook(place.world, ms, name, phase, () => protocol.definition[name]?.(view.connection))
    } finally {
      view.revoke()
    }
    if (!side.endHook()) throw new PoolError('DESYNC', `the ${name} left replies or bytes behind`, { phase })
  } else if (side instanceof Clients && protocol.form === 'client') {
    await runHook(place.world, ms, name, phase, () => protocol.definition[name]?.(side.client))
    if (!side.quiet()) throw new PoolError('DESYNC', `the ${name} left requests behind`, { phase })
  }
}

const WAITING = {
  connect: 'the address has not answered',
  tls: 'the TLS hand-shake has not ended',
  protocol: "the protocol's hand-shake has not ended",
} as const

/** What an attempt is told that has no connection within `ms`: what it waited for, and whether its thread, `lateMs` late, had stood still. */
export function lateError(ms: number, stage: keyof typeof WAITING, lateMs: number, onMain: boolean): PoolError {
  const stalled = lateMs < STALL_MS ? undefined : onMain ? 'main' : 'shard'
  const still = stalled === undefined ? '' : `; its thread stood still for ${lateMs} ms`
  return new PoolError('CONNECT_TIMEOUT', `no connection within ${ms} ms: ${WAITING[stage]}${still}`, {
    phase: 'connect',
    outcome: 'not-sent',
    stalled,
  })
}

/** A connection that dies before it is open was never one: its loss is a failure to connect. */
export function openingError(reason: CloseReason, error: PoolError | undefined): PoolError {
  if (error !== undefined && error.code !== 'CONNECTION_LOST') return error
  return new PoolError('CONNECT_FAILED', `the connection ended during the hand-shake: ${reason}`, {
    phase: 'connect',
    outcome: 'not-sent',
    cause: error?.cause ?? error,
  })
}
