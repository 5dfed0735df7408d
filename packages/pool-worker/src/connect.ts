/** Opens one socket: name, address, TLS. Its caller holds the deadline and ends it by `cancel`. */
import type { LookupAddress } from 'node:dns'
import { isIP, type LookupFunction, type NetConnectOpts, type OnReadOpts, type Socket } from 'node:net'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import type { Endpoint } from './endpoint.ts'
import { PoolError } from './errors.ts'
import type { OpenRequest, ShardSettings } from './messages.ts'
import type { World } from './world.ts'

/** Node's 250 ms per address is too short for a distant peer. */
const ATTEMPT_MS = 1_000

/** What of the settings a socket is opened with. */
export type ConnectSettings = Pick<ShardSettings, 'keepAlive' | 'keepAliveInitialDelayMs' | 'noDelay' | 'tls' | 'unrefSockets'>

/** Where to. */
export type Destination = Pick<OpenRequest, 'endpoint' | 'addresses'>

/** How an attempt ends: once, in a later turn. */
export interface Connecting {
  opened(socket: Socket): void
  failed(error: PoolError): void
}

/** A socket under way. */
export interface Attempt {
  readonly socket: Socket
  /** Ends it; neither `opened` nor `failed` is called from now on. */
  cancel(): void
}

/**
 * Starts to connect. The socket's bytes go to `onread`, and its end is left to its user: it is open to half-close.
 *
 * Fails with CONNECT_FAILED, whose cause keeps code, errno, syscall and errors; with TLS_REJECTED when the peer's
 * certificate, name or application protocol is not what was asked for.
 */
export function connect(
  world: World,
  settings: ConnectSettings,
  { endpoint, addresses }: Destination,
  onread: OnReadOpts,
  connecting: Connecting,
): Attempt {
  const common = {
    onread,
    allowHalfOpen: true,
    keepAlive: settings.keepAlive,
    keepAliveInitialDelay: settings.keepAliveInitialDelayMs,
    noDelay: settings.noDelay,
    autoSelectFamilyAttemptTimeout: ATTEMPT_MS,
    ...(addresses === undefined ? {} : { lookup: lookupIn(addresses) }),
  }
  if (endpoint.transport === 'tls') return overTls(world, settings, endpoint, common, connecting)
  const where = endpoint.transport === 'unix' ? { path: endpoint.path } : { host: endpoint.host, port: endpoint.port }
  const socket = world.connectTcp({ ...common, ...where } as NetConnectOpts) // one of its two forms, by the transport
  return attempt(socket, 'connect', settings, connecting, (error) => connectFailed(error))
}

/** Answers what a socket asks of DNS with addresses that are known. It tries all of them, if it asks for all. */
function lookupIn(addresses: readonly LookupAddress[]): LookupFunction {
  const [first] = addresses
  return (_name, { all }, tell) => {
    if (all === true) tell(null, [...addresses])
    else tell(null, first?.address ?? '', first?.family)
  }
}

function overTls(
  world: World,
  settings: ConnectSettings,
  endpoint: Endpoint & { transport: 'tls' },
  common: object,
  connecting: Connecting,
): Attempt {
  const { tls, noDelay, keepAlive, keepAliveInitialDelayMs } = settings
  const servername = endpoint.servername ?? tls?.servername ?? (isIP(endpoint.host) === 0 ? endpoint.host : undefined)
  const options = {
    ...tls,
    ...common,
    host: endpoint.host,
    port: endpoint.port,
    ...(servername === undefined ? {} : { servername }),
    rejectUnauthorized: tls?.rejectUnauthorized !== false, // said here, or NODE_TLS_REJECT_UNAUTHORIZED would have a say
    minVersion: tls?.minVersion ?? 'TLSv1.2',
  } as ConnectionOptions // its types know neither onread nor readonly arrays
  let socket: TLSSocket
  try {
    socket = world.connectTls(options)
  } catch (cause) {
    throw new PoolError('TLS_REJECTED', `the TLS options cannot be used: ${messageOf(cause)}`, {
      phase: 'connect',
      outcome: 'not-sent',
      cause,
    })
  }
  const wanted = tls?.ALPNProtocols
  let reached = false
  socket.once('connect', () => {
    reached = true
    socket.setNoDelay(noDelay) // of these two `tls.connect` takes no notice among its options
    if (keepAlive) socket.setKeepAlive(true, keepAliveInitialDelayMs)
  })
  const checked: Connecting = {
    failed: (error) => connecting.failed(error),
    opened(opened) {
      if (wanted === undefined || wanted.length === 0 || wanted.includes(String(socket.alpnProtocol))) return connecting.opened(opened)
      opened.on('error', () => undefined)
      opened.destroy()
      connecting.failed(rejected(`the peer agreed to none of the protocols ${wanted.join(', ')}`))
    },
  }
  return attempt(socket, 'secureConnect', settings, checked, (error) => {
    const { syscall, code } = error as { syscall?: unknown; code?: unknown }
    const ofTls = reached && syscall === undefined && code !== 'ECONNRESET'
    return ofTls ? rejected(`TLS was refused: ${error.message}`, error) : connectFailed(error)
  })
}

function attempt(
  socket: Socket,
  ready: string,
  settings: ConnectSettings,
  connecting: Connecting,
  explain: (error: Error) => PoolError,
): Attempt {
  if (settings.unrefSockets) socket.unref()
  const quiet = () => undefined
  const detach = () => {
    socket.off(ready, onReady)
    socket.off('error', onError)
    socket.off('close', onClose)
  }
  const fail = (error: PoolError) => {
    detach()
    socket.on('error', quiet)
    socket.destroy()
    connecting.failed(error)
  }
  const onReady = () => {
    detach()
    connecting.opened(socket)
  }
  const onError = (error: Error) => fail(explain(error))
  const onClose = () => fail(explain(new Error('the socket closed before it was open')))
  socket.once(ready, onReady)
  socket.once('error', onError)
  socket.once('close', onClose)
  return {
    socket,
    cancel() {
      detach()
      socket.on('error', quiet)
      socket.destroy()
    },
  }
}

function connectFailed(cause: Error): PoolError {
  return new PoolError('CONNECT_FAILED', `cannot connect: ${messageOf(cause)}`, { phase: 'connect', outcome: 'not-sent', cause })
}

function rejected(message: string, cause?: Error): PoolError {
  return new PoolError('TLS_REJECTED', message, { phase: 'connect', outcome: 'not-sent', cause })
}

/** An AggregateError, of several addresses tried, has an empty message of its own. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}
