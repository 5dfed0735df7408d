/** The limit of a loop delay: a main thread that does nothing. */
import { startContender } from './contender.ts'
import type { Context, Entrant } from './scenario.ts'

/** Starts one that does nothing beside so many threads that compute. */
export function idleBeside(context: Context, threads: number): Promise<Entrant> {
  const identity = { id: 'idle', name: `a main thread that does nothing, beside ${threads} busy ones` }
  return startContender(context, identity, 'idle', { thread: new URL('./busy-thread.js', context.entry).href, threads })
}
