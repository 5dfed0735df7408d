/** How the pool stands when it refuses somebody: put together once for all who are refused in one turn. */
import type { Holder, PoolCounts, PoolError } from '@cenote/pool-worker'
import type { BooksCounts } from './books/counts.ts'
import type { Waiter } from './books/pending.ts'
import type { LeaseInfo } from './holders.ts'

/** What somebody who waits lacks: one in use to come back, one to be opened, or one to be proved fit. */
export type WaitPhase = 'queue' | 'connect' | 'probe'

/** Where a situation comes from. */
export interface View {
  readonly name: string
  readonly maxConnections: number
  readonly pipelining: number
  readonly paused: boolean
  readonly counts: BooksCounts
  /** Of the last connect that failed since one succeeded. */
  readonly connectError: PoolError | undefined
  /** For how many ms this thread has just stood still; 0: it has not. */
  readonly stalledMs: number
  /** Those who wait, in the order of their turns. */
  waiters(): Iterable<Waiter>
  /** Those who hold connections, the oldest first. */
  holders(): readonly LeaseInfo[]
}

/** Holders that an error names. */
const NAMED = 3

/** What every refusal tells of the pool. All but the counts is worked out when it is asked for first, and kept. */
export class Situation {
  readonly name: string
  readonly counts: PoolCounts
  readonly connectError: PoolError | undefined
  readonly stalledMs: number
  readonly #view: View
  #text: string | undefined = undefined
  #holders: string | undefined = undefined
  #oldest: readonly Holder[] | undefined = undefined
  #more = 0
  #served: ReadonlyMap<Waiter, WaitPhase> | undefined = undefined

  constructor(view: View) {
    this.#view = view
    this.name = view.name
    this.connectError = view.connectError
    this.stalledMs = view.stalledMs
    const { connections, idle, opening, pendingLeases, pendingRequests } = view.counts
    this.counts = { connections, idle, opening, pending: pendingLeases + pendingRequests }
  }

  /** The counts in words. */
  get text(): string {
    this.#text ??= this.#describe()
    return this.#text
  }

  /** Who holds connections longest. */
  get oldest(): readonly Holder[] {
    this.#oldest ??= this.#find()
    return this.#oldest
  }

  /** The same in words, with their ages; empty when nobody holds any. */
  get holders(): string {
    this.#holders ??= this.#name()
    return this.#holders
  }

  /**
   * What this caller waited for. The connections that come serve those whose turn is next, by a probe before a connect; who is behind them
   * waits for one in use to come back, if there is any.
   *
   * @param waiter - Its entry in the queue; undefined: it stands for the first.
   */
  phase(waiter: Waiter | undefined): WaitPhase {
    if (this.#view.paused) return 'queue'
    this.#served ??= this.#serve()
    const phase = waiter === undefined ? this.#coming().next().value : this.#served.get(waiter)
    return phase ?? (this.#view.counts.inUse > 0 ? 'queue' : ([...this.#coming()].at(-1) ?? 'connect'))
  }

  /** One for each connection that comes, and for each that may not be opened yet, after a failure or with `maxConnecting` under way. */
  *#coming(): Generator<WaitPhase, undefined> {
    const { maxConnections, counts } = this.#view
    const { probing, resetting, opening, connections } = counts
    for (let place = probing + resetting; place > 0; place--) yield 'probe'
    for (let place = opening - probing + Math.max(0, maxConnections - connections); place > 0; place--) yield 'connect'
    return undefined
  }

  /** Whom they serve: a lease takes one, requests that stand together share one. */
  #serve(): Map<Waiter, WaitPhase> {
    const served = new Map<Waiter, WaitPhase>()
    const coming = this.#coming()
    let shared: WaitPhase | undefined
    let places = 0
    for (const waiter of this.#view.waiters()) {
      const alone = waiter.kind === 'lease'
      const phase = !alone && places > 0 ? shared : coming.next().value
      if (phase === undefined) break
      places = alone ? 0 : (places > 0 ? places : this.#view.pipelining) - 1
      shared = phase
      served.set(waiter, phase)
    }
    return served
  }

  #describe(): string {
    const { connections, idle, opening, pending } = this.counts
    const { maxConnections, paused, counts } = this.#view
    const states = `${counts.inUse} in use, ${idle} idle, ${opening} opening`
    const notes = `${paused ? ', paused' : ''}${counts.perShard.some(({ live }) => live) ? '' : ', no shard is live'}`
    return `${connections} of ${maxConnections} connections (${states}), ${pending} waiting${notes}`
  }

  #name(): string {
    const named = this.oldest.map(({ kind, handler, connection, heldMs }) => {
      const who = kind === 'handler' ? `the handler '${handler}'` : `a ${kind}`
      return `${who} (${connection}) for ${heldMs} ms`
    })
    if (named.length === 0) return ''
    return `; held longest by ${named.join(', ')}${this.#more > 0 ? ` and ${this.#more} more` : ''}`
  }

  #find(): readonly Holder[] {
    const all = this.#view.holders()
    this.#more = Math.max(0, all.length - NAMED)
    const oldest = all.slice(0, NAMED).map(({ kind, connection, heldMs, handler }): Holder => {
      const holder = { kind, connection: connection.id, heldMs: Math.round(heldMs) }
      return Object.freeze(handler === undefined ? holder : { ...holder, handler })
    })
    return Object.freeze(oldest)
  }
}
