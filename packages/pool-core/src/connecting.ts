/** Opening connections: fresh credentials, and the pause after a failure. */
import { PoolError, type World } from '@cenote/pool-worker'
import { backoffMs } from './backoff.ts'
import type { Slot } from './books/slots.ts'
import type { Link } from './link.ts'
import type { Settings } from './options.ts'
import { openObserved } from './telemetry/connects.ts'
import type { Traces } from './telemetry/traces.ts'

/**
 * Knows how connecting has gone lately. After a failure the gate stays shut for a time that grows with each failure in
 * a row, at random within it, so that a server that comes back is not met by all at once.
 */
export class Connecting {
  readonly #settings: Settings
  readonly #world: World
  readonly #traces: Traces
  readonly #setGate: (open: boolean) => void
  #failures = 0
  #lastError: PoolError | undefined = undefined
  #cancel: (() => void) | undefined = undefined
  /** Waits for credentials, and how each is ended. */
  readonly #asked: Set<() => void> = new Set()

  constructor(settings: Settings, world: World, setGate: (open: boolean) => void, traces: Traces) {
    this.#settings = settings
    this.#world = world
    this.#traces = traces
    this.#setGate = setGate
  }

  /** Of the last connect that failed since one succeeded. */
  get lastError(): PoolError | undefined {
    return this.#lastError
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

  succeeded(): void {
    this.#failures = 0
    this.#lastError = undefined
  }

  failed(error: PoolError): void {
    this.#lastError = error
    if (this.#cancel !== undefined) return
    this.#failures++
    this.#setGate(false)
    this.#cancel = this.#world.timer(backoffMs(this.#settings.backoff, this.#failures, this.#world.random()), false, () => {
      this.#cancel = undefined
      this.#setGate(true)
    })
  }

  /** Waits for nothing more. */
  stop(): void {
    this.#cancel?.()
    for (const forget of this.#asked) forget()
  }
}
