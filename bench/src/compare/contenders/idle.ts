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
      const failed = Promise.race(
        workers.map((worker) => once(worker, 'exit').then(() => Promise.reject(new Error('a thread that was to compute has ended')))),
      )
      try {
        await Promise.race([failed, Promise.all(workers.map((worker) => once(worker, 'online')))])
        const wait = new Promise<number>((resolve) => setTimeout(resolve, roundMs, 1))
        const figures = await measured(() => Promise.race([failed, wait]))
        return Object.fromEntries(Object.entries(figures).filter(([key]) => key.startsWith('loopDelay')))
      } finally {
        await Promise.all(workers.map((worker) => worker.terminate()))
      }
    },
    close: async () => undefined,
  }
}
