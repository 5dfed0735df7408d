/** Doorbells: how one side of a ring wakes the other. They carry nothing; what there is to say is in the rings. */
import type { MessagePort } from 'node:worker_threads'
import type { World } from './world.ts'

/** One end of a doorbell. */
export interface Bell {
  /** Wakes the other end, in a later turn of its event loop. */
  ring(): void
  /** Says what a ring from the other end does. Once. */
  listen(onRing: () => void): void
  /** Whether this end keeps its process alive. */
  setRef(on: boolean): void
  close(): void
}

/** A shard's end: its sockets bring many replies in one turn. */
export interface ShardBell extends Bell {
  /** The other end rings when a turn of the event loop ends, not in a poll phase. */
  readonly late: boolean
  /** Wakes the other end when `hurry` is called, at the end of the turn at the latest: one ring for all that it brought. */
  ringSoon(): void
  /** Wakes the other end now, if that was to be done soon. */
  hurry(): void
}

/** A doorbell between threads. A ring costs both sides more than the handling of a small request. */
export class PortBell implements ShardBell {
  readonly late = false
  readonly #port: MessagePort
  #asked = false

  constructor(port: MessagePort) {
    this.#port = port
  }

  ring(): void {
    this.#port.postMessage(0)
  }

  ringSoon(): void {
    this.#asked = true
  }

  hurry(): void {
    if (!this.#asked) return
    this.#asked = false
    this.ring()
  }

  listen(onRing: () => void): void {
    this.#port.on('message', onRing)
  }

  setRef(on: boolean): void {
    if (on) this.#port.ref()
    else this.#port.unref()
  }

  close(): void {
    this.#asked = false
    this.#port.close()
  }
}

/** The two ends of a doorbell within one thread: `shards: 0`. */
export function localBells(world: World): [Bell, ShardBell] {
  let open = true
  const actions: [() => void, () => void] = [() => undefined, () => undefined]
  const end = (self: 0 | 1): ShardBell => ({
    late: true,
    ring: () => void world.immediate(() => open && actions[(1 - self) as 0 | 1]()),
    ringSoon() {
      this.ring()
    },
    hurry: () => undefined,
    listen: (onRing) => {
      actions[self] = onRing
    },
    setRef: () => undefined,
    close: () => {
      open = false
    },
  })
  return [end(0), end(1)]
}
