/**
 * A byte ring for one producer and one consumer, in shared memory.
 *
 * ```
 *            tail (consumer)          head (producer)
 *              │                        │
 *   ┌──────────▼────────────────────────▼──────────────┐
 *   │  free    │ frame │ frame │ frame  │ free   │ PAD  │     a frame is never split: PAD fills the end
 *   └──────────────────────────────────────────────────┘
 * ```
 * Indexes count bytes and wrap at 2³²; their difference, as a 32-bit integer, is what is in the ring.
 *
 * Memory that goes beside the ring, and has a frame in it, counts as well: as many bytes as the ring has, and one piece more, may be on
 * their way at a time.
 *
 * Two flags, or a wake-up is lost. *consumer sleeps* (1 at birth) is set by the consumer before it returns to its event
 * loop, *producer waits* by the producer when there is no room. Each sets its own flag and re-reads the other's
 * index before it goes; the other, having moved its index, takes the flag with an exchange and rings the bell.
 */
import { HEADER_BYTES, Kind } from './frame.ts'

const HEAD = 0 // written by the producer
const SLEEPS = 16 // a cache line apart, so that the two sides do not fight over one
const TAIL = 32 // written by the consumer
const TAKEN = 33 // written by the consumer, as TAIL is
const WAITS = 48
const CONTROL_WORDS = 64

/** What is beside the ring is counted in these: a difference of two counts stays below 2³¹ whatever one piece takes. */
const BESIDE_UNIT = 1024

/** The two pieces of memory that both sides of one ring hold. */
export interface RingMemory {
  readonly control: SharedArrayBuffer | ArrayBuffer
  readonly data: SharedArrayBuffer | ArrayBuffer
}

/**
 * Memory for a ring.
 *
 * @param bytes - Size, a power of two, at least 128.
 * @param shared - Whether the two ends live on two threads.
 * @param origin - Where both indexes start: tests start just below 2³¹ to meet the wrap.
 */
export function createRing(bytes: number, shared: boolean, origin = 0): RingMemory {
  if (bytes < 128 || (bytes & (bytes - 1)) !== 0) throw new RangeError(`a ring's size is a power of two from 128 up, not ${bytes}`)
  const allocate = (size: number) => (shared ? new SharedArrayBuffer(size) : new ArrayBuffer(size))
  const memory = { control: allocate(CONTROL_WORDS * 4), data: allocate(bytes) }
  const control = new Int32Array(memory.control)
  control[HEAD] = origin | 0
  control[TAIL] = origin | 0
  control[SLEEPS] = 1
  return memory
}

/** What a consumer does with each frame. The payload is `ring.bytes[start, end)`: valid during the call only. */
export type OnFrame = (kind: number, flags: number, slot: number, serial: number, id: number, start: number, end: number) => void

function units(bytes: number): number {
  return Math.ceil(bytes / BESIDE_UNIT)
}

/** A payload's length and how far behind its header it begins share a word: a frame, PAD too, takes an eighth of the ring at most, so 2²⁷ bytes. */
const LENGTH_BITS = 28
const LENGTH_MASK = (1 << LENGTH_BITS) - 1

/** @param length - Of the payload, and how far behind its header that begins. */
function frameBytes(length: number): number {
  return (length + HEADER_BYTES + HEADER_BYTES - 1) & ~(HEADER_BYTES - 1)
}

/** The writing end. What is written shows on the other side at the next `publish`. */
export class RingProducer {
  /** The ring's bytes, for writing a payload in place after `reserve`. */
  readonly bytes: Buffer
  /** The longest payload of one frame: an eighth of the ring, so that no message can fill it. */
  readonly maxPayload: number
  readonly #control: Int32Array
  readonly #words: Int32Array
  readonly #size: number
  readonly #mask: number
  readonly #ring: () => void
  #head: number
  #published: number
  #tail: number
  /** How much has gone beside the ring, and how much of it was taken. */
  #beside = 0
  #taken = 0

