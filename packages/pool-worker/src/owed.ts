/** The requests of one connection that owe a reply, oldest first. */

/** Whoever waits in the shard itself: a hook, or a handler. */
export interface LocalCaller {
  readonly request: unknown
  resolve(reply: unknown): void
  reject(error: unknown): void
}

/** One request on its way. */
export interface Owed {
  /** Its caller's id on the other side of the ring; not used when `local` is set. */
  readonly callId: number
  /** How many calls of the other side began on this connection before it; -1 for a local one. */
  readonly ordinal: number
  readonly local: LocalCaller | undefined
  /** Its bytes in the outbox, which were not given to the kernel yet. */
  unwritten: number
  /** At least one byte of it was given to the kernel. */
  written: boolean
  /** All of its fragments have come. */
  complete: boolean
  /** Nobody waits for its reply any more. */
  abandoned: boolean
}

/** First in, first out; the oldest is at the front. */
export class OwedQueue {
  #items: Owed[] = []
  #first = 0

  get length(): number {
    return this.#items.length - this.#first
  }

  /** The oldest. */
  get head(): Owed | undefined {
    return this.#items[this.#first]
  }

  push(item: Owed): void {
    this.#items.push(item)
  }

  /** Takes the oldest out. */
  shift(): void {
    this.#first++
    if (this.#first === this.#items.length) {
      this.#items.length = this.#first = 0
    } else if (this.#first >= 256 && this.#first * 2 >= this.#items.length) {
      this.#items.splice(0, this.#first)
      this.#first = 0
    }
  }

  find(callId: number): Owed | undefined {
    for (let i = this.#first; i < this.#items.length; i++) {
      const item = this.#items[i]
      if (item !== undefined && item.local === undefined && item.callId === callId) return item
    }
    return undefined
  }

  /** Takes one that was not written out of the line. Returns where its bytes begin in the outbox. */
  remove(item: Owed): number {
    const at = this.#items.indexOf(item, this.#first)
    let before = 0
    for (let i = this.#first; i < at; i++) before += this.#items[i]?.unwritten ?? 0
    this.#items.splice(at, 1)
    if (this.#first === this.#items.length) this.#items.length = this.#first = 0
    return before
  }

  /** The youngest first, until `action` says stop by returning false. */
  eachFromLast(action: (item: Owed) => boolean): void {
    for (let i = this.#items.length - 1; i >= this.#first; i--) {
      const item = this.#items[i]
      if (item === undefined || !action(item)) return
    }
  }

  /** Takes all out, oldest first. */
  clear(): Owed[] {
    const all = this.#items.slice(this.#first)
    this.#items.length = this.#first = 0
    return all
  }
}
