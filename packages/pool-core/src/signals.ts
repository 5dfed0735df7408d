/** The abort signals of callers: one listener for each, however many calls it ends. */
import type { Call } from './calls.ts'

/**
 * The calls that wait under one signal, first come first. A listener for each of them would cost more the more there are, and bring a
 * warning of Node's from the eleventh on.
 */
export class SignalWatch {
  readonly signal: AbortSignal
  readonly #signals: Signals
  /** Most signals are of one call: only the second brings a set. */
  #first: Call | undefined
  #others: Set<Call> | undefined = undefined
  readonly #onAbort: () => void

  /** @param first - The first call under the signal. */
  constructor(signal: AbortSignal, signals: Signals, first: Call) {
    this.signal = signal
    this.#signals = signals
    this.#first = first
    this.#onAbort = () => signals.aborted(this.#calls(), signal.reason)
    signal.addEventListener('abort', this.#onAbort)
  }

  add(call: Call): void {
    this.#others ??= new Set()
    this.#others.add(call)
  }

  remove(call: Call): void {
    if (call === this.#first) this.#first = undefined
    else this.#others?.delete(call)
    if (this.#first !== undefined || (this.#others !== undefined && this.#others.size > 0)) return
    this.signal.removeEventListener('abort', this.#onAbort)
    this.#signals.forget(this.signal)
  }

  #calls(): Call[] {
    const first = this.#first === undefined ? [] : [this.#first]
    return this.#others === undefined ? first : [...first, ...this.#others]
  }
}

/** The signals that calls wait under at this moment. */
export class Signals {
  /** Tells of the calls of a signal that was aborted, none of which has settled. */
  readonly aborted: (calls: readonly Call[], reason: unknown) => void
  readonly #watches: WeakMap<AbortSignal, SignalWatch> = new WeakMap()

  constructor(aborted: (calls: readonly Call[], reason: unknown) => void) {
    this.aborted = aborted
  }

  /** Watches a signal for a call, until that settles. */
  watch(call: Call, signal: AbortSignal): void {
    const watch = this.#watches.get(signal)
    if (watch !== undefined) {
      watch.add(call)
      call.watch = watch
      return
    }
    call.watch = new SignalWatch(signal, this, call)
    this.#watches.set(signal, call.watch)
  }

  /** Nobody waits under a signal any more. */
  forget(signal: AbortSignal): void {
    this.#watches.delete(signal)
  }
}
