import { createServer } from 'node:net'
import {
  handlersAt,
  type Pool,
  PoolError,
  type PoolErrorCode,
  type PoolOptions,
  type RespReply,
  type RespRequest,
  resp,
} from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { makeCertificates } from '../../../pool-worker/test/kit/certificates.ts'
import { skipUnless, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { freePort } from '../../../pool-worker/test/kit/servers.ts'
import type * as secretHandlers from '../fixtures/secret-handlers.ts'
import { listeningFor } from '../support/listening.ts'
import { closing, listen } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'
import { assertSilent, observe, secret, startKeeper } from '../support/secrets.ts'
import { errorCodes } from '../support/surface.ts'

skipUnless('openssl')

const test = suite('secrets')
const open = closing(test)
const { calls, connects } = listeningFor(test)

const handlers = handlersAt<typeof secretHandlers>(new URL('../fixtures/secret-handlers.js', import.meta.url))

type SecretPool = Pool<RespRequest, RespReply, typeof secretHandlers>
type Options = Partial<Omit<PoolOptions<RespRequest, RespReply>, 'handlers' | 'protocol'>>

const certificates = makeCertificates()
/** Of the middle of the key, where no two keys are alike. */
const keyPart = certificates.good.key.slice(120, 160).replaceAll('\n', '').slice(0, 20)
assert.is(keyPart.length, 20)

const warnings: Error[] = []
process.on('warning', (warning) => warnings.push(warning))

async function openPool(options: Options = {}, endpoint?: string): Promise<SecretPool> {
  const { port } = endpoint === undefined ? await open(startKeeper()) : { port: 0 }
  return open(
    createPool({
      endpoint: endpoint ?? `tcp://127.0.0.1:${port}`,
      protocol: resp({ username: secret('user'), password: secret('options') }),
      credentials: { username: secret('user'), password: secret('password') },
      handlers,
      shards: 1,
      maxConnections: 1,
      backoff: { initialMs: 1 },
      ...options,
    }),
  )
}

/** What it is rejected, or left, with. */
async function errorOf(work: () => unknown): Promise<unknown> {
  try {
    await work()
  } catch (error) {
    return error
  }
  return undefined
}

interface Cause {
  readonly code: PoolErrorCode
  readonly options?: Options
  /** Where it connects to; default: a server that works. */
  readonly endpoint?: () => Promise<string>
  readonly work: (pool: SecretPool) => unknown
}

const get = (what: string): RespRequest => ['GET', `${what} ${secret('request')}`]

const CAUSES: readonly Cause[] = [
  { code: 'BAD_REQUEST', work: (pool) => pool.request(['AUTH', secret('request')]) },
  { code: 'BAD_REQUEST', work: (pool) => pool.request(['SET', secret('request'), Symbol(secret('symbol')) as unknown as string]) },
  { code: 'BAD_REQUEST', work: (pool) => pool.request({ [secret('key')]: secret('request') } as unknown as RespRequest) },
  { code: 'BAD_OPTION', work: (pool) => pool.request(get('plain'), { secret: secret('option') } as object) },
  { code: 'BAD_OPTION', work: (pool) => pool.request(get('plain'), { signal: secret('signal') as unknown as AbortSignal }) },
  { code: 'ACQUIRE_TIMEOUT', work: (pool) => pool.use(() => pool.acquire({ timeoutMs: 5 })) },
  {
    code: 'QUEUE_FULL',
    options: { maxPending: 1 },
    work: (pool) =>
      pool.use(async () => {
        const waiting = pool.acquire({ timeoutMs: 5 })
        const full = await errorOf(() => pool.request(get('plain')))
        await errorOf(() => waiting)
        throw full
      }),
  },
  {
    code: 'POOL_CLOSED',
    work: async (pool) => {
      await pool.close()
      await pool.request(get('plain'))
    },
  },
  {
    code: 'CONNECT_FAILED',
    options: { failFastAfter: 1 },
    endpoint: async () => `tcp://127.0.0.1:${await freePort()}`,
    work: (pool) => pool.request(get('plain')),
  },
  {
    code: 'UNAVAILABLE',
    options: { failFastAfter: 1, backoff: { initialMs: 10_000, maxMs: 10_000 } },
    endpoint: async () => `tcp://127.0.0.1:${await freePort()}`,
    work: async (pool) => {
      await errorOf(() => pool.request(get('plain')))
      await pool.request(get('plain'))
    },
  },
  {
    code: 'CONNECT_TIMEOUT',
    options: { failFastAfter: 1, connectTimeoutMs: 20 },
    endpoint: async () => {
      const mute = createServer((socket) => void socket.on('error', () => undefined).resume())
      await open({ close: async () => void mute.close() })
      return `tcp://127.0.0.1:${await listen(mute)}`
    },
    work: (pool) => pool.request(get('plain')),
  },
  {
    code: 'TLS_REJECTED',
    options: {
      failFastAfter: 1,
      tls: { cert: certificates.good.cert, key: certificates.good.key, passphrase: secret('passphrase') },
    },
    endpoint: async () => {
      const { cert, key } = certificates.unknownAuthority
      const { port } = await open(startKeeper({ tls: { cert, key } }))
      return `tls://localhost:${port}`
    },
    work: (pool) => pool.request(get('plain')),
  },
  {
    code: 'AUTH_FAILED',
    options: { failFastAfter: 1 },
    endpoint: async () => {
      const { port } = await open(startKeeper({ login: () => '-WRONGPASS invalid username-password pair\r\n' }))
      return `tcp://127.0.0.1:${port}`
    },
    work: (pool) => pool.request(get('plain')),
  },
  {
    code: 'HOOK_FAILED',
    options: { failFastAfter: 1, credentials: () => Promise.reject(new Error('the vault is shut')) },
    work: (pool) => pool.request(get('plain')),
  },
  { code: 'REQUEST_TIMEOUT', work: (pool) => pool.request(get('hold'), { timeoutMs: 10 }) },
  { code: 'CONNECTION_LOST', work: (pool) => pool.request(get('bye')) },
  { code: 'PROTOCOL_ERROR', work: (pool) => pool.request(get('garbage')) },
  {
    code: 'DESYNC',
    options: { failFastAfter: 1 },
    endpoint: async () => {
      const { port } = await open(startKeeper({ login: () => '+OK\r\n-ERR go away\r\n' }))
      return `tcp://127.0.0.1:${port}`
    },
    work: (pool) => pool.request(get('plain')),
  },
  { code: 'REPLY_TOO_LARGE', options: { maxReplyBytes: 1_024 }, work: (pool) => pool.request(get('much')) },
  {
    code: 'RESOURCE_EXHAUSTED',
    options: { maxBufferedBytes: 1_024 },
    work: (pool) => pool.request(['GET', secret('request').repeat(1_000)]),
  },
  {
    code: 'LEASE_RELEASED',
    work: async (pool) => {
      const lease = await pool.acquire()
      lease.release()
      await lease.request(get('plain'))
    },
  },
  {
    code: 'LEASE_EXPIRED',
    options: { maxLeaseMs: 20 },
    work: (pool) =>
      pool.use(async (lease) => {
        await until(() => lease.signal.aborted, 'it has expired')
        await lease.request(get('plain'))
      }),
  },
  {
    code: 'NESTED_ACQUIRE',
    options: { detectNestedAcquire: true },
    work: (pool) => pool.use(() => pool.request(get('plain'))),
  },
  { code: 'HANDLER_FAILED', work: (pool) => pool.handlers.fail(secret('input')) },
  { code: 'NOT_CLONEABLE', work: (pool) => pool.handlers.keep(Symbol(secret('input'))) },
  { code: 'NOT_CLONEABLE', work: (pool) => pool.handlers.uncloneable(secret('input')) },
  { code: 'SHARD_LOST', work: (pool) => pool.handlers.exit(secret('input')) },
]

/** Of pools that are never made. */
const REFUSED: readonly (readonly [PoolErrorCode, object])[] = [
  ['BAD_OPTION', { endpoint: `tcp://user:${secret('endpoint')}@127.0.0.1:1` }],
  ['BAD_OPTION', { endpoint: { transport: 'tcp', host: '127.0.0.1', port: 1, password: secret('endpoint') } }],
  ['BAD_OPTION', { endpoint: `redis://:${secret('endpoint')}@127.0.0.1:1` }],
  ['BAD_OPTION', { endpoint: secret('endpoint') }],
  ['BAD_OPTION', { endpoint: 'tcp://127.0.0.1:1', password: secret('option') }],
  ['BAD_OPTION', { endpoint: 'tcp://127.0.0.1:1', credentials: { password: [secret('password')] } }],
  ['BAD_OPTION', { endpoint: 'tcp://127.0.0.1:1', credentials: secret('password') }],
  ['BAD_OPTION', { endpoint: 'tcp://127.0.0.1:1', tls: { key: { pem: secret('key') } } }],
  ['BAD_OPTION', { endpoint: 'tcp://127.0.0.1:1', tls: { passphrase: secret('passphrase') } }],
  [
    'BAD_OPTION',
    { endpoint: 'tcp://127.0.0.1:1', protocol: { reference: { builtin: 'resp', options: { password: () => secret('options') } } } },
  ],
  ['NO_SHARD', { endpoint: 'tcp://127.0.0.1:1', protocol: { reference: { builtin: 'none', options: { password: secret('options') } } } }],
]

test('each code is caused by one of these', () => {
  const caused = new Set<string>([...CAUSES.map(({ code }) => code), ...REFUSED.map(([code]) => code)])
  assert.equal([...caused].sort(), errorCodes().sort())
})

for (const [index, { code, options, endpoint, work }] of CAUSES.entries()) {
  test(`${code} tells no secret, neither to its caller nor to any observer (${index})`, async () => {
    const channels = [calls('acquire'), calls('request'), calls('handler'), connects()]
    const pool = await openPool(options, await endpoint?.())
    const observers = observe(pool as unknown as Pool, channels) // whatever it is asked, they do not ask it
    const error = await errorOf(() => work(pool))
    assert.is(PoolError.is(error) ? error.code : error, code)
    assertSilent(error, `the caller's ${code}`, [keyPart])
    for (const seen of await observers.seen()) assertSilent(seen, `an observer of ${code}`, [keyPart])
    observers.stop()
    assertSilent(warnings, 'a warning', [keyPart])
  })
}

for (const [index, [code, options]] of REFUSED.entries()) {
  test(`${code} tells no secret that is among the options (${index})`, async () => {
    const error = await errorOf(async () => createPool(options as PoolOptions))
    assert.is(PoolError.is(error) ? error.code : error, code)
    assertSilent(error, `the caller's ${code}`)
  })
}

test.run()
