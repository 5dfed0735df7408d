/** Who waits, until when: the deadlines, the abort signals, and the count that keeps the process alive. */
import { type Cancel, Deadlines, type Timed, type World } from '@cenote/pool-worker'
import type { Call } from './calls.ts'
import { Signals } from './signals.ts'

/** In ms: so long after the last caller has gone the process may end. */
const RELAX_MS = 10

/**
 * Every call passes `begin` once and `settle` or `reject` once. A held lease counts by `hold` and `letGo`. While anything
 * is held, `refs` keeps the process alive.
 */
export class Waits {
  readonly #world: World
  readonly #deadlines: Deadlines
  readonly #signals: Signals
  readonly #refs: (on: boolean) => void
  #held = 0
  #refed = false
  #relaxing: Cancel | undefined = undefined
  #none: (() => void) | undefined = undefined

  /**
   * @param expired - A call's deadline has passed; it is not settled yet.
   * @param catchUp - Reads what has arrived, before anything expires: a reply already there wins.
   * @param aborted - A signal was aborted, and what waits under it; nothing of that is settled yet.
   * @param refs - Whether the pool keeps the process alive.
   */
  constructor(
    world: World,
    expired: (call: Call) => void,
    catchUp: () => void,
    aborted: (calls: readonly Call[], reason: unknown) => void,
    refs: (on: boolean) => void,
  ) {
    this.#world = world
    this.#signals = new Signals(aborted)
    this.#refs = refs
    this.#deadlines = new Deadlines(world, (entry: Timed) => expired(entry as Call), catchUp) // only calls are added
  }

  /** Calls that are not settled, and leases that are held. */
  get held(): number {
    return this.#held
  }

  /** While a deadline expires: how much later than it should, in ms. */
  get late(): number {
    return this.#deadlines.late
  }

  /** Whether the process is kept alive now. */
  get refed(): boolean {
    return this.#refed
  }

  /**
   * Starts a call's clock, as if at `since`, and watches its signal. Returns false when that was aborted already; the call is
   * rejected then.
   */
  begin(call: Call, signal: AbortSignal | undefined, since: number = this.#world.now()): boolean {
    this.hold()
    this.#start(call, since + call.timeoutMs)
    if (signal === undefined) return true
    if (signal.aborted) {
      call.aborted()
      this.reject(call, signal.reason)
      return false
    }
    this.#signals.watch(call, signal)
    return true
  }

  /** A call that waits does so for the rest of another's wait, which was not in vain: with the deadline and the signal of that. */
  join(call: Call, { timeoutMs, deadline, watch }: Call): void {
    if (call.settled) return
    this.#deadlines.remove(call)
    call.timeoutMs = timeoutMs
    this.#start(call, deadline)
    if (watch === undefined) return
    if (watch.signal.aborted) this.#signals.aborted([call], watch.signal.reason)
    else this.#signals.watch(call, watch.signal)
  }

  #start(call: Call, deadline: number): void {
    if (call.timeoutMs === Number.POSITIVE_INFINITY) return
    call.deadline = deadline
    this.#deadlines.add(call)
  }

  /** A call is about to settle. */
  readonly settle = (call: Call): void => {
    this.#deadlines.remove(call)
    this.letGo()
  }

  resolve(call: Call, value: unknown): void {
    this.settle(call)
    call.resolve(value)
  }

  reject(call: Call, error: unknown): void {
    this.settle(call)
    call.reject(error)
  }

  hold(): void {
    this.#held++
    if (!this.#refed) this.#keepAlive()
  }

  #keepAlive(): void {
    this.#refed = true
    this.#deadlines.setRef(true)
    this.#refs(true)
  }

  letGo(): void {
    this.#held--
    if (this.#held === 0 && (this.#relaxing === undefined || this.#none !== undefined)) this.#rest()
  }

  /** Nothing is held any more. */
  #rest(): void {
    this.#none?.()
    this.#relaxing ??= this.#world.timer(RELAX_MS, false, this.#relax)
  }

  /** Resolves when nothing is held, at the latest after `timeoutMs`. */
  async none(timeoutMs: number): Promise<void> {
    if (this.#held === 0) return
    await new Promise<void>((resolve) => {
      const cancel = timeoutMs === Number.POSITIVE_INFINITY ? () => undefined : this.#world.timer(timeoutMs, true, resolve)
      this.#none = () => {
        cancel()
        resolve()
      }
    })
    this.#none = undefined
  }

  /** Stops the clocks. */
  stop(): void {
    this.#deadlines.clear()
    this.#relaxing?.()
    this.#relaxing = undefined
  }

  /** Lets the process end, a while later: a pool in use does not come here between two requests, nor makes a turn of the event loop for it. */
  readonly #relax = (): void => {
    this.#relaxing = undefined
    if (this.#held > 0 || !this.#refed) return
    this.#refed = false
    this.#deadlines.setRef(false)
    this.#refs(false)
  }
}
