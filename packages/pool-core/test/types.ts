/** What the types promise: compiled, never run. Each line below `@ts-expect-error` must be refused. */
import {
  createPool,
  fixed,
  handlersAt,
  type Lease,
  lengthPrefixed,
  line,
  type Pool,
  protocolAt,
  type RespReply,
  raw,
  resp,
  transfer,
} from '@cenote/pool-core'
import { type ContextOf, defineProtocol, lineCodec } from '@cenote/pool-core/shard'
import { fakeConnection } from '@cenote/pool-core/testing'
import type * as foreignHandlers from './fixtures/foreign-handlers.ts'
import type * as redisHandlers from './fixtures/redis-handlers.ts'
import type { RpcClient } from './fixtures/rpc-client.ts'
import type * as rpcHandlers from './fixtures/rpc-handlers.ts'
import type * as rpcProtocol from './fixtures/rpc-protocol.ts'
import * as sessionHandlers from './fixtures/session-handlers.ts'
import type * as sessionProtocol from './fixtures/session-protocol.ts'

/** Compiles only when both types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function same<A, B>(_same: Same<A, B>): void {}

const url = new URL('file:///module.js')
const endpoint = 'tcp://127.0.0.1:1'

export async function requests(): Promise<void> {
  const redis = await createPool({ endpoint, protocol: resp() })
  same<typeof redis, Pool<readonly [string | Uint8Array, ...(string | number | bigint | Uint8Array)[]], RespReply>>(true as never)
  const reply: RespReply = await redis.request(['SET', 'key', 1], { timeoutMs: 100, idempotent: true })
  // @ts-expect-error: a request is an array
  await redis.request('PING')
  // @ts-expect-error: an argument is a text, a number or bytes
  await redis.request(['SET', 'key', { value: 1 }])
  // @ts-expect-error: unknown option
  await redis.request(['PING'], { timeout: 100 })
  // @ts-expect-error: a pool without handlers has none
  redis.handlers.get
  // @ts-expect-error: a reply is not always a text
  const text: string = await redis.request(['PING'])

  const lines = await createPool({ endpoint, protocol: line() })
  same<Awaited<ReturnType<typeof lines.request>>, string>(true)
  // @ts-expect-error: a request is a text
  await lines.request(1)
  const frames = await createPool({ endpoint, protocol: lengthPrefixed() })
  same<Awaited<ReturnType<typeof frames.request>>, Buffer>(true)
  await createPool({ endpoint, protocol: fixed({ bytes: 4 }) })
  await lines.use(async (lease) => {
    same<typeof lease, Lease<string, string>>(true)
    same<Awaited<ReturnType<typeof lease.request>>, string>(true)
    // @ts-expect-error: as above
    await lease.request(['PING'])
    lease.onPush((push) => same<typeof push, string>(true))
  })
  same<Awaited<ReturnType<typeof lines.acquire>>, Lease<string, string>>(true)
  same<ReturnType<typeof lines.tryAcquire>, Lease<string, string> | undefined>(true)
  same<Awaited<ReturnType<typeof used>>, number>(true)
  const used = () => lines.use(() => 1)
  void [reply, text]
}

export async function bytes(): Promise<void> {
  for (const pool of [await createPool({ endpoint }), await createPool({ endpoint, protocol: raw() })]) {
    // @ts-expect-error: raw() has no requests
    await pool.request('bytes')
    // @ts-expect-error: nor has a lease of it
    await pool.use((lease) => lease.request(Buffer.alloc(1)))
    await pool.use((lease) => void lease.stream().end('bytes'))
  }
}

export async function handlers(): Promise<void> {
  const protocol = protocolAt<typeof sessionProtocol>(url, { greeting: 'hello' })
  // @ts-expect-error: not an option of this protocol
  protocolAt<typeof sessionProtocol>(url, { greting: 'hello' })
  const pool = await createPool({ endpoint, protocol, handlers: handlersAt<typeof sessionHandlers>(url) })
  const result: { total: number } = await pool.handlers.sum([1, 2], {
    timeoutMs: 10,
    signal: AbortSignal.timeout(1),
    onProgress: () => undefined,
  })
  same<Awaited<ReturnType<typeof pool.handlers.echo>>, string>(true)
  same<Awaited<ReturnType<typeof pool.handlers.giveAway>>, ArrayBuffer>(true)
  same<Awaited<ReturnType<typeof pool.handlers.read>>, string>(true)
  await pool.handlers.read()
  await pool.handlers.left()
  await pool.handlers.read(undefined, { timeoutMs: 10 })
  // @ts-expect-error: no such handler
  await pool.handlers.summ([1, 2])
  // @ts-expect-error: wrong input
  await pool.handlers.sum('1, 2')
  // @ts-expect-error: wrong member of the input
  await pool.handlers.failing('somehow')
  // @ts-expect-error: no input
  await pool.handlers.sum()
  // @ts-expect-error: no function, no handler
  pool.handlers.version
  // @ts-expect-error: unknown option
  await pool.handlers.sum([1], { idempotent: true })
  // @ts-expect-error: the result is no text
  const text: string = await pool.handlers.sum([1])
  await pool.request('a line')
  // @ts-expect-error: requests of the module's protocol are texts
  await pool.request(['GET', 'key'])

  // @ts-expect-error: handlers for resp() in a pool of lines
  await createPool({ endpoint, protocol, handlers: handlersAt<typeof foreignHandlers>(url) })
  // @ts-expect-error: handlers for resp() in a pool without a protocol
  await createPool({ endpoint, handlers: handlersAt<typeof redisHandlers>(url) })
  // @ts-expect-error: handlers that need a client in a pool without one
  await createPool({ endpoint, protocol: resp(), handlers: handlersAt<typeof rpcHandlers>(url) })
  const redis = await createPool({ endpoint, protocol: resp(), handlers: handlersAt<typeof foreignHandlers>(url) })
  same<Awaited<ReturnType<typeof redis.handlers.get>>, string>(true)
  void [result, text]
}

export async function clients(): Promise<void> {
  const protocol = protocolAt<typeof rpcProtocol>(url)
  const pool = await createPool({ endpoint, protocol, handlers: handlersAt<typeof rpcHandlers>(url) })
  same<Awaited<ReturnType<typeof pool.request>>, unknown>(true)
  await pool.request({ method: 'echo', params: new Map() })
  // @ts-expect-error: no method
  await pool.request({ params: 1 })
  // @ts-expect-error: a number is wanted
  await pool.handlers.both('2')
  const context = {} as ContextOf<typeof rpcProtocol.default> // for its type alone
  same<typeof context.client, RpcClient>(true)
  // @ts-expect-error: the client's own methods
  context.client.nothing()
  // @ts-expect-error: handlers of a codec protocol want another connection
  await createPool({ endpoint, protocol, handlers: handlersAt<typeof sessionHandlers>(url) })
}

export const protocols: readonly unknown[] = [
  defineProtocol<string, string>({ name: 'greeting', codec: lineCodec(), scope: (request) => (request === 'x' ? 'lease' : 'shared') }),
  // @ts-expect-error: a codec for texts in a protocol of numbers
  defineProtocol<number, string>({ name: 'numbers', codec: lineCodec() }),
  // @ts-expect-error: no such scope
  defineProtocol<string, string>({ name: 'scopes', codec: lineCodec(), scope: () => 'nobody' }),
  // @ts-expect-error: a client protocol must execute
  defineProtocol<string, string, object>({ name: 'half', connect: () => ({}) }),
]

export async function plain(): Promise<void> {
  const connection = fakeConnection<string, string>(['1', '2'])
  const context: ContextOf<typeof sessionProtocol.default> = {
    connection,
    client: undefined,
    signal: new AbortController().signal,
    progress: () => undefined,
    options: undefined,
  }
  same<Awaited<ReturnType<typeof sessionHandlers.sum>>, { total: number; threadId: number }>(true)
  await sessionHandlers.sum([1, 2], context)
  // @ts-expect-error: replies of this protocol are texts
  fakeConnection<string, string>([1])
  transfer(new Float64Array(1), [new ArrayBuffer(1)])
  // @ts-expect-error: a text cannot be given away
  transfer('text', [])
}
