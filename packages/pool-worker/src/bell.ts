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

/** A doorbell between threads. */
export function portBell(port: MessagePort): Bell {
  return {
    ring: () => port.postMessage(0),
    listen: (onRing) => void port.on('message', onRing),
    setRef: (on) => (on ? port.ref() : port.unref()),
    close: () => port.close(),
  }
}

/** The two ends of a doorbell within one thread: `shards: 0`. */
export function localBells(world: World): [Bell, Bell] {
  let open = true
  const actions: [() => void, () => void] = [() => undefined, () => undefined]
  const end = (self: 0 | 1): Bell => ({
    ring: () => void world.immediate(() => open && actions[(1 - self) as 0 | 1]()),
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
