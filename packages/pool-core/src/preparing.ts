/** What a connection needs before a shard opens it: credentials, asked for each connect. */
import { PoolError, type World } from '@cenote/pool-worker'
import type { Slot } from './books/slots.ts'
import type { Link } from './link.ts'
import type { Settings } from './options.ts'
import { openObserved } from './telemetry/connects.ts'
import type { Traces } from './telemetry/traces.ts'

export class Preparing {
  readonly #settings: Settings
  readonly #world: World
  readonly #traces: Traces
  /** Waits for credentials, and how each is ended. */
  readonly #asked: Set<() => void> = new Set()

  constructor(settings: Settings, world: World, traces: Traces) {
    this.#settings = settings
    this.#world = world
    this.#traces = traces
  }

  /** Has a shard open the slot's connection, with credentials asked for now. `refused`: there were none in time. */
  open(link: Link, slot: Slot, refused: (error: PoolError) => void): void {
    const { endpoint, credentials, connectTimeoutMs } = this.#settings
    if (credentials === undefined) return openObserved(this.#traces, link, slot, connectTimeoutMs, { endpoint })
    const { serial } = slot
    const since = this.#world.now()
    let waiting = true
    const forget = (): void => {
      waiting = false
      cancel()
      this.#asked.delete(forget)
    }
    const conclude = (action: () => void): void => {
      if (!waiting) return
      forget()
      if (slot.serial === serial && slot.state === 'opening') action()
    }
    const expire = () =>
      conclude(() =>
        refused(
          new PoolError('CONNECT_TIMEOUT', `credentials: no answer within ${connectTimeoutMs} ms`, {
            phase: 'connect',
            outcome: 'not-sent',
          }),
        ),
      )
    const cancel = connectTimeoutMs === Number.POSITIVE_INFINITY ? () => undefined : this.#world.timer(connectTimeoutMs, false, expire)
    this.#asked.add(forget)
    const granted = (answer: Awaited<ReturnType<typeof credentials>>) =>
      conclude(() => {
        const left = Math.max(1, connectTimeoutMs - (this.#world.now() - since))
        openObserved(this.#traces, link, slot, left, { endpoint, credentials: answer })
      })
    const failed = (cause: unknown) =>
      conclude(() =>
        refused(new PoolError('HOOK_FAILED', 'credentials: the function failed', { phase: 'connect', outcome: 'not-sent', cause })),
      )
    // What the function throws at once is a failure like a rejection.
    void (async () => credentials(endpoint))().then(granted, failed)
  }

  /** Waits for nothing more. */
  stop(): void {
    for (const forget of this.#asked) forget()
  }
}
