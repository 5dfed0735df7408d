/** File descriptors of this process, its threads included. */
import { readdirSync, readlinkSync } from 'node:fs'

/** What each open descriptor leads to: `socket:[…]`, `pipe:[…]`, a path. The one that reads the list is not among them. */
export function descriptors(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)]
    } catch {
      return [] // of the listing itself, or closed meanwhile
    }
  })
}

/** How many sockets are open. */
export function socketCount(): number {
  return descriptors().filter((target) => target.startsWith('socket:')).length
}
