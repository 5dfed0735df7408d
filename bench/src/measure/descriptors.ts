/** How many files and sockets a process may have open. */
import { readFileSync } from 'node:fs'

/** The limit of this user (Node raises its own to that); Infinity where the system does not tell. */
export function descriptorLimit(): number {
  try {
    const hard = /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1]
    return hard === undefined ? Infinity : Number(hard)
  } catch {
    return Infinity // not Linux
  }
}
