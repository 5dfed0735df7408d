/** The signal of a lease. */
import { AsyncResource } from 'node:async_hooks'
import { getEventListeners } from 'node:events'
import type { PoolError } from '@cenote/pool-worker'

/** Whoever keeps a signal keeps its lease with it. */
const leases: WeakMap<AbortSignal, object> = new WeakMap()

/** Made when it is first asked for; its listeners run in the async context of whoever did that. */
export class LostSignal {
  readonly #controller: AbortController = new AbortController()
  readonly abort: (error: PoolError) => void = AsyncResource.bind((error: PoolError) => this.#controller.abort(error))

  /** @param heard - Told whether anybody listens: who only waits for the end of a connection must not lose it by having no other hold of it. */
  constructor(lease: object, heard: (some: boolean) => void) {
    const { signal } = this
    leases.set(signal, lease)
    for (const name of ['addEventListener', 'removeEventListener'] as const) {
      const change = signal[name]
      signal[name] = (...given: Parameters<typeof change>) => {
        change.apply(signal, given)
        heard(getEventListeners(signal, 'abort').length > 0)
      }
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }
}
