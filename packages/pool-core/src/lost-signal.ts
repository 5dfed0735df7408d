/** The signal of a lease. */
import { AsyncResource } from 'node:async_hooks'
import type { PoolError } from '@cenote/pool-worker'

/** Whoever keeps a signal keeps its lease with it, and only he: the signal itself is no reason to keep anything. */
const leases: WeakMap<AbortSignal, object> = new WeakMap()

/** Made when it is first asked for; its listeners run in the async context of whoever did that. */
export class LostSignal {
  readonly #controller: AbortController = new AbortController()

  constructor(lease: object) {
    leases.set(this.signal, lease)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  readonly abort: (error: PoolError) => void = AsyncResource.bind((error: PoolError) => this.#controller.abort(error))
}
