/** How connecting goes: the books are told, the pause after a failure is kept, and whoever listens hears of it. */
import { type CloseReason, PoolError, type PoolErrorCode, printEndpoint, type World } from '@cenote/pool-worker'
import { isStillborn } from './books/admission.ts'
import type { Books } from './books/books.ts'
import type { Site } from './books/sites.ts'
import type { Slot } from './books/slots.ts'
import type { Numbers } from './stats.ts'
import type { Events } from './telemetry/events.ts'
import type { Flight } from './telemetry/flight.ts'

/** What another try does not cure: the next one fails like this one until somebody changes something. */
const FINAL: ReadonlySet<PoolErrorCode> = new Set<PoolErrorCode>(['AUTH_FAILED', 'TLS_REJECTED', 'HOOK_FAILED'])

/** An endpoint that a connect has failed to since one succeeded. */
interface Trouble {
  /** Undefined: one has succeeded since, and only the pause is left. */
  error: PoolError | undefined
  /** When it went down, in the world's milliseconds, if it did. */
  downSince: number
  /** Ends the wait for the pause to be over. */
  cancel: () => void
}

/** For all endpoints, each by itself. */
export class Connecting {
  readonly #world: World
  readonly #books: Books
  readonly #numbers: Numbers
  readonly #events: Events
  readonly #flight: Flight
  readonly #rested: () => void
  /** The last that failed is the last. */
  readonly #troubles: Map<Site, Trouble> = new Map()

  /** @param rested - A pause is over, the books have been told. */
  constructor(world: World, books: Books, numbers: Numbers, events: Events, flight: Flight, rested: () => void) {
    this.#world = world
    this.#books = books
    this.#numbers = numbers
    this.#events = events
    this.#flight = flight
    this.#rested = rested
  }

  /** Of the last connect that failed, to an endpoint that none has succeeded to since. */
  get lastError(): PoolError | undefined {
    const { all } = this.#books.sites
    return [...this.#troubles].findLast(([site, { error }]) => error !== undefined && all.includes(site))?.[1].error
  }

  /** A connection was opened: the server is there. */
  opened(slot: Slot): void {
    const { site } = slot
    const { down } = site.admission
    const trouble = this.#troubles.get(site)
    site.counters.opened++
    this.#books.opened(slot, this.#world.now(), this.#world.random())
    if (trouble === undefined) return
    if (site.admission.resting)
      trouble.error = undefined // its pause goes on
    else this.#troubles.delete(site)
    if (!down) return
    this.#flight.pool('endpoint-up')
    this.#events.emit('endpointUp', () => ({ endpoint: printEndpoint(site.endpoint), downMs: this.#world.now() - trouble.downSince }))
  }

  /** A connection did not come. Returns whether that is a failure of its own: connects that fail within one pause are one. */
  failed(slot: Slot, error: PoolError): boolean {
    const { site } = slot
    const endpoint = printEndpoint(site.endpoint)
    this.#numbers.connectFailed(slot)
    this.#flight.pool('connect-failed', 0, slot)
    site.counters.connectFailures++
    this.#events.emit('connectFailed', () => ({ endpoint, error }))
    if (error.stalled === undefined) return this.#fail(slot, error)
    this.#books.gone(slot, this.#world.now()) // it was no fault of the endpoint's
    return false
  }

  /** The server has ended an open connection. Returns an error if its connect counts as failed after all, and whether as a failure of its own. */
  lost(slot: Slot, reason: CloseReason, cause: Error | undefined): { readonly error: PoolError; readonly single: boolean } | undefined {
    if (!isStillborn(slot, this.#world.now())) {
      this.#books.gone(slot, this.#world.now())
      return undefined
    }
    const message = `the connection ended as soon as it was open: ${reason}`
    const error = new PoolError('CONNECT_FAILED', message, { phase: 'connect', outcome: 'not-sent', cause })
    return { error, single: this.#fail(slot, error) }
  }

  #fail(slot: Slot, error: PoolError): boolean {
    const { site } = slot
    const { admission } = site
    const { down } = admission
    const endpoint = printEndpoint(site.endpoint)
    const trouble = this.#trouble(site, error)
    const restMs = this.#books.failed(slot, this.#world.now(), FINAL.has(error.code), this.#world.random())
    if (restMs !== undefined) {
      this.#flight.pool('gate-shut', restMs)
      trouble.cancel = this.#world.timer(restMs, false, () => this.#rest(site, trouble))
    }
    if (!down && admission.down) {
      trouble.downSince = this.#world.now()
      const { failures } = admission
      this.#flight.pool('endpoint-down', failures)
      this.#events.emit('endpointDown', () => ({ endpoint, error, failures }))
    }
    return restMs !== undefined
  }

  /** Tries no more. */
  stop(): void {
    for (const { cancel } of this.#troubles.values()) cancel()
  }

  /** Of this endpoint, from now on the last. */
  #trouble(site: Site, error: PoolError): Trouble {
    const trouble = this.#troubles.get(site) ?? { error, downSince: 0, cancel: () => undefined }
    trouble.error = error
    const { all } = this.#books.sites // those that are forgotten go; one that rests is needed until then
    for (const each of this.#troubles.keys()) if (!each.admission.resting && !all.includes(each)) this.#troubles.delete(each)
    this.#troubles.delete(site)
    this.#troubles.set(site, trouble)
    return trouble
  }

  #rest(site: Site, { error }: Trouble): void {
    // Nobody asks any more how it does that was taken off the list, or has been connected to since.
    if (error === undefined || !this.#books.sites.all.includes(site)) this.#troubles.delete(site)
    this.#flight.pool('gate-open')
    this.#books.rested(site, this.#world.now())
    this.#rested()
  }
}
