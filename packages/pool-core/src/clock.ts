/** The pool's clock. Looking at it takes 35 ns, which is half of what lending an idle connection may take. */
import type { LookupAddress } from 'node:dns'
import type { NetConnectOpts, Socket } from 'node:net'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import type { Cancel, World } from '@cenote/pool-worker'
import type { Language } from './language.ts'
import type { Settings } from './options.ts'

/** Whether somebody decides by when a lease began or ended: how long it may be held, or whether its connection is probed before the next. */
export function timesMatter({ probeAfterIdleMs, leakDetectionMs, maxLeaseMs }: Settings, { hasProbe }: Language): boolean {
  return Math.min(leakDetectionMs, maxLeaseMs, hasProbe ? probeAfterIdleMs : Number.POSITIVE_INFINITY) < Number.POSITIVE_INFINITY
}

/** Readings of `justNow` are in quick succession when each comes, on average, within so many ms of the one before. */
const QUICK_MS = 0.01
/** After so many in quick succession only one of `STRIDE` looks. */
const QUICK = 16
const STRIDE = 32

/**
 * The world, with a second way to read its clock. `justNow` is what leases are timed with: it looks each time, unless many readings have come in
 * quick succession within this turn of the event loop; then the next few repeat the last. So it is behind by what
 * happens within 32 readings after some that took a few µs each, and right again in the next turn. Deadlines are reckoned from `now`.
 */
export class Clock implements World {
  readonly #world: World
  #exact: boolean
  #last = 0
  #quick = 0
  #repeats = 0
  #turning = false

  /** @param exact - Whether somebody decides by what `justNow` says. */
  constructor(world: World, exact: boolean) {
    this.#world = world
    this.#exact = exact
  }

  now(): number {
    this.#last = this.#world.now()
    return this.#last
  }

  /** The time of now, or of a moment ago: never before what was read last. */
  justNow(): number {
    if (this.#repeats > 0) {
      this.#repeats--
      return this.#last
    }
    return this.#look()
  }

  /** From now on somebody decides by what `justNow` says: it looks each time. */
  insist(): void {
    this.#exact = true
    this.#repeats = 0
  }

  timer(ms: number, ref: boolean, action: () => void): Cancel {
    return this.#world.timer(ms, ref, action)
  }

  immediate(action: () => void): Cancel {
    return this.#world.immediate(action)
  }

  random(): number {
    return this.#world.random()
  }

  connectTcp(options: NetConnectOpts): Socket {
    return this.#world.connectTcp(options)
  }

  connectTls(options: ConnectionOptions): TLSSocket {
    return this.#world.connectTls(options)
  }

  lookup(name: string): Promise<readonly LookupAddress[]> {
    return this.#world.lookup(name)
  }

  #look(): number {
    const before = this.#last
    const now = this.now()
    if (this.#exact) return now
    const quick = now - before < (this.#quick < QUICK ? QUICK_MS : QUICK_MS * STRIDE)
    this.#quick = quick ? Math.min(this.#quick + 1, QUICK) : 0
    if (this.#quick < QUICK) return now
    this.#repeats = STRIDE - 1
    if (!this.#turning) {
      this.#turning = true
      this.#world.immediate(this.#turn)
    }
    return now
  }

  /** What was read in another turn is too old. */
  readonly #turn = (): void => {
    this.#turning = false
    this.#repeats = 0
  }
}
