/** Taking an idle connection and giving it back, one pair after the other, nothing sent. */
import type { Contender } from './contender.ts'
import { measured } from './measured.ts'

export interface AcquireSetup {
  /** Of a server that takes connections. */
  readonly port: number
  readonly connections: number
}

/** Pairs between two looks at the clock, and between two turns of the event loop: whatever a pool has to do there, it gets to do. */
const BATCH = 2_000
const NANOSECONDS = 1e6

/** Rounds of `batch`, which makes so many pairs. */
export function pairs(batch: (pairs: number) => Promise<void> | void, close: () => Promise<void>): Contender {
  const work = async (roundMs: number): Promise<number> => {
    const end = performance.now() + roundMs
    let made = 0
    while (performance.now() < end) {
      await batch(BATCH)
      made += BATCH
      await new Promise((resolve) => setImmediate(resolve))
    }
    return made
  }
  return {
    async round(roundMs) {
      const { requests, elapsedMs, mainCpuMicrosecondsPerRequest, cpuMicrosecondsPerRequest } = await measured(() => work(roundMs), {
        loopDelay: false,
      })
      return {
        pairs: requests,
        nanosecondsPerPair: (elapsedMs / requests) * NANOSECONDS,
        mainCpuNanosecondsPerPair: mainCpuMicrosecondsPerRequest * 1_000,
        cpuNanosecondsPerPair: cpuMicrosecondsPerRequest * 1_000,
      }
    },
    close,
  }
}
