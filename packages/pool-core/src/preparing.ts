/** What a connection needs before a shard opens it: the addresses of its host, and credentials, asked for each connect. */
import { type Endpoint, type OpenRequest, PoolError, STALL_MS, type World } from '@cenote/pool-worker'
import type { Slot } from './books/slots.ts'
import type { Link } from './link.ts'
import type { Settings } from './options.ts'
import { nameIn, Resolver } from './resolver.ts'
import type { Numbers } from './stats.ts'
import { beginConnect, handOver, refuseConnect } from './telemetry/connects.ts'
import type { ConnectTrace, Traces } from './telemetry/traces.ts'

type Refused = (error: PoolError) => void

/** A connect that waits for what it needs. */
interface Preparation {
  readonly slot: Slot
  readonly serial: number
  /** The slot's may be another one meanwhile. */
  readonly endpoint: Endpoint
  readonly trace: ConnectTrace | undefined
  readonly refused: Refused
  readonly since: number
  /** What has not come yet. */
  lacks: string
  /** Whether nobody waits any more for what may come. */
  over: boolean
  cancel: () => void
}

export class Preparing {
  readonly #settings: Settings
  readonly #world: World
  readonly #traces: Traces
  readonly #resolver: Resolver
  readonly #waiting: Set<Preparation> = new Set()

  constructor(settings: Settings, world: World, traces: Traces, numbers: Numbers) {
    this.#settings = settings
    this.#world = world
    this.#traces = traces
    this.#resolver = new Resolver(settings, world, numbers)
  }

  /** Has a shard open the slot's connection as soon as all is there. `refused`: it was not, in time. */
  open(link: Link, slot: Slot, refused: Refused): void {
    const { credentials, connectTimeoutMs } = this.#settings
    const { endpoint } = slot.site
    beginConnect(this.#traces, slot, endpoint, connectTimeoutMs, (trace) => {
      const name = nameIn(endpoint)
      const addresses = name === undefined ? undefined : this.#resolver.known(name)
      const complete = credentials === undefined && (name === undefined || addresses !== undefined)
      if (complete) handOver(link, slot, connectTimeoutMs, { endpoint, addresses }, trace)
      else void this.#prepare(link, slot, trace, refused)
    })
  }

  /** A connect to the endpoint has failed: its host is looked up again. */
  failed(endpoint: Endpoint): void {
    const name = nameIn(endpoint)
    if (name !== undefined) this.#resolver.forget(name)
  }

  /** Waits for nothing more. */
  stop(): void {
    for (const preparation of this.#waiting) if (this.#end(preparation)) refuseConnect(preparation.trace)
  }

  async #prepare(link: Link, slot: Slot, trace: ConnectTrace | undefined, refused: Refused): Promise<void> {
    const preparation = this.#begin(slot, trace, refused)
    const gathered = await this.#gather(preparation).catch((error: PoolError) => error)
    if (preparation.over) return
    if (gathered instanceof PoolError) return this.#refuse(preparation, gathered)
    if (!this.#end(preparation)) return
    const { connectTimeoutMs } = this.#settings
    const left = connectTimeoutMs - (this.#world.now() - preparation.since)
    handOver(link, slot, left > 0 ? left : connectTimeoutMs, gathered, trace) // with nothing left our thread stood still, not the server
  }

  /** All that the shard must be told. @throws PoolError Something did not come. */
  async #gather(preparation: Preparation): Promise<OpenRequest> {
    const { credentials } = this.#settings
    const { endpoint } = preparation
    const name = nameIn(endpoint)
    const request: OpenRequest = { endpoint, ...(name === undefined ? {} : await this.#find(name, preparation)) }
    if (credentials === undefined || preparation.over) return request
    preparation.lacks = 'credentials has not answered'
    try {
      return { ...request, credentials: await credentials(endpoint) }
    } catch (cause) {
      throw new PoolError('HOOK_FAILED', 'credentials: the function failed', { phase: 'connect', outcome: 'not-sent', cause })
    }
  }

  async #find(name: string, { since, trace }: Preparation): Promise<Pick<OpenRequest, 'addresses' | 'lookup'>> {
    const known = this.#resolver.known(name)
    if (known !== undefined) return { addresses: known }
    try {
      const addresses = await this.#resolver.ask(name)
      const ms = this.#world.now() - since
      trace?.resolved(ms)
      return { addresses, lookup: Math.round(ms * 1000) }
    } catch (cause) {
      const message = `cannot connect: ${cause instanceof Error ? cause.message : String(cause)}`
      throw new PoolError('CONNECT_FAILED', message, { phase: 'connect', outcome: 'not-sent', cause })
    }
  }

  #begin(slot: Slot, trace: ConnectTrace | undefined, refused: Refused): Preparation {
    const { connectTimeoutMs } = this.#settings
    const preparation: Preparation = {
      slot,
      serial: slot.serial,
      endpoint: slot.site.endpoint,
      trace,
      refused,
      since: this.#world.now(),
      lacks: 'the name has not been resolved',
      over: false,
      cancel: () => undefined,
    }
    const late = (): void => this.#expire(preparation)
    if (connectTimeoutMs !== Number.POSITIVE_INFINITY)
      preparation.cancel = this.#world.timer(connectTimeoutMs, false, () => void this.#world.immediate(late)) // after a stall, one poll phase first
    this.#waiting.add(preparation)
    return preparation
  }

  #expire(preparation: Preparation): void {
    if (preparation.over) return
    const { connectTimeoutMs } = this.#settings
    const late = Math.round(this.#world.now() - preparation.since - connectTimeoutMs)
    const stalled = late < STALL_MS ? undefined : 'main'
    const blame = stalled === undefined ? '' : `; the calling thread stood still for ${late} ms`
    const message = `no connection within ${connectTimeoutMs} ms: ${preparation.lacks}${blame}`
    this.#refuse(preparation, new PoolError('CONNECT_TIMEOUT', message, { phase: 'connect', outcome: 'not-sent', stalled }))
  }

  #refuse(preparation: Preparation, error: PoolError): void {
    if (!this.#end(preparation)) return
    refuseConnect(preparation.trace, error)
    preparation.refused(error)
  }

  /** Nothing more is waited for. Returns whether the slot still waits: its shard may have died. */
  #end(preparation: Preparation): boolean {
    const { slot, serial, trace } = preparation
    preparation.over = true
    preparation.cancel()
    this.#waiting.delete(preparation)
    if (slot.serial === serial && slot.state === 'opening') return true
    refuseConnect(trace)
    return false
  }
}
