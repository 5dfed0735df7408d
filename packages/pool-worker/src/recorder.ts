/**
 * The flight recorder: the last events of whoever writes it, in memory that outlives the writer.
 *
 * ```
 *  ┌─────────┬────────┬──────────────┬ ─ ─ ┬──────────────┬───────┬──────┬────────┬────────┬ ─ ─
 *  │ written │ unused │ origin (f64) │     │ time (f64)   │ event │ slot │ serial │ detail │
 *  └─────────┴────────┴──────────────┴ ─ ─ ┴──────────────┴───────┴──────┴────────┴────────┴ ─ ─
 *   header, 4 words                         one record of 6 words; used in a circle
 * ```
 * Numbers alone, so that no payload and no secret can be in it. A record counts once it is complete. The circle is twice as long as what
 * is read of it, so that who writes on another thread meanwhile is far away.
 */

/** Events that are read: the last so many. */
export const RECORDED = 256

/** Records in the circle: a power of two. */
const CIRCLE: number = 2 * RECORDED
const HEADER_WORDS = 4
const RECORD_WORDS = 6
const BYTES = (HEADER_WORDS + CIRCLE * RECORD_WORDS) * Int32Array.BYTES_PER_ELEMENT

/** Memory of a recorder. */
export type RecorderMemory = SharedArrayBuffer | ArrayBuffer

/** @param shared - Whether it is written on one thread and read on another. */
export function createRecorder(shared: boolean): RecorderMemory {
  return shared ? new SharedArrayBuffer(BYTES) : new ArrayBuffer(BYTES)
}

/** Where the record with this number stands, in words. */
function placeOf(order: number): number {
  return HEADER_WORDS + (order & (CIRCLE - 1)) * RECORD_WORDS
}

/** The writing end: one alone for each memory. */
export class Recorder {
  readonly #words: Int32Array
  readonly #numbers: Float64Array
  #written: number

  /** @param origin - Milliseconds since the epoch at which the writer's clock shows 0. */
  constructor(memory: RecorderMemory, origin: number) {
    this.#words = new Int32Array(memory)
    this.#numbers = new Float64Array(memory)
    this.#numbers[1] = origin
    this.#written = Atomics.load(this.#words, 0) // 0, but in tests, which meet the wrap of the count
  }

  /**
   * Keeps one event.
   *
   * @param time - By the writer's clock, in milliseconds.
   * @param slot - Its index, with the serial of the connection in it; -1 and 0 if it is of none.
   */
  note(time: number, event: number, slot: number, serial: number, detail: number): void {
    const words = this.#words
    const at = placeOf(this.#written)
    this.#numbers[at / 2] = time
    words[at + 2] = event
    words[at + 3] = slot
    words[at + 4] = serial
    words[at + 5] = detail
    this.#written = (this.#written + 1) | 0
    Atomics.store(words, 0, this.#written) // publishes the record
  }
}

/** One event, in numbers. */
export interface Recorded {
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly event: number
  readonly slot: number
  readonly serial: number
  readonly detail: number
}

/** What is in a recorder, oldest first, whether its writer lives or not. */
export function readRecorder(memory: RecorderMemory): Recorded[] {
  const words = new Int32Array(memory)
  const numbers = new Float64Array(memory)
  const origin = numbers[1] ?? 0
  const written = Atomics.load(words, 0)
  const all: Recorded[] = []
  for (let order = written - RECORDED; order < written; order++) {
    const at = placeOf(order)
    const [, , event = 0, slot = 0, serial = 0, detail = 0] = words.subarray(at, at + RECORD_WORDS)
    const time = numbers[at / 2] ?? 0
    if (time !== 0) all.push({ time: origin + time, event, slot, serial, detail }) // 0: never written
  }
  return Atomics.load(words, 0) - written < RECORDED - 1 ? all : readRecorder(memory) // overtaken: that cannot go on for long
}