  /** @param bell - Wakes the consumer's thread. */
  constructor(memory: RingMemory, bell: () => void) {
    this.bytes = Buffer.from(memory.data as ArrayBuffer) // a Buffer over shared memory is allowed; the types know only ArrayBuffer
    this.#control = new Int32Array(memory.control)
    this.#words = new Int32Array(memory.data)
    this.#size = memory.data.byteLength
    this.#mask = this.#size - 1
    this.maxPayload = Math.max(2 * HEADER_BYTES, this.#size / 8) - HEADER_BYTES
    this.#ring = bell
    this.#head = this.#published = Atomics.load(this.#control, HEAD)
    this.#tail = Atomics.load(this.#control, TAIL)
  }

  /** Whether frames are written and not yet published. */
  get unpublished(): boolean {
    return this.#head !== this.#published
  }

  /**
   * Finds room for one frame with a payload of up to `length` (at most `maxPayload`) in one piece.
   * @param skew - So many bytes behind its header, at most 7, it is to begin.
   * @returns Where in `bytes` the payload goes, or -1 when the ring is full; then the consumer rings once it made room.
   */
  reserve(length: number, skew = 0): number {
    const need = frameBytes(length + skew)
    let at = this.#head & this.#mask
    const tillEnd = this.#size - at
    const total = tillEnd < need ? tillEnd + need : need
    if (!this.#hasRoom(total)) return -1
    if (tillEnd < need) {
      this.#words[at >> 2] = tillEnd - HEADER_BYTES
      this.#words[(at >> 2) + 1] = Kind.PAD
      this.#head = (this.#head + tillEnd) | 0
      at = 0
    }
    return at + HEADER_BYTES + skew
  }

  /** Whether the place that `reserve` gave is still that of the next frame: nobody has committed one meanwhile. */
  isNext(at: number, skew: number): boolean {
    return (this.#head & this.#mask) + HEADER_BYTES + skew === at
  }

  /** Completes the frame whose place `reserve` gave, with the payload's true length and the same skew. */
  commit(kind: number, flags: number, slot: number, serial: number, id: number, length: number, skew = 0): void {
    const word = (this.#head & this.#mask) >> 2
    const words = this.#words
    words[word] = length | (skew << LENGTH_BITS)
    words[word + 1] = kind | (flags << 8) | (slot << 16)
    words[word + 2] = serial
    words[word + 3] = id
    this.#head = (this.#head + frameBytes(length + skew)) | 0
  }

  /** Shows the consumer all that was written, and wakes it if it sleeps. */
  publish(): void {
    if (this.#head === this.#published) return
    Atomics.store(this.#control, HEAD, this.#head)
    this.#published = this.#head
    if (Atomics.load(this.#control, SLEEPS) === 1 && Atomics.exchange(this.#control, SLEEPS, 0) === 1) this.#ring()
  }

  /** Whether a piece of memory may go beside the ring; if not, the consumer rings once it took what is under way. */
  hasRoomBeside(): boolean {
    if (this.#isRoomBeside()) return true
    this.#taken = Atomics.load(this.#control, TAKEN)
    if (this.#isRoomBeside()) return true
    Atomics.store(this.#control, WAITS, 1)
    this.#taken = Atomics.load(this.#control, TAKEN)
    return this.#isRoomBeside()
  }

  /** Counts a piece that goes beside the ring. */
  wentBeside(bytes: number): void {
    this.#beside = (this.#beside + units(bytes)) | 0
  }

  #isRoomBeside(): boolean {
    return ((this.#beside - this.#taken) | 0) * BESIDE_UNIT < this.#size
  }

  #hasRoom(total: number): boolean {
    if (this.#size - ((this.#head - this.#tail) | 0) >= total) return true
    this.#tail = Atomics.load(this.#control, TAIL)
    if (this.#size - ((this.#head - this.#tail) | 0) >= total) return true
    Atomics.store(this.#control, WAITS, 1)
    this.#tail = Atomics.load(this.#control, TAIL)
    return this.#size - ((this.#head - this.#tail) | 0) >= total
  }
}

/** The reading end. */
export class RingConsumer {
  /** The ring's bytes, where `OnFrame` finds a payload. */
  readonly bytes: Buffer
  readonly #control: Int32Array
  readonly #words: Int32Array
  readonly #mask: number
  readonly #step: number
  readonly #ring: () => void
  #tail: number
  #freed: number

  /** @param bell - Wakes the producer's thread. */
  constructor(memory: RingMemory, bell: () => void) {
    this.bytes = Buffer.from(memory.data as ArrayBuffer) // as above
    this.#control = new Int32Array(memory.control)
    this.#words = new Int32Array(memory.data)
    this.#mask = memory.data.byteLength - 1
    this.#step = memory.data.byteLength / 4
    this.#ring = bell
    this.#tail = this.#freed = Atomics.load(this.#control, TAIL)
  }

  /**
   * Reads up to `budget` frames, giving their room back as it goes.
   *
   * A frame counts as read before `onFrame` sees it, so one that throws is not met again.
   * @returns Whether frames are left.
   */
  drain(onFrame: OnFrame, budget: number): boolean {
    const words = this.#words
    let head = Atomics.load(this.#control, HEAD)
    try {
      for (let left = budget; left > 0; ) {
        if (this.#tail === head) {
          head = Atomics.load(this.#control, HEAD)
          if (this.#tail === head) return false
        }
        const at = this.#tail & this.#mask
        const word = at >> 2
        // In range by construction: `at` is below the ring's size.
        const place = words[word] as number
        const length = place & LENGTH_MASK
        const skew = place >>> LENGTH_BITS
        const meta = words[word + 1] as number
        const next = (this.#tail + frameBytes(length + skew)) | 0
        this.#tail = next
        if ((meta & 0xff) !== Kind.PAD) {
          left--
          const start = at + HEADER_BYTES + skew
          onFrame(
            meta & 0xff,
            (meta >>> 8) & 0xff,
            meta >>> 16,
            words[word + 2] as number,
            words[word + 3] as number,
            start,
            start + length,
          )
        }
        if (((next - this.#freed) | 0) >= this.#step) this.#free()
      }
      return this.#tail !== Atomics.load(this.#control, HEAD)
    } finally {
      this.#free()
    }
  }

  /**
   * Says that the consumer returns to its event loop and wants the bell.
   * @returns False when frames have come meanwhile: drain again instead.
   */
  sleep(): boolean {
    Atomics.store(this.#control, SLEEPS, 1)
    if (Atomics.load(this.#control, HEAD) === this.#tail) return true
    Atomics.store(this.#control, SLEEPS, 0)
    return false
  }

  /** Says that the consumer reads again soon: no bell is needed until it sleeps. */
  stayAwake(): void {
    Atomics.store(this.#control, SLEEPS, 0)
  }

  /** Counts a piece that came beside the ring. */
  tookBeside(bytes: number): void {
    Atomics.add(this.#control, TAKEN, units(bytes))
    this.#wake()
  }

  #free(): void {
    if (this.#freed === this.#tail) return
    Atomics.store(this.#control, TAIL, this.#tail)
    this.#freed = this.#tail
    this.#wake()
  }

  #wake(): void {
    if (Atomics.load(this.#control, WAITS) === 1 && Atomics.exchange(this.#control, WAITS, 0) === 1) this.#ring()
  }
}
