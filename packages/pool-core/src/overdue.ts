/** Leases that are held too long: told of after `leakDetectionMs`, taken back after `maxLeaseMs`. */
import { Deadlines, PoolError, type Timed, type World } from '@cenote/pool-worker'
import type { Hold } from './hold.ts'
import type { ConnectionInfo } from './lease.ts'
import type { Line } from './line.ts'
import type { Settings } from './options.ts'
import type { Events, LeakEvent } from './telemetry/events.ts'

/** Where a lease was acquired: its `stack` is put into words when it is first read. */
export type Captured = { readonly stack?: string }

/** Somewhere: it was not captured. */
const SOMEWHERE: Captured = {}

/** A lease in the wheel. */
export class Watch implements Timed {
  deadline: number
  wheelNext: Timed | undefined = undefined
  wheelPrev: Timed | undefined = undefined
  wheelBucket = -1
  readonly hold: Hold
  readonly #trace: Captured
  /** What was told of it. */
  told: LeakEvent | undefined = undefined

  constructor(hold: Hold, trace: Captured, deadline: number) {
    this.hold = hold
    this.#trace = trace
    this.deadline = deadline
  }

  /** The frames of whoever acquired it, the innermost first; undefined when it was not captured. */
  get stack(): string | undefined {
    const { stack } = this.#trace
    return stack?.slice(stack.indexOf('\n') + 1)
  }
}

export class Overdue {
  readonly #settings: Settings
  readonly #world: World
  readonly #events: Events
  readonly #describe: (line: Line) => ConnectionInfo
  readonly #expire: (hold: Hold, error: PoolError) => void
  readonly #firstMs: number
  readonly #captures: boolean
  readonly #wheel: Deadlines
  #warned = false

  /** @param expire - Told of each lease that was held for `maxLeaseMs`. */
  constructor(
    settings: Settings,
    world: World,
    events: Events,
    describe: (line: Line) => ConnectionInfo,
    expire: (hold: Hold, error: PoolError) => void,
  ) {
    this.#settings = settings
    this.#world = world
    this.#events = events
    this.#describe = describe
    this.#expire = expire
    this.#captures = settings.leakDetectionMs !== Number.POSITIVE_INFINITY
    this.#firstMs = Math.min(settings.leakDetectionMs, settings.maxLeaseMs)
    this.#wheel = new Deadlines(world, (entry) => this.#due(entry as Watch)) // only watches are added
  }

  /** Who acquires now, as far as that is wanted; undefined when leases are not looked after. */
  capture(api: (...given: never[]) => unknown): Captured | undefined {
    return this.#firstMs === Number.POSITIVE_INFINITY ? undefined : this.#stack(api)
  }

  #stack(api: (...given: never[]) => unknown): Captured {
    if (!this.#captures) return SOMEWHERE
    const trace: Captured = {}
    Error.captureStackTrace(trace, api)
    return trace
  }

  /** A lease begins that is looked after. */
  begin(hold: Hold, trace: Captured): void {
    const watch = new Watch(hold, trace, hold.grantedAt + this.#firstMs)
    hold.observe(watch)
    this.#wheel.add(watch)
  }

  /** A lease is over; `returned`: by its holder. */
  end({ watch, grantedAt }: Hold, returned: boolean): void {
    if (watch === undefined) return
    this.#wheel.remove(watch)
    const { told } = watch
    if (!returned || told === undefined) return
    const { connection, stack } = told
    this.#events.emit('leakReturned', () => ({ connection, heldMs: this.#world.now() - grantedAt, stack }))
  }

  /** A lease was collected. One whose connection was gone already has leaked nothing. */
  collected(hold: Hold): void {
    if (hold.line === undefined) return
    const leak = { ...this.#leakOf(hold), collected: true }
    this.#tell(leak, !this.#warned)
    this.#warned = true // once for all: who leaks one, leaks many
  }

  /** Nothing is told any more. */
  stop(): void {
    this.#wheel.clear()
  }

  #due(watch: Watch): void {
    const { hold } = watch
    const { leakDetectionMs, maxLeaseMs } = this.#settings
    const expires = hold.grantedAt + maxLeaseMs
    const expired = expires <= this.#world.now()
    if (watch.told === undefined) {
      watch.told = { ...this.#leakOf(hold), expired }
      this.#tell(watch.told, leakDetectionMs !== Number.POSITIVE_INFINITY)
    }
    if (!expired) {
      watch.deadline = expires
      return this.#wheel.add(watch)
    }
    const message = `the lease was held longer than maxLeaseMs (${maxLeaseMs})`
    this.#expire(hold, new PoolError('LEASE_EXPIRED', message, { phase: 'reply', outcome: 'maybe-executed' }))
  }

  #leakOf({ line, grantedAt, watch }: Hold): LeakEvent {
    const connection = line === undefined ? undefined : this.#describe(line)
    return { connection, heldMs: this.#world.now() - grantedAt, stack: watch?.stack, collected: false, expired: false }
  }

  #tell(leak: LeakEvent, warn: boolean): void {
    if (this.#events.heard('leak')) return this.#events.emit('leak', () => leak)
    if (warn) warnOf(this.#settings.name, leak)
  }
}

/** Nobody listens, and nobody would know. */
function warnOf(pool: string, { connection, heldMs, stack, collected, expired }: LeakEvent): void {
  const how = expired
    ? 'was taken back after maxLeaseMs'
    : collected
      ? 'was garbage-collected without having been released; others are not warned of'
      : 'has not been released yet'
  const where = connection === undefined ? '' : ` of connection ${connection.id} to ${connection.endpoint}`
  process.emitWarning(`${pool}: a lease${where}, held for ${Math.round(heldMs)} ms, ${how}. pool.events 'leak' tells each.`, {
    type: 'CenoteLeakWarning',
    code: 'CENOTE_LEAK',
    ...(stack === undefined ? {} : { detail: `acquired\n${stack}` }),
  })
}
