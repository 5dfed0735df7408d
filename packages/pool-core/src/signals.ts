/** The abort signals of callers: one listener for each, however many calls it ends. */
import type { Call } from './calls.ts'

/**
 * The calls that wait under one signal, first come first, threaded through the calls themselves. A listener for each of them would cost
 * more the more there are, and bring a warning of Node's from the eleventh on.
 */
export class SignalWatch {
  readonly signal: AbortSignal
  #first: Call | undefined = undefined
  #last: Call | undefined = undefined
  readonly #signals: Signals

  constructor(signal: AbortSignal, signals: Signals) {
    this.signal = signal
    this.#signals = signals
    signal.addEventListener('abort', this)
  }

  add(call: Call): void {
    call.watch = this
    call.watchPrev = this.#last
    if (this.#last === undefined) this.#first = call
    else this.#last.watchNext = call
    this.#last = call
  }

  remove(call: Call): void {
    const { watchNext: next, watchPrev: previous } = call
    if (previous === undefined) this.#first = next
    else previous.watchNext = next
    if (next === undefined) this.#last = previous
    else next.watchPrev = previous
    call.watch = call.watchNext = call.watchPrev = undefined
    if (this.#first !== undefined) return
    this.signal.removeEventListener('abort', this)
    this.#signals.forget(this)
  }

  /** The signal's event. */
  handleEvent(): void {
    const calls: Call[] = []
    for (let call = this.#first; call !== undefined; call = call.watchNext) calls.push(call)
    this.#signals.aborted(calls, this.signal.reason)
  }
}

/** The signals that calls wait under at this moment. */
export class Signals {
  /** Tells of the calls of a signal that was aborted, none of which has settled. */
  readonly aborted: (calls: readonly Call[], reason: unknown) => void
  readonly #watches: Map<AbortSignal, SignalWatch> = new Map()

  constructor(aborted: (calls: readonly Call[], reason: unknown) => void) {
    this.aborted = aborted
  }

  /** Watches a signal for a call, until that settles. */
  watch(call: Call, signal: AbortSignal): void {
    let watch = this.#watches.get(signal)
    if (watch === undefined) {
      watch = new SignalWatch(signal, this)
      this.#watches.set(signal, watch)
    }
    watch.add(call)
  }

  /** Nobody waits under a signal any more. */
  forget({ signal }: SignalWatch): void {
    this.#watches.delete(signal)
  }
}
