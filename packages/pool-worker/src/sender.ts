/** Writes messages of any length as frames, and keeps in order what the ring has no room for. */
import { copyBytes, skewOf } from './copies.ts'
import { Flag } from './frame.ts'
import type { Lane } from './lane.ts'
import type { RingProducer } from './ring.ts'

interface Spilled {
  readonly kind: number
  readonly flags: number
  readonly slot: number
  readonly serial: number
  readonly id: number
  payload: Buffer
  /** The payload goes beside the ring. */
  readonly beside: boolean
  sent: number
}

const NOTHING: Buffer = Buffer.alloc(0)

/**
 * The sending side of one ring. Never refuses and never waits: what finds no room is copied to a spill and follows, in
 * order, once the consumer has read on. Whoever sends looks at `spilling` and stops its source meanwhile.
 */
export class FrameSender {
  /** The ring, for whoever encodes in place. Only when not `spilling`. */
  readonly ring: RingProducer
  readonly #lane: Lane
  readonly #spill: Spilled[] = []
  #first = 0
  #spilledBytes = 0

  /** @param lane - For what goes beside the ring. */
  constructor(ring: RingProducer, lane: Lane) {
    this.ring = ring
    this.#lane = lane
  }

  /** Whether frames wait for room in the ring. */
  get spilling(): boolean {
    return this.#first < this.#spill.length
  }

  /** Payload bytes that wait for room in the ring. */
  get spilledBytes(): number {
    return this.#spilledBytes
  }

  /** Sends one message: `payload[start, end)`, in as many fragments as it takes. The payload may be reused afterwards. */
  send(
    kind: number,
    flags: number,
    slot: number,
    serial: number,
    id: number,
    payload: Uint8Array = NOTHING,
    start = 0,
    end: number = payload.length,
  ): void {
    const done = this.spilling ? start : this.#write(kind, flags, slot, serial, id, payload, start, end)
    if (done < 0) return
    const rest = done === end ? NOTHING : Buffer.from(Uint8Array.prototype.slice.call(payload, done, end).buffer)
    this.#spill.push({ kind, flags, slot, serial, id, payload: rest, beside: false, sent: 0 })
    this.#spilledBytes += rest.length
  }

  /** Sends one message whose payload is all of its memory, without a copy: it belongs to the other side from now on. */
  give(kind: number, flags: number, slot: number, serial: number, id: number, payload: Buffer): void {
    if (!this.spilling && this.#put(kind, flags, slot, serial, id, payload)) return
    this.#spill.push({ kind, flags, slot, serial, id, payload, beside: true, sent: 0 })
    this.#spilledBytes += payload.length
  }

  /**
   * Moves what was spilled into the ring, as far as there is room, and publishes.
   * @returns Whether the spill is empty.
   */
  flush(): boolean {
    while (this.#first < this.#spill.length) {
      const next = this.#spill[this.#first] as Spilled // in range: the loop's condition
      const { length } = next.payload // none is left of what goes beside the ring
      const done = this.#writeOn(next)
      this.#spilledBytes -= (done < 0 ? length : done) - next.sent
      if (done >= 0) {
        next.sent = done
        break
      }
      next.payload = NOTHING // the record may stay a while
      this.#first++
    }
    if (this.#first === this.#spill.length || this.#first > 1024) {
      this.#spill.splice(0, this.#first)
      this.#first = 0
    }
    this.ring.publish()
    return !this.spilling
  }

  #writeOn({ kind, flags, slot, serial, id, payload, beside, sent }: Spilled): number {
    if (!beside) return this.#write(kind, flags, slot, serial, id, payload, sent, payload.length)
    return this.#put(kind, flags, slot, serial, id, payload) ? -1 : sent
  }

  /** The memory first: whoever reads its frame finds it. Returns false when there is no room for one of them. */
  #put(kind: number, flags: number, slot: number, serial: number, id: number, payload: Buffer): boolean {
    const { ring } = this
    if (!ring.hasRoomBeside() || ring.reserve(0) < 0) return false
    const { length } = payload
    this.#lane.put(payload)
    ring.wentBeside(length)
    ring.commit(kind, flags | Flag.BESIDE, slot, serial, id, 0)
    return true
  }

  /** Writes fragments until done (-1) or the ring is full (the position reached). */
  #write(kind: number, flags: number, slot: number, serial: number, id: number, payload: Uint8Array, start: number, end: number): number {
    const ring = this.ring
    let from = start
    for (;;) {
      const length = Math.min(end - from, ring.maxPayload)
      const skew = skewOf(payload, from, length)
      const at = ring.reserve(length, skew)
      if (at < 0) return from
      if (length > 0) copyBytes(payload, from, from + length, ring.bytes, at)
      from += length
      ring.commit(kind, from < end ? flags | Flag.MORE : flags, slot, serial, id, length, skew)
      if (from === end) return -1
    }
  }
}
