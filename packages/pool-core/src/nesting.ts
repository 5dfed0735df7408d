/** Who holds what he waits for: while `detectNestedAcquire` is on, the async context of the function of `use` is marked with its lease. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Hold } from './hold.ts'

/** A running `use`, and the one that it runs in. */
interface Use {
  readonly hold: Hold
  readonly outer: Use | undefined
}

/** One for each pool: holding a connection of another keeps nobody from one of this. */
export class Nesting {
  readonly #uses: AsyncLocalStorage<Use> = new AsyncLocalStorage()

  /** Runs the function of a `use`. What goes on in its context after its lease is over holds nothing. */
  within<T>(hold: Hold, work: () => T): T {
    return this.#uses.run({ hold, outer: running(this.#uses.getStore()) }, work)
  }

  /** The leases that are held around the caller of now, the innermost first. */
  get held(): readonly Hold[] {
    const held: Hold[] = []
    for (let use = running(this.#uses.getStore()); use !== undefined; use = running(use.outer)) held.push(use.hold)
    return held
  }
}

/** The innermost that still has a connection: those that are over are left behind, lest a chain of them grows. */
function running(use: Use | undefined): Use | undefined {
  let found = use
  while (found !== undefined && (found.hold.released || found.hold.line === undefined)) found = found.outer
  return found
}
