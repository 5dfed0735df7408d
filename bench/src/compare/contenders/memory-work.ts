/** How much more memory there is when all connections are open. */
import type { Contender } from './contender.ts'

/** What both ways are told. */
export interface MemorySetup {
  readonly port: number
  readonly connections: number
}

const KIB = 1_024

/**
 * A contender of one round, which begins with one connection.
 *
 * @param memory - Bytes in use, of all threads, after a garbage collection.
 */
export function memoryOf(
  memory: () => Promise<number>,
  openAll: () => Promise<void>,
  { connections }: MemorySetup,
  close: () => Promise<void>,
): Contender {
  return {
    async round() {
      const [before, rssBefore] = [await memory(), process.memoryUsage.rss()]
      const begun = performance.now()
      await openAll()
      const openMs = performance.now() - begun
      const each = (bytes: number) => bytes / KIB / (connections - 1)
      return { kibPerConnection: each((await memory()) - before), rssKibPerConnection: each(process.memoryUsage.rss() - rssBefore), openMs }
    },
    close,
  }
}
