/** Where the documents are, and how they are addressed. */

/** A RESP server. */
export interface Target {
  readonly host: string
  readonly port: number
  readonly username?: string
  readonly password?: string
  readonly database: number
}

/**
 * Reads `redis://[user:password@]host[:port][/database]`.
 *
 * @throws Error that says what is wrong, without the password.
 */
export function parseTarget(text: string): Target {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) throw new Error('not an address: expected redis://host:port')
  if (url.protocol !== 'redis:') throw new Error(`${url.protocol}// is not supported: expected redis://host:port`)
  if (url.hostname === '') throw new Error('the address has no host: expected redis://host:port')
  const database = url.pathname.replace(/^\//, '')
  if (!/^\d*$/.test(database)) throw new Error(`the database must be a number, not ${JSON.stringify(database)}`)
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 6379 : Number(url.port),
    ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    database: Number(database),
  }
}

/** Host and port, for people. */
export function printTarget({ host, port }: Target): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
