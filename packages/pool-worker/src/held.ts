/** Bytes kept for one connection: the beginning of a frame that is not complete, or what its reader has no room for yet. */

const CHUNK_BYTES = 4096

/** A list of private chunks. Small pieces share one, so that a peer which sends byte by byte costs no memory. */
export class HeldBytes {
  readonly #chunks: Buffer[] = []
  #lastUsed = 0
  #first = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Copies `source[start, end)` behind what is there. */
  append(source: Uint8Array, start: number, end: number): void {
    this.#length += end - start
    let from = start
    const last = this.#chunks.at(-1)
    if (last !== undefined && this.#lastUsed < last.length) {
      const size = Math.min(end - from, last.length - this.#lastUsed)
      last.set(source.subarray(from, from + size), this.#lastUsed)
      this.#lastUsed += size
      from += size
    }
    if (from === end) return
    const chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, end - from))
    chunk.set(source.subarray(from, end))
    this.#chunks.push(chunk)
    this.#lastUsed = end - from
  }

  /** Shows each part in order. They may be used during the call only. */
  each(action: (part: Buffer) => void): void {
    if (this.#length === 0) return
    for (let i = 0; i < this.#chunks.length; i++) action(this.#part(i))
  }

  /** Takes up to `limit` bytes off the front, in one or more parts. They may be used during the call only. */
  drain(limit: number, action: (part: Buffer) => void): void {
    let left = limit
    while (left > 0 && this.#length > 0) {
      const part = this.#part(0)
      const size = Math.min(left, part.length)
      action(part.subarray(0, size))
      left -= size
      this.#length -= size
      this.#first += size
      if (size === part.length) {
        this.#chunks.shift()
        this.#first = 0
      }
    }
  }

  /** All bytes, and then `tail[start, end)`, in memory of their own. */
  join(tail: Uint8Array, start: number, end: number): Buffer {
    const whole = Buffer.allocUnsafeSlow(this.#length + end - start)
    let at = 0
    this.each((part) => {
      at += part.copy(whole, at)
    })
    whole.set(tail.subarray(start, end), at)
    return whole
  }

  /** Forgets all; a small chunk is kept for the next time. */
  clear(): void {
    if (this.#chunks.length === 0) return
    if (this.#chunks[0]?.length === CHUNK_BYTES) this.#chunks.length = 1
    else this.#chunks.length = 0
    this.#length = this.#lastUsed = this.#first = 0
  }

  #part(index: number): Buffer {
    const chunk = this.#chunks[index] as Buffer // in range: every caller's condition
    return chunk.subarray(index === 0 ? this.#first : 0, index === this.#chunks.length - 1 ? this.#lastUsed : chunk.length)
  }
}
