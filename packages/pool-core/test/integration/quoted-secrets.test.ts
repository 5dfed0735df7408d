/** Servers, and modules of the user's, that quote what they were given: callers are told, observers are not. */
import { handlersAt, type Pool, type PoolOptions, protocolAt, ReplyError, type RespReply, type RespRequest, resp } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { suite } from '../../../pool-worker/test/kit/kit.ts'
import type * as quotingClient from '../fixtures/quoting-client.ts'
import type * as quotingCodec from '../fixtures/quoting-codec.ts'
import type * as secretHandlers from '../fixtures/secret-handlers.ts'
import { listeningFor } from '../support/listening.ts'
import { closing, echo, startPeer } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'
import { assertSilent, CANARY, type Manners, observe, secret, startKeeper, textOf } from '../support/secrets.ts'

const test = suite('quoted secrets')
const open = closing(test)
const { calls, connects } = listeningFor(test)

const handlers = handlersAt<typeof secretHandlers>(new URL('../fixtures/secret-handlers.js', import.meta.url))

type SecretPool = Pool<RespRequest, RespReply, typeof secretHandlers>

interface Quotation {
  readonly what: string
  readonly manners?: Manners
  readonly options?: Partial<Omit<PoolOptions<RespRequest, RespReply>, 'handlers' | 'protocol'>>
  readonly work: (pool: SecretPool) => Promise<unknown>
  /** Whether its caller is told in full: the words are meant for him. */
  readonly told: boolean
}

const QUOTATIONS: readonly Quotation[] = [
  { what: 'a server that answers with an error', work: (pool) => pool.request(['GET', `error ${secret('request')}`]), told: true },
  {
    what: 'a server that refuses credentials and repeats them',
    manners: { login: (given) => `-WRONGPASS ${given} ${secret('password')}\r\n` },
    work: (pool) => pool.request(['GET', 'never']),
    told: true, // of the user name, which the reply error names
  },
  {
    what: 'a server that complains unasked',
    manners: { login: () => `+OK\r\n-ERR ${secret('complaint')}\r\n` },
    work: (pool) => pool.request(['GET', 'never']),
    told: true,
  },
  { what: 'a handler', work: (pool) => pool.handlers.tell(secret('input')), told: true },
  { what: 'an uncaught error of a shard', work: (pool) => pool.handlers.die(secret('input')), told: true },
  {
    what: "the credentials' function",
    options: { credentials: () => Promise.reject(new Error(secret('vault'))) },
    work: (pool) => pool.request(['GET', 'never']),
    told: true,
  },
  {
    what: "an abort's reason",
    work: (pool) => pool.request(['GET', 'hold'], { signal: AbortSignal.abort(new Error(secret('reason'))) }),
    told: true,
  },
]

for (const shards of [0, 1]) {
  for (const { what, manners, options, work, told } of QUOTATIONS) {
    if (shards === 0 && what.startsWith('an uncaught error')) continue // it would be one of this process
    test(`${shards === 0 ? 'on the calling thread' : 'in a thread'}: ${what} is not quoted to observers`, async () => {
      const channels = [calls('acquire'), calls('request'), calls('handler'), connects()]
      const { port } = await open(startKeeper(manners))
      const pool = await open(
        createPool({
          endpoint: `tcp://127.0.0.1:${port}`,
          protocol: resp(),
          credentials: { username: secret('user'), password: secret('password') },
          handlers,
          shards,
          maxConnections: 1,
          failFastAfter: 1,
          backoff: { initialMs: 1 },
          ...options,
        }),
      )
      const observers = observe(pool as unknown as Pool, channels) // whatever it is asked, they do not ask it
      const error = await work(pool).catch((thrown: unknown) => thrown)
      assert.is(textOf(error).includes(CANARY), told, textOf(error))
      assert.not.match(textOf(error), secret('password'))
      for (const seen of await observers.seen()) assertSilent(seen, 'an observer')
      observers.stop()
      assert.ok(error instanceof Error || ReplyError.is(error))
    })
  }
}

type Lines = Pool<string, string>

const failed = async (work: Promise<unknown>): Promise<unknown> => work.catch((thrown: unknown) => thrown)
const codec = (refuse?: string) =>
  protocolAt<typeof quotingCodec>(new URL('../fixtures/quoting-codec.js', import.meta.url), refuse === undefined ? undefined : { refuse })
const client = () => protocolAt<typeof quotingClient>(new URL('../fixtures/quoting-client.js', import.meta.url))

/** Words that come to a caller, and to others, below an error that says something else. */
const HANDED_ON: readonly {
  readonly what: string
  readonly protocol: () => ReturnType<typeof codec> | ReturnType<typeof client>
  /** Returns the errors of its callers: of one who is told, and of others, who are not. */
  readonly work: (pool: Lines) => Promise<{ readonly told: unknown; readonly others: readonly unknown[] }>
}[] = [
  {
    what: 'what a hook threw, to those who are refused after it,',
    protocol: () => codec(secret('greeting')),
    work: async (pool) => {
      await failed(pool.request('first'))
      return { told: await failed(pool.request('second')), others: [] }
    },
  },
  {
    what: 'a reply that cannot be read, on a connection with other requests,',
    protocol: () => codec(),
    work: async (pool) => {
      const [told, ...others] = await Promise.all(
        [`bad ${secret('reply')}`, 'one', 'two'].map((request) => failed(pool.request(request, { timeoutMs: 5_000 }))),
      )
      return { told, others }
    },
  },
  {
    what: 'what a holder destroys his connection for',
    protocol: () => codec(),
    work: async (pool) => {
      const lease = await pool.acquire()
      const owed = failed(lease.request('one'))
      lease.destroy(new Error(secret('holder')))
      return { told: await owed, others: [] }
    },
  },
  {
    what: 'what a client library breaks its socket with',
    protocol: client,
    work: async (pool) => ({ told: await failed(pool.request(secret('request'))), others: [] }),
  },
]

for (const shards of [0, 1]) {
  for (const { what, protocol, work } of HANDED_ON) {
    test(`${shards === 0 ? 'on the calling thread' : 'in a thread'}: ${what} is not quoted to observers`, async () => {
      const channels = [calls('acquire'), calls('request'), calls('handler'), connects()]
      const { port } = await open(startPeer(echo))
      const options = { shards, maxConnections: 1, failFastAfter: 1 } as const
      const pool = await open(createPool({ endpoint: `tcp://127.0.0.1:${port}`, protocol: protocol(), ...options }))
      const observers = observe(pool as unknown as Pool, channels)
      const { told, others } = await work(pool)
      for (const seen of await observers.seen()) assertSilent(seen, 'an observer')
      for (const other of others) assertSilent(other, "another's error")
      observers.stop()
      assert.match(textOf(told), CANARY)
    })
  }
}

test.run()
