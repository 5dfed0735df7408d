/** RESP, the protocol of Redis, Valkey and their kin. */
import type { RangeCodec } from '../codec.ts'
import { builtin, defineProtocol, type HookConnection, type Protocol, type ProtocolDefinition } from '../define.ts'
import { PoolError, ReplyError } from '../errors.ts'
import { anyBoolean, anyString, checkOptions, oneOf, wholeNumber } from './options.ts'
import { decodeReply, type RespReply } from './resp-decoder.ts'
import { encodeRequest, type RespRequest } from './resp-encoder.ts'
import { RespFramer } from './resp-framer.ts'
import { scopeOf } from './resp-scope.ts'

export type { RespMap, RespReply } from './resp-decoder.ts'
export type { RespRequest } from './resp-encoder.ts'

/** Options of `resp()`. */
export interface RespOptions {
  /** Default: the server's default user. The pool's `credentials` go before this and `password`. */
  readonly username?: string | undefined
  /** Default: no authentication. */
  readonly password?: string | undefined
  /** The database that each connection selects. Default 0. */
  readonly database?: number | undefined
  /** Whether bulk strings come as Buffers: exact for any bytes, while strings replace what is not UTF-8. Default false. */
  readonly buffers?: boolean | undefined
  /** RESP version: 3 needs a server from 6.0 up. Default 2. */
  readonly version?: 2 | 3 | undefined
}

type RespConnection = HookConnection<RespRequest, RespReply, RespOptions | undefined>

const RULES = { username: anyString, password: anyString, database: wholeNumber(0), buffers: anyBoolean, version: oneOf(2, 3) }

/**
 * Requests are arrays, `['GET', 'key']`; replies are what `RespReply` says. Up to 64 requests share one connection at
 * a time; blocking ones (`BLPOP`, `XREAD` with `BLOCK`) get one for themselves, and those that change the connection
 * (`SELECT`, `MULTI`, `WATCH`, `SUBSCRIBE`) belong into `pool.use` or `pool.acquire`. A connection that they changed is
 * cleaned by RESET, or destroyed where the server does not know it (before 6.2). Subscriptions need a lease and version 3,
 * one channel each: the messages come to `lease.onPush`. MONITOR, SYNC and PSYNC, which answer without end, are refused.
 *
 * An error of the server rejects with `ReplyError`, whose `code` is its first word; the connection stays good.
 *
 * @throws PoolError `BAD_OPTION`: an unknown option, or one of the wrong kind.
 *
 * @example
 * import { createPool, resp } from '@cenote/pool-core'
 *
 * await using pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp({ database: 1 }) })
 * await pool.request(['SET', 'key', 'value', 'PX', 60_000])
 * console.log(await pool.request(['GET', 'key'])) // value
 */
export function resp(options?: RespOptions): Protocol<RespRequest, RespReply> {
  checkOptions('resp', options, RULES)
  return builtin('resp', options)
}

/**
 * The codec alone, for a protocol of one's own. `buffers`: whether bulk strings come as Buffers, default false.
 *
 * @example
 * import { defineProtocol, type RespReply, type RespRequest, respCodec } from '@cenote/pool-core/shard'
 *
 * export default defineProtocol<RespRequest, RespReply>({ name: 'kin', pipelining: 64, codec: respCodec({ buffers: true }) })
 */
export function respCodec(options?: Pick<RespOptions, 'buffers'>): RangeCodec<RespRequest, RespReply> {
  const buffers = options?.buffers === true
  return {
    encode: encodeRequest,
    createFramer: () => new RespFramer(),
    decode: (frame) => decodeReply(frame, 0, frame.length, buffers, true),
    decodeRange: (bytes, start, end) => decodeReply(bytes, start, end, buffers),
  }
}

/** What `resp()` refers to. */
export const respProtocol: ProtocolDefinition<RespRequest, RespReply, undefined, RespOptions | undefined> = defineProtocol<
  RespRequest,
  RespReply,
  RespOptions | undefined
>({
  name: 'resp',
  pipelining: 64,
  codec: respCodec,
  scope: scopeOf,
  onConnect: handShake,
  async probe(connection) {
    try {
      await connection.request(['PING'])
    } catch (error) {
      // A user without the right to PING has had an answer all the same.
      if (!ReplyError.is(error) || error.code !== 'NOPERM') throw error
    }
  },
  async reset(connection) {
    await connection.request(['RESET'])
    await handShake(connection)
  },
  push: (value) => (isConfirmation(value) ? 'reply' : 'deliver'),
})

const CONFIRMATIONS: ReadonlySet<unknown> = new Set([
  ...['subscribe', 'psubscribe', 'ssubscribe', 'unsubscribe', 'punsubscribe', 'sunsubscribe'],
])

/** RESP3 confirms a subscription by a push, in the place of the reply. */
function isConfirmation(value: RespReply): boolean {
  return Array.isArray(value) && CONFIRMATIONS.has(Buffer.isBuffer(value[0]) ? value[0].toString() : value[0])
}

async function handShake(connection: RespConnection): Promise<void> {
  const { version = 2, database = 0 } = connection.options ?? {}
  const login = loginOf(connection)
  if (version === 3) {
    const auth = login === undefined ? [] : ['AUTH', login.username ?? 'default', login.password]
    await step(connection, ['HELLO', '3', ...auth], login?.password)
  } else if (login !== undefined) {
    await step(
      connection,
      login.username === undefined ? ['AUTH', login.password] : ['AUTH', login.username, login.password],
      login.password,
    )
  }
  if (database !== 0) await step(connection, ['SELECT', database], login?.password)
}

/** Fresh credentials, else those of the options: never half of each. */
function loginOf({ credentials, options }: RespConnection): { username: string | undefined; password: string } | undefined {
  for (const source of [credentials, options]) {
    if (source?.username !== undefined || source?.password !== undefined)
      return { username: source.username, password: source.password ?? '' }
  }
  return undefined
}

async function step(connection: RespConnection, request: RespRequest, password: string | undefined): Promise<void> {
  try {
    await connection.request(request)
  } catch (error) {
    if (!ReplyError.is(error)) throw error
    const cause = withoutSecrets(error, password)
    if (!isRefusal(cause)) throw cause
    throw new PoolError('AUTH_FAILED', `the server refuses the credentials: ${cause.code}`, {
      phase: 'connect',
      outcome: 'not-sent',
      cause,
    })
  }
}

/** ERR says anything, "max number of clients reached" too, so it must name what it is about. */
function isRefusal({ code, message }: ReplyError): boolean {
  if (code === 'ERR') return /auth|password|username/i.test(message)
  return code === 'WRONGPASS' || code === 'NOAUTH' || code === 'NOPERM'
}

/** Servers repeat the arguments of a command that they do not know, cut at some length: HELLO's hold the password. */
function withoutSecrets(error: ReplyError, password: string | undefined): ReplyError {
  const repeated = error.message.search(/,? with args beginning with/)
  let message = repeated < 0 ? error.message : error.message.slice(0, repeated)
  if (password !== undefined && password !== '') message = message.replaceAll(password, '***')
  return new ReplyError(error.code, message)
}
