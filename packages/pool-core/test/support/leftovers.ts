/** What of this process has to be back where it was when a test is over: descriptors, threads, timers, and whatever else lives in its loop. */
import { promisify } from 'node:util'
import type { Worker } from 'node:worker_threads'
import { descriptors } from './descriptors.ts'

/** How many there are of each kind. */
export type Resources = ReadonlyMap<string, number>

let threads = 0
process.on('worker', (worker: Worker) => {
  threads++
  worker.once('exit', () => threads--)
})

/** Timers that have neither fired nor been cleared, those that keep no process alive among them: nothing else tells of these. */
const timers = new Set<NodeJS.Timeout>()

function watchTimers(): void {
  const { setTimeout: start, clearTimeout: stop } = globalThis
  const watched = (action: (...values: unknown[]) => void, ms?: number, ...values: unknown[]): NodeJS.Timeout => {
    const timer = start(() => {
      timers.delete(timer)
      action(...values)
    }, ms)
    timers.add(timer)
    return timer
  }
  Object.defineProperty(watched, promisify.custom, { value: Reflect.get(start, promisify.custom) })
  globalThis.setTimeout = watched as typeof setTimeout // the same, but for the overloads
  globalThis.clearTimeout = (timer) => {
    if (typeof timer === 'object') timers.delete(timer)
    stop(timer)
  }
}
watchTimers()

/** What there is now. Of the descriptors those that a pool may hold: sockets, pipes, and the event loops of threads. */
export function resources(): Resources {
  const kinds = [
    ...descriptors().flatMap((target) => /^(?:socket|pipe):|\[eventpoll\]$/.exec(target)?.[0].replace(':', '') ?? []),
    ...process.getActiveResourcesInfo().filter((kind) => kind !== 'Timeout' && kind !== 'Immediate'), // all timers are counted above
  ]
  const counts = new Map([
    ['thread', threads],
    ['timer', timers.size],
  ])
  for (const kind of kinds) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return counts
}

/** Of which there are more than there were, and how many. */
export function leftovers(before: Resources): string[] {
  return [...resources()].flatMap(([kind, count]) => {
    const more = count - (before.get(kind) ?? 0)
    return more > 0 ? [`${kind}: ${more}`] : []
  })
}
