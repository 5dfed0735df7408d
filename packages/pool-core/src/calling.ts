/** What a request, a handler's call and `close()` of the public face become: arguments are checked, and somebody else does it. */
import { PoolError } from '@cenote/pool-worker'
import { checkCallOptions, type HandlerOptions, type RequestOptions } from './call-options.ts'
import type { Coordinator } from './coordinator.ts'
import type { Language } from './language.ts'
import type { Shards } from './shards.ts'

const CLOSE_MS = 10_000

/** What the shards may take, at least, to close their sockets after the work has ended. */
const STOP_MS = 2_000

/** On a shared connection or one of its own, as the protocol says. */
export function sendRequest(
  coordinator: Coordinator,
  language: Language,
  request: unknown,
  given: RequestOptions | undefined,
): Promise<unknown> {
  try {
    const options = checkCallOptions(given, 'request')
    const scope = language.scope(request)
    if (scope === 'shared') return coordinator.request(request, options)
    if (scope === 'exclusive') return coordinator.leasing.alone(request, options)
    const message = 'this request changes its connection: send it over a lease, with pool.use()'
    return Promise.reject(new PoolError('BAD_REQUEST', message, { phase: 'send', outcome: 'not-sent' }))
  } catch (error) {
    return Promise.reject(error)
  }
}

export function callHandler(coordinator: Coordinator, name: string, input: unknown, given: HandlerOptions | undefined): Promise<unknown> {
  try {
    return coordinator.handling.handle(name, input, checkCallOptions(given, 'handler'))
  } catch (error) {
    return Promise.reject(error)
  }
}

/** First the work ends, or its time; then the shards. */
export async function closePool(coordinator: Coordinator, shards: Shards, timeoutMs: number = CLOSE_MS): Promise<void> {
  const left = await coordinator.drain(timeoutMs)
  coordinator.end()
  await shards.stop(Math.max(STOP_MS, Math.min(CLOSE_MS, left)))
  coordinator.gone()
}
