/** How connecting goes: the books are told, the pause after a failure is kept, and whoever listens hears of it. */
import { type CloseReason, PoolError, type PoolErrorCode, printEndpoint, type World } from '@cenote/pool-worker'
import { isStillborn } from './books/admission.ts'
import type { Books } from './books/books.ts'
import type { Slot } from './books/slots.ts'
import type { Settings } from './options.ts'
import type { Numbers } from './stats.ts'
import type { Events } from './telemetry/events.ts'
import type { Flight } from './telemetry/flight.ts'

/** What another try does not cure: the next one fails like this one until somebody changes something. */
const FINAL: ReadonlySet<PoolErrorCode> = new Set<PoolErrorCode>(['AUTH_FAILED', 'TLS_REJECTED', 'HOOK_FAILED'])

/** For one endpoint. */
export class Connecting {
  readonly #settings: Settings
  readonly #world: World
  readonly #books: Books
  readonly #numbers: Numbers
  readonly #events: Events
  readonly #flight: Flight
  readonly #rested: () => void
  #lastError: PoolError | undefined = undefined
  #downSince = 0
  #cancel: (() => void) | undefined = undefined

  /** @param rested - The pause is over, the books have been told. */
  constructor(settings: Settings, world: World, books: Books, numbers: Numbers, events: Events, flight: Flight, rested: () => void) {
    this.#settings = settings
    this.#world = world
    this.#books = books
    this.#numbers = numbers
    this.#events = events
    this.#flight = flight
    this.#rested = rested
  }

  /** Of the last connect that failed since one succeeded. */
  get lastError(): PoolError | undefined {
    return this.#lastError
  }

  /** A connection was opened: the server is there. */
  opened(slot: Slot): void {
    const { down } = this.#books.admission
    this.#lastError = undefined
    this.#books.opened(slot, this.#world.now(), this.#world.random())
    if (!down) return
    this.#flight.pool('endpoint-up')
    this.#events.emit('endpointUp', () => ({ endpoint: this.#name, downMs: this.#world.now() - this.#downSince }))
  }

  /** A connection did not come. */
  failed(slot: Slot, error: PoolError): void {
    this.#numbers.connectFailed(slot)
    this.#flight.pool('connect-failed', 0, slot)
    this.#events.emit('connectFailed', () => ({ endpoint: this.#name, error }))
    if (error.stalled === undefined) this.#fail(slot, error)
    else this.#books.gone(slot, this.#world.now()) // it was no fault of the endpoint's
  }

  /** The server has ended an open connection. Returns an error if its connect counts as failed after all. */
  lost(slot: Slot, reason: CloseReason, cause: Error | undefined): PoolError | undefined {
    if (!isStillborn(slot, this.#world.now())) {
      this.#books.gone(slot, this.#world.now())
      return undefined
    }
    const message = `the connection ended as soon as it was open: ${reason}`
    const error = new PoolError('CONNECT_FAILED', message, { phase: 'connect', outcome: 'not-sent', cause })
    this.#fail(slot, error)
    return error
  }

  #fail(slot: Slot, error: PoolError): void {
    const { admission } = this.#books
    const { down } = admission
    this.#lastError = error
    const restMs = this.#books.failed(slot, this.#world.now(), FINAL.has(error.code), this.#world.random())
    if (restMs !== undefined) {
      this.#flight.pool('gate-shut', restMs)
      this.#cancel = this.#world.timer(restMs, false, this.#rest)
    }
    if (down || !admission.down) return
    this.#downSince = this.#world.now()
    const { failures } = admission
    this.#flight.pool('endpoint-down', failures)
    this.#events.emit('endpointDown', () => ({ endpoint: this.#name, error, failures }))
  }

  /** Tries no more. */
  stop(): void {
    this.#cancel?.()
  }

  get #name(): string {
    return printEndpoint(this.#settings.endpoint)
  }

  readonly #rest = (): void => {
    this.#flight.pool('gate-open')
    this.#books.rested(this.#world.now())
    this.#rested()
  }
}
