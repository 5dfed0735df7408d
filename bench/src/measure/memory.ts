/** The most memory that this process has used. */
import { readFileSync } from 'node:fs'

/**
 * Peak resident bytes. From the kernel's figure for this program where there is one: `maxRSS` begins with that of the
 * process which forked this one.
 */
export function peakRssBytes(): number {
  try {
    const kibibytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]
    if (kibibytes !== undefined) return Number(kibibytes) * 1024
  } catch {} // not Linux
  return process.resourceUsage().maxRSS * 1024
}
