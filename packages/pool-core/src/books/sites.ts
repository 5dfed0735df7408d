/** The endpoints as the books know them: which of them take new work, and whose turn it is. */
import { type Endpoint, endpointKey } from '@cenote/pool-worker'
import { Admission, type AdmissionLimits } from './admission.ts'
import { Balancer, type Balancing, type Candidate } from './balancer.ts'
import { Cell } from './cells.ts'
import { type EjectionLimits, type Fault, Faults } from './faults.ts'
import { Latency } from './latency.ts'
import { emptyTally, livingIn, type ShardSlots, type Tally } from './slots.ts'

/** One of a list of endpoints. */
export interface ListedEndpoint {
  readonly endpoint: Endpoint
  /** Its part of the work, in proportion to the others'. */
  readonly weight: number
}

/** What sites keep to. */
export interface SitesLimits extends AdmissionLimits, EjectionLimits {
  readonly balancing: Balancing
  /** Connections of one endpoint, those on their way out included. */
  maxPerEndpoint: number
  readonly scheduling: 'lifo' | 'fifo'
}

/** Only `listed` ones take new work. An ejected one comes back; a draining one is forgotten with its last connection. */
export type SiteState = 'listed' | 'ejected' | 'draining'

/** One endpoint, from its first listing until it is forgotten. */
export class Site implements Candidate {
  readonly endpoint: Endpoint
  readonly admission: Admission
  readonly faults: Faults
  readonly latency: Latency = new Latency()
  readonly tally: Tally = emptyTally()
  weight: number
  state: SiteState = 'listed'
  pending = 0
  credit = 0
  /** Was chosen, and had no connection that could serve. */
  missed = false
  /** Of live shards. */
  cells: readonly Cell[] = []
  /** Counted by whoever connects and sends. */
  readonly counters: { opened: number; closed: number; connectFailures: number; requests: number } = {
    opened: 0,
    closed: 0,
    connectFailures: 0,
    requests: 0,
  }
  readonly #byShard: (Cell | undefined)[] = []
  readonly #fifo: boolean

  constructor({ endpoint, weight }: ListedEndpoint, limits: SitesLimits) {
    this.endpoint = endpoint
    this.weight = weight
    this.admission = new Admission(limits)
    this.faults = new Faults(limits)
    this.#fifo = limits.scheduling === 'fifo'
  }

  /** Slots that hold a permit. */
  get connections(): number {
    return this.living + this.tally.closing
  }

  /** Connections that are not on their way out. */
  get living(): number {
    return livingIn(this.tally)
  }

  /** Connections that somebody will be served by as soon as they are ready. A connect after a failed one is no more than a hope. */
  get coming(): number {
    return (this.admission.failures === 0 ? this.tally.opening : 0) + this.proving
  }

  /** Those of them that are open already. */
  get proving(): number {
    return this.tally.probing + this.tally.resetting
  }

  cell(home: ShardSlots): Cell {
    const cell = this.#byShard[home.shard] ?? new Cell(home, this, this.#fifo)
    this.#byShard[home.shard] = cell
    return cell
  }
}

/** What a new list has changed. */
export interface SiteChanges {
  readonly added: readonly Site[]
  readonly removed: readonly Site[]
  /** Ejected ones that are needed again. */
  readonly returned: readonly Site[]
}

/** All that are known. */
export class Sites {
  /** Those that drain among them. */
  all: readonly Site[] = []
  /** Those that take new work. */
  usable: readonly Site[] = []
  /** Whether none of those can be connected to. */
  down = false
  /** Whether one of those is down. */
  troubled = false
  readonly #limits: SitesLimits
  readonly #random: () => number
  readonly #balancer: Balancer<Site>
  #live: readonly ShardSlots[] = []

  /** @param random - At least 0, below 1. */
  constructor(limits: SitesLimits, random: () => number) {
    this.#limits = limits
    this.#random = random
    this.#balancer = new Balancer(limits.balancing, random)
  }

  /** Whose turn it is among those that are not down, or among all when they all are; undefined only when none takes new work. */
  pick(now: number): Site | undefined {
    return this.#balancer.pick(now)
  }

  /** What one more call costs there: for comparing. */
  cost(site: Site, now: number): number {
    return this.#balancer.cost(site, now)
  }

  /** The shards that may be opened on. */
  setLive(live: readonly ShardSlots[]): void {
    this.#live = live
    for (const site of this.all) site.cells = live.map((home) => site.cell(home))
  }

