/** A main thread that does nothing beside threads that compute: its loop delay is what the system alone makes of it. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Contender } from './contender.ts'
import { measured } from './measured.ts'

/** @param setup.thread - Entry of a thread that computes. */
export async function open({ thread, threads }: { readonly thread: string; readonly threads: number }): Promise<Contender> {
  await measured(async () => 1) // what an idle loop's delay is, is measured the first time: before anybody computes
  return {
    async round(roundMs) {
      const workers = Array.from({ length: threads }, () => new Worker(new URL(thread)))
      await Promise.all(workers.map((worker) => once(worker, 'online')))
      const wait = () => new Promise<number>((resolve) => setTimeout(resolve, roundMs, 1))
      const { loopDelayP99Ms } = await measured(wait)
      await Promise.all(workers.map((worker) => worker.terminate()))
      return loopDelayP99Ms === undefined ? {} : { loopDelayP99Ms }
    },
    close: async () => undefined,
  }
}
