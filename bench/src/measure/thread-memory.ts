/** The memory that a thread's own heap holds. */
import { setImmediate as turn } from 'node:timers/promises'

const COLLECTIONS = 4 // what one leaves to finalizers, the next one frees

/** Bytes of this thread that are in use: its heap, and what hangs on it outside. Needs `--expose-gc`. */
export async function threadMemory(): Promise<number> {
  if (globalThis.gc === undefined) throw new Error('started without --expose-gc')
  for (let collection = 0; collection < COLLECTIONS; collection++) {
    globalThis.gc()
    await turn()
  }
  const { heapUsed, external } = process.memoryUsage() // `external` has the array buffers in it
  return heapUsed + external
}
