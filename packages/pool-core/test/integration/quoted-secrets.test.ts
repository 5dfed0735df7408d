/** Servers, and modules of the user's, that quote what they were given: callers are told, observers are not. */
import { handlersAt, type Pool, type PoolOptions, ReplyError, type RespReply, type RespRequest, resp } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { suite } from '../../../pool-worker/test/kit/kit.ts'
import type * as secretHandlers from '../fixtures/secret-handlers.ts'
import { listeningFor } from '../support/listening.ts'
import { closing } from '../support/peers.ts'
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

test.run()
