/** Where the load goes: the address on the command line. Its password is never printed. */
import type { Credentials, Endpoint } from '@cenote/pool-core'
import { parseTarget, printTarget } from '../main-job/target.ts'
import { UsageError } from '../process/command.ts'

/** A server, as the address names it. */
export interface Address {
  /** For people: without user and password. */
  readonly text: string
  /** What the pool takes. */
  readonly endpoint: string | Endpoint
  readonly transport: 'tcp' | 'tls' | 'unix'
  /** Whether the scheme says that it speaks RESP. */
  readonly redis: boolean
  readonly credentials: Credentials | undefined
  readonly database: number
}

const FORMS = 'tcp://host:port, tls://host:port, unix:/path or redis://[user:password@]host[:port][/database] (rediss:// with TLS)'

/**
 * Reads the address. What is wrong inside `tcp://`, `tls://` and `unix:` the pool will say.
 *
 * @throws UsageError that does not repeat the address, which may hold a password.
 */
export function parseAddress(text: string | undefined): Address {
  if (text === undefined) throw new UsageError(`which server? Give its address: ${FORMS}\nSee npm run bench -- load --help`)
  const scheme = /^([a-z][a-z0-9+.-]*):(?!\d+$)/i.exec(text)?.[1]?.toLowerCase()
  switch (scheme) {
    case 'tcp':
    case 'unix':
    case 'tls':
      return { text, endpoint: text, transport: scheme, redis: false, credentials: undefined, database: 0 }
    case 'redis':
    case 'rediss':
      return redisAddress(text, scheme)
    case undefined:
      throw new UsageError(`the address has no scheme; it is one of ${FORMS}`)
    default:
      throw new UsageError(`${scheme}: is not supported; the address is one of ${FORMS}`)
  }
}

function redisAddress(text: string, scheme: 'redis' | 'rediss'): Address {
  try {
    const target = parseTarget(text.replace(/^rediss:/i, 'redis:'))
    const { host, port, username, password, database } = target
    const transport = scheme === 'rediss' ? 'tls' : 'tcp'
    const signedIn = username !== undefined || password !== undefined
    return {
      text: `${scheme}://${printTarget(target)}${database === 0 ? '' : `/${database}`}`,
      endpoint: { transport, host, port },
      transport,
      redis: true,
      credentials: signedIn ? { username, password } : undefined,
      database,
    }
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}
