/** The endpoints at work: their lists as they come, and those that are left out for a time. */
import { type CloseReason, PoolError, type PoolErrorCode, printEndpoint, type World } from '@cenote/pool-worker'
import { backoffMs } from './backoff.ts'
import type { Books } from './books/books.ts'
import type { Fault } from './books/faults.ts'
import type { ListedEndpoint, Site } from './books/sites.ts'
import type { Call } from './calls.ts'
import { isLists, readList } from './endpoint-list.ts'
import type { Settings } from './options.ts'
import type { StreamEnd } from './stream.ts'
import type { Events } from './telemetry/events.ts'
import type { Flight } from './telemetry/flight.ts'

/** Ends of a connection that may be the endpoint's doing, and what they are told with. */
const REASONS: ReadonlySet<CloseReason> = new Set<CloseReason>(['peer-end', 'peer-reset', 'error', 'probe'])
const CODES: ReadonlySet<PoolErrorCode> = new Set<PoolErrorCode>(['CONNECTION_LOST', 'PROTOCOL_ERROR', 'REQUEST_TIMEOUT'])

/** Connects that this machine, and not the server, has no means for: descriptors, ports, memory. */
const OURS: ReadonlySet<unknown> = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM'])

/** What was going on on a connection when it ended. */
interface Ended {
  readonly closing: CloseReason | undefined
  readonly stream: Pick<StreamEnd, 'over'> | undefined
  readonly run: object | undefined
}

/** Whether the end of a connection speaks against its endpoint: it cut off work, or broke the protocol. One that ends while idle does not. */
export function isFault(
  { closing, stream, run }: Ended,
  calls: readonly Pick<Call, 'settled'>[],
  reason: CloseReason,
  cause: Error | undefined,
): boolean {
  if (closing !== undefined || !REASONS.has(reason)) return false
  if (reason === 'probe') return true
  if (PoolError.is(cause) && (!CODES.has(cause.code) || cause.stalled !== undefined)) return false
  if (PoolError.is(cause) && cause.code === 'PROTOCOL_ERROR') return true
  if (stream !== undefined) return !(reason === 'peer-end' && stream.over)
  return run !== undefined || calls.some((call) => !call.settled)
}

/** Tells the books which endpoints there are and how they do. */
export class Endpoints {
  /** Whether the time of each reply is taken. */
  readonly timed: boolean
  readonly #settings: Settings
  readonly #world: World
  readonly #books: Books
  readonly #events: Events
  readonly #flight: Flight
  readonly #act: () => void
  #over = false
  #iterator: AsyncIterator<unknown> | undefined = undefined
  #lastError: PoolError | undefined = undefined
  #cancelReturn: (() => void) | undefined = undefined
  #endPause: (() => void) | undefined = undefined

  /** @param act - Carries out what the books have decided. */
  constructor(settings: Settings, world: World, books: Books, events: Events, flight: Flight, act: () => void) {
    this.timed = settings.balancing === 'peak-ewma'
    this.#settings = settings
    this.#world = world
    this.#books = books
    this.#events = events
    this.#flight = flight
    this.#act = act
  }

  /** Takes the list, or begins to follow the lists. */
  start(): void {
    const { endpoint } = this.#settings
    if (isLists(endpoint)) void this.#follow(endpoint)
    else this.#list(endpoint)
  }

  /** Why no list has come yet, if it failed. */
  get lastError(): PoolError | undefined {
    return this.#books.sites.all.length === 0 ? this.#lastError : undefined
  }

