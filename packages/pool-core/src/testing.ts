/** `@cenote/pool-core/testing`: for tests of handlers, without a pool or a server. */
import type { ShardConnection } from '@cenote/pool-worker'

/** A connection that answers from a script, and remembers what it was asked. */
export interface FakeConnection<Req, Rep> extends ShardConnection<Req, Rep> {
  /** Requests so far, in order. */
  readonly requests: readonly Req[]
  /** What `keepAlive` was given last, if anything. */
  readonly keepAliveMs: number | undefined
}

/**
 * A connection for calling a handler as a plain function.
 *
 * @param replies - One for each request, in order, or what answers a request. An `Error` rejects. With none left, `request` rejects.
 *
 * @example
 * import { fakeConnection } from '@cenote/pool-core/testing'
 *
 * const connection = fakeConnection<readonly string[], string>(['value'])
 * console.log(await connection.request(['GET', 'key'])) // value
 * console.log(connection.requests.length) // 1
 */
export function fakeConnection<Req = unknown, Rep = unknown>(
  replies: Iterable<Rep | Error> | ((request: Req) => Rep | Error | Promise<Rep>),
): FakeConnection<Req, Rep> {
  const requests: Req[] = []
  let keepAliveMs: number | undefined
  const script = typeof replies === 'function' ? undefined : replies[Symbol.iterator]()
  return {
    requests,
    get keepAliveMs() {
      return keepAliveMs
    },
    keepAlive(ms) {
      keepAliveMs = ms
    },
    async request(request) {
      requests.push(request)
      const reply = typeof replies === 'function' ? await replies(request) : script?.next()
      const value = typeof replies === 'function' ? (reply as Rep | Error) : next(reply as IteratorResult<Rep | Error>)
      if (value instanceof Error) throw value
      return value
    },
  }
}

function next<T>(result: IteratorResult<T>): T {
  if (result.done === true) throw new Error('fakeConnection: it was asked more often than it has replies')
  return result.value
}
