/** Processor time of the main thread. */
import { readFileSync } from 'node:fs'

const SCHEDSTAT = `/proc/self/task/${process.pid}/schedstat` // the main thread's id is the process's
const NANOSECONDS = 1e6

/** Whether `mainThreadCpuMs` is the main thread's alone. Elsewhere than on Linux it is the whole process's. */
export const mainThreadOnly: boolean = readSchedstat() !== undefined

/** Milliseconds that the main thread, or where that is not known the process, has spent on a processor. */
export function mainThreadCpuMs(): number {
  const own = mainThreadOnly ? readSchedstat() : undefined
  return own ?? processCpuMs()
}

/** Milliseconds that all threads of the process have spent on processors. */
export function processCpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

function readSchedstat(): number | undefined {
  try {
    return Number(readFileSync(SCHEDSTAT, 'latin1').split(' ')[0]) / NANOSECONDS
  } catch {
    return undefined // not Linux, or a kernel without scheduler statistics: `mainThreadOnly` says so
  }
}