  /** Follows the lists no further, and lets nobody in again. */
  stop(): void {
    if (this.#over) return
    this.#over = true
    this.#cancelReturn?.()
    this.#endPause?.()
    void this.#giveBack(this.#iterator)
  }

  // How they do. With one endpoint there is nothing to decide, and no cost.

  /** A connect or a reply has failed, and nobody here is to blame. */
  failed(site: Site, fault: Fault): void {
    if (this.#over || this.#books.sites.all.length === 1) return
    const now = this.#world.now()
    if (this.#books.blame(site, fault, now)) {
      const { forMs } = site.faults
      this.#flight.pool('endpoint-ejected', forMs)
      this.#events.emit('endpointEjected', () => ({ endpoint: printEndpoint(site.endpoint), forMs }))
    }
    this.#readmit(now)
    this.#act()
  }

  /** A connection did not come. @param theirs - Whether the endpoint may be to blame, and has not been for the same failure already. */
  connectFailed(site: Site, error: PoolError, theirs: boolean): void {
    const { cause, stalled } = error
    const ours = stalled !== undefined || (cause instanceof Error && 'code' in cause && OURS.has(cause.code))
    if (theirs && !ours) this.failed(site, 'connect')
    else this.#readmit(this.#world.now())
  }

  /** A good reply came, or an error of the server's, which is one too. */
  replied(site: Site, { sentAt }: Call): void {
    if (this.#books.sites.all.length === 1) return
    site.faults.replied()
    if (!this.timed) return
    const now = this.#world.now()
    site.latency.observe(now - sentAt, now)
  }

  /** The average time of its replies, if times are taken. */
  latency(site: Site): number | undefined {
    return this.timed ? site.latency.at(this.#world.now()) : undefined
  }

  /** It did well, whatever it was asked. */
  served(site: Site): void {
    site.faults.replied()
  }

  #readmit(now: number): void {
    if (this.#over) return
    this.#returned(this.#books.readmit(now))
  }

  #returned(sites: readonly Site[]): void {
    for (const { endpoint } of sites) {
      this.#flight.pool('endpoint-returned')
      this.#events.emit('endpointReturned', () => ({ endpoint: printEndpoint(endpoint) }))
    }
    this.#cancelReturn?.()
    this.#cancelReturn = undefined
    const { nextReturn } = this.#books.sites
    if (nextReturn === Number.POSITIVE_INFINITY) return
    this.#cancelReturn = this.#world.timer(Math.max(1, nextReturn - this.#world.now()), false, () => {
      this.#readmit(this.#world.now())
      this.#act()
    })
  }

  // Which there are.

  #list(list: readonly ListedEndpoint[]): void {
    const { added, removed, returned } = this.#books.list(list, this.#world.now())
    if (isLists(this.#settings.endpoint)) this.#flight.pool('endpoints-listed', list.length)
    for (const { endpoint, weight } of added) this.#events.emit('endpointAdded', () => ({ endpoint: printEndpoint(endpoint), weight }))
    for (const { endpoint } of removed) this.#events.emit('endpointRemoved', () => ({ endpoint: printEndpoint(endpoint) }))
    this.#returned(returned)
    this.#act()
  }

  /** Never rejects. A list that is wrong is passed over. When one does not come, the iterable is asked for its lists anew, after a pause. */
  async #follow(lists: AsyncIterable<unknown>): Promise<void> {
    for (let failures = 0; !this.#over; ) {
      try {
        const value = await this.#next(lists)
        if (this.#over) return
        if (value === undefined) return this.#ended()
        this.#list(readList(value.list))
        failures = 0
        this.#lastError = undefined
        await this.#turn() // lists may come without a wait between them: others are to have their turns too
      } catch (cause) {
        if (this.#over) return
        this.#failure('the next list of endpoints did not come', cause)
        await this.#pause(backoffMs(this.#settings.backoff, ++failures, this.#world.random()))
      }
    }
  }

  /** The next list; undefined: there are no more. */
  async #next(lists: AsyncIterable<unknown>): Promise<{ readonly list: unknown } | undefined> {
    this.#iterator ??= lists[Symbol.asyncIterator]()
    let ended = true
    try {
      const { done, value } = await this.#iterator.next()
      ended = Boolean(done)
      return ended ? undefined : { list: value }
    } finally {
      if (ended) this.#iterator = undefined // as for-await does: one that has ended, or thrown, is not given back
    }
  }

  /** The last list stays. */
  #ended(): void {
    if (this.#books.sites.all.length === 0) this.#failure('the lists of endpoints have ended before one came', this.#lastError)
  }

  #failure(message: string, cause: unknown): void {
    const error = PoolError.is(cause) ? cause : new PoolError('HOOK_FAILED', message, { phase: 'connect', outcome: 'not-sent', cause })
    this.#lastError = error
    this.#events.emit('endpointsFailed', () => ({ error }))
  }

  #pause(ms: number): Promise<void> {
    return this.#until((resume) => this.#world.timer(ms, false, resume))
  }

  #turn(): Promise<void> {
    return this.#until((resume) => this.#world.immediate(resume))
  }

  #until(begin: (resume: () => void) => () => void): Promise<void> {
    return new Promise((resolve) => {
      const cancel = begin(resolve)
      this.#endPause = () => {
        cancel()
        resolve()
      }
    })
  }

  /** Not awaited by anybody: a generator that waits for something returns only when that has come. */
  async #giveBack(iterator: AsyncIterator<unknown> | undefined): Promise<void> {
    try {
      await iterator?.return?.()
    } catch (cause) {
      this.#failure('the lists of endpoints could not be ended', cause)
    }
  }
}
