/**
 * Wakes the main thread at moments between two milliseconds, without burning a processor. Node's timers fire on whole milliseconds, which
 * is longer than what is measured; a thread that sleeps on a word of shared memory wakes to 0.1 ms, and rings.
 */
import { Worker } from 'node:worker_threads'

/** Who wakes a loop. */
export interface Pacer {
  /** Calls `wake` once, not before `performance.now()` is `atMs`. One at a time. */
  wakeAt(atMs: number, wake: () => void): void
  /** A call that is still to come does not come. */
  close(): Promise<void>
}

/** Words of the shared memory: how often it was set, and, as a double behind it, until when to sleep. */
const BYTES = 16
const SEQUENCE = 0
const DEADLINE = 1
const OVER = -1

/** A thread of its own. */
export class Metronome implements Pacer {
  /** Resolves when its thread runs. */
  readonly ready: Promise<void>
  readonly #memory = new SharedArrayBuffer(BYTES)
  readonly #sequence = new Int32Array(this.#memory)
  readonly #deadline = new Float64Array(this.#memory)
  readonly #worker: Worker
  readonly #offsetMs = monotonicMs() - performance.now()
  #wake: (() => void) | undefined

  /** @param entry - The file of the thread. */
  constructor(entry: URL) {
    this.#worker = new Worker(entry, { workerData: this.#memory })
    this.ready = new Promise((resolve) => void this.#worker.once('online', resolve))
    this.#worker.on('message', () => {
      const wake = this.#wake
      this.#wake = undefined
      wake?.()
    })
  }

  wakeAt(atMs: number, wake: () => void): void {
    this.#wake = wake
    this.#deadline[DEADLINE] = atMs + this.#offsetMs
    Atomics.store(this.#sequence, SEQUENCE, (Atomics.load(this.#sequence, SEQUENCE) + 1) & 0x3fffffff)
    Atomics.notify(this.#sequence, SEQUENCE)
  }

  async close(): Promise<void> {
    this.#wake = undefined
    Atomics.store(this.#sequence, SEQUENCE, OVER)
    Atomics.notify(this.#sequence, SEQUENCE)
    await new Promise((resolve) => this.#worker.once('exit', resolve))
  }
}

/** The thread's side: sleeps, rings, sleeps; returns when it is over. */
export function keepTime(memory: SharedArrayBuffer, ring: () => void): void {
  const sequence = new Int32Array(memory)
  const deadline = new Float64Array(memory)
  for (let seen = 0; ; ) {
    Atomics.wait(sequence, SEQUENCE, seen)
    seen = Atomics.load(sequence, SEQUENCE)
    if (seen === OVER) return
    const left = () => (deadline[DEADLINE] ?? 0) - monotonicMs()
    // What wakes it early may be the notification of the very deadline that it sleeps for: it saw that before it was notified.
    for (let ms = left(); ms > 0 && Atomics.load(sequence, SEQUENCE) === seen; ms = left()) Atomics.wait(sequence, SEQUENCE, seen, ms)
    if (Atomics.load(sequence, SEQUENCE) === seen) ring()
  }
}

/** One clock for both threads, whose `performance.now()` begins at the start of each. */
function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1_000 + nanoseconds / 1e6
}
