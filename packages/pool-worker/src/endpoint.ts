/** Where connections go: parsed once, printed without secrets. */
import { isIPv6 } from 'node:net'
import { badOption, type PoolError } from './errors.ts'

/** A TCP, TLS or unix-socket address. */
export type Endpoint =
  | { readonly transport: 'tcp'; readonly host: string; readonly port: number }
  | { readonly transport: 'tls'; readonly host: string; readonly port: number; readonly servername?: string | undefined }
  | { readonly transport: 'unix'; readonly path: string }

/** What a connection signs in with. Asked anew for each connect when the option is a function. Never printed. */
export interface Credentials {
  readonly username?: string | undefined
  readonly password?: string | undefined
}

const FORMS = "'tcp://host:port', 'tls://host:port', 'unix:/path', or an object with its transport"

/** The longest path of a unix socket: `sun_path` is 108 bytes with its end mark on Linux. */
const MAX_PATH_BYTES = 107

/**
 * Reads an endpoint: a string, or an object of the type.
 * Never prints what it was given, which may hold a password by mistake.
 *
 * @throws PoolError `BAD_OPTION`: what is wrong with it.
 *
 * @example
 * import { parseEndpoint } from '@cenote/pool-worker'
 *
 * parseEndpoint('tcp://[::1]:6379') // { transport: 'tcp', host: '::1', port: 6379 }
 */
export function parseEndpoint(input: unknown): Endpoint {
  if (typeof input === 'string') return Object.freeze(parseText(input))
  if (Array.isArray(input)) throw bad('must be one endpoint here, not an array')
  if (typeof input === 'object' && input !== null) return Object.freeze(parseObject(input))
  throw bad(input === undefined ? `is missing; it is ${FORMS}` : `must be ${FORMS}`)
}

/** The endpoint as `parseEndpoint` takes it. It holds no secret. */
export function printEndpoint(endpoint: Endpoint): string {
  if (endpoint.transport === 'unix') return `unix:${endpoint.path}`
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host
  return `${endpoint.transport}://${host}:${endpoint.port}`
}

/** A text that two endpoints share only if connections to them are interchangeable. */
export function endpointKey(endpoint: Endpoint): string {
  if (endpoint.transport === 'unix') return printEndpoint(endpoint)
  const address = printEndpoint({ ...endpoint, host: endpoint.host.toLowerCase() })
  return endpoint.transport === 'tls' && endpoint.servername !== undefined ? `${address}#${endpoint.servername.toLowerCase()}` : address
}

function parseText(text: string): Endpoint {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length)
    return { transport: 'unix', path: checkPath(path.startsWith('///') ? path.slice(2) : path) }
  }
  if (text.startsWith('tcp://')) return { transport: 'tcp', ...parseAddress(text.slice('tcp://'.length)) }
  if (text.startsWith('tls://')) return { transport: 'tls', ...parseAddress(text.slice('tls://'.length)) }
  if (!/^rediss?:/i.test(text)) throw bad(`must be ${FORMS}`)
  throw bad("takes no redis:// or rediss:// address: use 'tcp://host:port' or 'tls://host:port' with protocol: resp()")
}

function parseAddress(address: string): { readonly host: string; readonly port: number } {
  if (address.includes('@')) throw bad('takes no user or password in the address: give them as the option credentials')
  if (/[/?#]/.test(address)) throw bad('takes nothing after the port')
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^[\]]*?))(?::(\d+))?$/s.exec(address) ?? []
  if (bracketed === undefined && plain === undefined) throw bad('must end in host:port, the port in digits')
  if (bracketed !== undefined && !isIPv6(bracketed)) throw bad('must have an IPv6 address between its brackets')
  if (plain?.includes(':')) throw bad('must end in host:port, the port in digits; an IPv6 address goes in brackets, as in tcp://[::1]:6379')
  const host = checkHost(bracketed ?? plain, 'host')
  if (port === undefined) throw bad('must end in host:port; the port is missing')
  return { host, port: checkPort(Number(port)) }
}

function parseObject(input: object): Endpoint {
  const own = new Map<string, unknown>(Object.entries(input))
  const transport = own.get('transport')
  switch (transport) {
    case 'unix':
      refuseOthers(own, ['transport', 'path'])
      return { transport, path: checkPath(own.get('path')) }
    case 'tcp':
      refuseOthers(own, ['transport', 'host', 'port'])
      return { transport, host: checkHost(own.get('host'), 'host'), port: checkPort(own.get('port')) }
    case 'tls': {
      refuseOthers(own, ['transport', 'host', 'port', 'servername'])
      const address = { transport, host: checkHost(own.get('host'), 'host'), port: checkPort(own.get('port')) } as const
      const servername = own.get('servername')
      return servername === undefined ? address : { ...address, servername: checkHost(servername, 'servername') }
    }
    default:
      throw bad("must have a transport: 'tcp', 'tls' or 'unix'")
  }
}

function refuseOthers(own: Map<string, unknown>, known: readonly string[]): void {
  for (const key of own.keys()) {
    if (/^(user|username|pass|password|auth|credentials)$/i.test(key)) throw bad(`takes no ${key}: give it as the option credentials`)
    if (!known.includes(key)) throw bad(`has an unknown property ${JSON.stringify(key)}; known are ${known.join(', ')}`)
  }
}

function checkHost(host: unknown, what: string): string {
  if (typeof host !== 'string' || host === '') throw bad(`must have a ${what}: a name or an address`)
  if (/[\p{Cc}\s/?#@[\]\\]/u.test(host))
    throw bad(`must have a ${what} without white space, control characters, brackets or any of / ? # @ \\`)
  if (/[:%]/.test(host) && !isIPv6(host)) throw bad(`must have a ${what} that is a name or an address`)
  if (host.length > 253) throw bad(`must have a ${what} of at most 253 characters`)
  return host
}

function checkPort(port: unknown): number {
  if (typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65_535) return port
  throw bad('must have a port: a whole number from 1 to 65535')
}

function checkPath(path: unknown): string {
  if (typeof path !== 'string' || !path.startsWith('/') || path.startsWith('//'))
    throw bad('must have an absolute path, as in unix:/run/server.sock')
  if (path.includes('\0')) throw bad('must have a path without NUL')
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) throw bad(`must have a path of at most ${MAX_PATH_BYTES} bytes`)
  return path
}

function bad(problem: string): PoolError {
  return badOption('endpoint', problem)
}