  /** Another list, without duplicates. Those that are not on it drain; one that drains and is on it takes work again. */
  list(wanted: readonly ListedEndpoint[], now: number): SiteChanges {
    const known = new Map(this.all.map((site) => [endpointKey(site.endpoint), site]))
    const added: Site[] = []
    const kept = new Set<Site>()
    for (const each of wanted) {
      const before = known.get(endpointKey(each.endpoint))
      const site = before ?? this.#create(each)
      if (site !== before || site.state === 'draining') added.push(site)
      if (site.state === 'draining') site.state = 'listed'
      site.weight = each.weight
      kept.add(site)
    }
    const others = this.all.filter((site) => !kept.has(site))
    const removed = others.filter((site) => site.state !== 'draining')
    for (const site of removed) site.state = 'draining'
    this.#set([...kept, ...others])
    for (const site of others) this.forget(site)
    return { added, removed, returned: this.readmit(now) }
  }

  /** A draining one without connections is known no more. */
  forget(site: Site): void {
    if (site.state === 'draining' && site.connections === 0) this.#set(this.all.filter((each) => each !== site))
  }

  /** Counts a failure. Returns whether the endpoint is left out from now on: one always stays. */
  blame(site: Site, fault: Fault, now: number): boolean {
    if (!site.faults.failed(fault) || site.state !== 'listed') return false
    const stays = this.usable.some((each) => each !== site && !each.admission.down)
    if (!stays || this.#in('ejected').length >= this.#mayEject) return false
    site.state = 'ejected'
    site.faults.eject(now)
    this.#set(this.all)
    return true
  }

  /** Lets those back in whose time is up, and, when too few are left, those who would be next. Returns them. */
  readmit(now: number): Site[] {
    const ejected = this.#in('ejected').sort((one, other) => one.faults.until - other.faults.until)
    const tooMany = this.down || this.usable.length === 0 ? ejected.length : ejected.length - this.#mayEject
    const back = ejected.filter((site, index) => site.faults.until <= now || index < tooMany)
    for (const site of back) {
      site.state = 'listed'
      site.faults.readmit(now)
    }
    if (back.length > 0) this.#set(this.all)
    return back
  }

  /** The most failed connects in a row of those that take new work. */
  get failures(): number {
    return Math.max(0, ...this.usable.map(({ admission }) => admission.failures))
  }

  /** When the first of the ejected is back. */
  get nextReturn(): number {
    return Math.min(...this.#in('ejected').map((site) => site.faults.until))
  }

  /**
   * Who gets the next connection: whoever was chosen and could not serve, else the one with the fewest for its weight. One that connects
   * have failed to only without any other; one that may have no more, never.
   */
  poorest(): Site | undefined {
    const { usable } = this
    const start = this.anyIndex() // of those that are alike, not always the first
    let best: Site | undefined
    for (let offset = 0; offset < usable.length; offset++) {
      const site = usable[(start + offset) % usable.length]
      if (site === undefined || !this.mayOpen(site)) continue
      if (best === undefined || isPoorer(site, best)) best = site
    }
    return best
  }

  /** Of one of `usable`, at random. */
  anyIndex(): number {
    return this.usable.length <= 1 ? 0 : Math.floor(this.#random() * this.usable.length)
  }

  /** Whether an endpoint may have one more connection, for its part. */
  mayOpen(site: Site): boolean {
    return site.state === 'listed' && site.admission.open && site.connections < this.#limits.maxPerEndpoint
  }

  /** Whether the cap of an endpoint allows one that takes work one more connection. */
  get haveRoom(): boolean {
    return this.usable.some((site) => site.connections < this.#limits.maxPerEndpoint)
  }

  /** Connections that those that take work have or may have besides those that somebody holds alone. */
  get withoutHolders(): number {
    return this.usable.reduce((sum, { tally }) => sum + this.#limits.maxPerEndpoint - tally.leased, 0)
  }

  /** How many may be left out. */
  get #mayEject(): number {
    const listed = this.all.length - this.#in('draining').length
    return Math.max(0, Math.min(Math.floor(listed * this.#limits.ejection.maxEjected), listed - 1))
  }

  #create(each: ListedEndpoint): Site {
    const site = new Site(each, this.#limits)
    site.cells = this.#live.map((home) => site.cell(home))
    return site
  }

  #in(state: SiteState): Site[] {
    return this.all.filter((site) => site.state === state)
  }

  #set(all: readonly Site[]): void {
    this.all = all
    this.usable = this.#in('listed')
    this.attend()
  }

  /** Looks again at which of them are down: after a connect has failed or succeeded, too. */
  attend(): void {
    const up = this.usable.filter((site) => !site.admission.down)
    this.down = up.length === 0 && this.usable.length > 0
    this.troubled = up.length < this.usable.length
    this.#balancer.set(up.length > 0 ? up : this.usable)
  }
}

function isPoorer(site: Site, best: Site): boolean {
  const trusted = site.admission.failures === 0
  if (trusted !== (best.admission.failures === 0)) return trusted
  if (site.missed !== best.missed) return site.missed
  return site.living / site.weight < best.living / best.weight
}
