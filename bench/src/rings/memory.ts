/** What the two threads of `RingClient` share. */

import type { MessagePort } from 'node:worker_threads'
import type { RingMemory } from '@cenote/pool-worker'
import type { Target } from '../framed/client.ts'

/** How a client is set up. */
export interface RingSetup extends Target {
  readonly connections: number
  /** The length of every request, and of its reply. */
  readonly bytes: number
}

/** What the thread of the sockets is given. */
export interface SocketsTask extends RingSetup {
  readonly toSockets: RingMemory
  readonly toMain: RingMemory
  readonly bell: MessagePort
}

/** Frames read by the main thread, or shown to it, in one go: as a pool's shard does it. */
export const PIECE = 8
