/** Doorbells: how one side of a ring wakes the other. They carry nothing; what there is to say is in the rings. */
import type { MessagePort } from 'node:worker_threads'
import type { World } from './world.ts'

/** One end of a doorbell. */
export interface Bell {
  /** Wakes the other end: in another thread in a later turn of its event loop. */
  ring(): void
  /**
   * Says what a ring from the other end does. Once.
   *
   * @param alone - Whether exactly one call or handler is in flight: within one thread there is no use then in waiting for more to come.
   */
  listen(onRing: () => void, alone?: () => boolean): void
  /** Whether this end keeps its process alive. */
  setRef(on: boolean): void
  close(): void
}

/** A shard's end: its sockets bring many replies in one turn. */
export interface ShardBell extends Bell {
  /** Wakes the other end when `hurry` or `endTurn` is called: one ring for all that the turn has brought. */
  ringSoon(): void
  /** Wakes the other end now, if that was to be done soon and if it can run before this turn ends. */
  hurry(): void
  /** Wakes the other end now, if that was to be done soon: the turn ends. */
  endTurn(): void
}

/** A doorbell between threads. A ring costs both sides more than the handling of a small request. */
export class PortBell implements ShardBell {
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

  endTurn(): void {
    this.hurry()
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

/**
 * The two ends of a doorbell within one thread, `shards: 0`. A shard that is rung for asks for the end of its turn, where it calls the caller's side for
 * all that the turn has brought; for what only one waits for when the callback that has brought it is over.
 */
export function localBells(world: World): [Bell, ShardBell] {
  const actions = { caller: (): void => undefined, shard: (): void => undefined }
  let open = true
  let asked = false
  let isAlone = (): boolean => false
  const callCaller = (): void => {
    if (open) actions.caller()
  }
  const both = {
    setRef: () => undefined,
    close: () => {
      open = false
    },
  }
  return [
    {
      ...both,
      ring: () => open && actions.shard(),
      listen: (onRing, alone = isAlone) => {
        actions.caller = onRing
        isAlone = alone
      },
    },
    {
      ...both,
      ring: () => void world.immediate(callCaller),
      ringSoon: () => {
        if (isAlone()) queueMicrotask(callCaller)
        else asked = true
      },
      hurry: () => undefined,
      endTurn: () => {
        if (!asked) return
        asked = false
        callCaller()
      },
      listen: (onRing) => {
        actions.shard = onRing
      },
    },
  ]
}
