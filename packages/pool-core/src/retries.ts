/** Whether a call whose connection has died goes on to another. Every layer that sends anew asks here, so one budget holds for all. */
import { PoolError, type World } from '@cenote/pool-worker'
import type { Settings } from './options.ts'
import { withOutcome } from './refusals.ts'
import { RetryBudget } from './retry-budget.ts'
import type { Numbers } from './stats.ts'

export class Retries {
  readonly #world: World
  readonly #numbers: Numbers
  readonly #most: number
  readonly #budget: RetryBudget

  constructor({ retryStale, retryBudget }: Settings, world: World, numbers: Numbers) {
    this.#world = world
    this.#numbers = numbers
    this.#most = retryStale
    this.#budget = new RetryBudget(retryBudget)
  }

  /** A call has begun that may need one. */
  called(now: number): void {
    this.#budget.called(now)
  }

  /**
   * Asked for a call that may be sent anew, of which nothing was written or which is idempotent, and which has moved `moves` times.
   * When the answer is yes, it has to move.
   */
  allow(moves: number): boolean {
    if (moves >= this.#most) return false
    const allowed = this.#budget.take(this.#world.now())
    if (allowed) this.#numbers.moved++
    else this.#numbers.retriesRefused++
    return allowed
  }
}

/** One request that goes from lease to lease until it is answered. */
export class Journey {
  /** From one connection to the next, whoever saw to it. */
  moves = 0
  readonly #retries: Pick<Retries, 'allow'>
  readonly #idempotent: boolean
  #sentBefore = false

  constructor(retries: Pick<Retries, 'allow'>, idempotent: boolean) {
    this.#retries = retries
    this.#idempotent = idempotent
  }

  /**
   * Whether it sets out again after this error; then it has to.
   *
   * @param lostBy - What its connection died of, if it has: whatever that was, such as a reply that makes no sense. A lost shard is no reason.
   */
  goesOn(error: unknown, lostBy: PoolError | undefined): boolean {
    if (!PoolError.is(error)) return false
    const died = error.code === 'CONNECTION_LOST' || (error === lostBy && error.code !== 'SHARD_LOST')
    if (!died) return false
    const unsent = error.outcome === 'not-sent'
    if (!(unsent || this.#idempotent) || !this.#retries.allow(this.moves)) return false
    this.moves++
    this.#sentBefore ||= !unsent
    return true
  }

  /** The error as its caller is told of it: bytes may have reached a server earlier on the way. */
  told(error: unknown): unknown {
    return this.#sentBefore && PoolError.is(error) && error.outcome === 'not-sent' ? withOutcome(error, 'maybe-executed') : error
  }
}
