/** What several test files ask of a pool in the same way. */
import type { Lease, Pool } from '@cenote/pool-core'
import * as assert from 'uvu/assert'

/** So many leases at once. */
export const acquireAll = (pool: Pool<string, string>, count: number): Promise<Lease<string, string>[]> =>
  Promise.all(Array.from({ length: count }, () => pool.acquire()))

export const releaseAll = (leases: readonly Lease<string, string>[]): void => {
  for (const lease of leases) lease.release()
}

/** What a promise was rejected with, as it is. */
export const reasonOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => assert.unreachable('it resolved'),
    (reason: unknown) => reason,
  )

/** Ends when the clock of the machine has gone on by a few milliseconds. */
export async function fewMs(): Promise<void> {
  const end = performance.now() + 3
  while (performance.now() < end) await new Promise(setImmediate)
}
