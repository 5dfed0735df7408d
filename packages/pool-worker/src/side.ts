/** What drives a slot's bytes at the moment: frames of a codec, a stream, or a client object. */
import type { Connection } from './connection.ts'
import type { Deadlines } from './deadlines.ts'
import type { PoolError } from './errors.ts'
import type { CloseReason } from './frame.ts'
import type { ShardSettings } from './messages.ts'
import type { World } from './world.ts'

/** What a side is given of its slot. */
export interface Place {
  readonly world: World
  readonly settings: ShardSettings
  readonly connection: Connection
  /** The shard's wheel, for whatever waits 5 s. */
  readonly wheel: Deadlines
  /** Sends a message of this slot to the caller's side, in order. */
  send(kind: number, flags: number, id: number, payload?: Uint8Array, start?: number, end?: number): void
  /** Sends a message of this slot whose payload is all of its memory, and is given away with it. */
  give(kind: number, id: number, payload: Buffer): void
  /** The connection is over. */
  lose(reason: CloseReason, error?: PoolError): void
}

/** One way to use a connection. None of its methods throws. */
export interface Side {
  /** Whether somebody waits for bytes, so that reading may be paused while there is no room for them. */
  readonly owes: boolean
  /** How many calls of the caller's side have begun to be written: one past the ordinal of the last. */
  readonly written: number
  onBytes(chunk: Buffer): boolean
  onEnd(): void
  onWrite(): void
  onTaken(): void
  /** A fragment of a call's request: `bytes[start, end)`. */
  request(callId: number, more: boolean, bytes: Buffer, start: number, end: number): void
  cancel(callId: number, exclusive: boolean): void
  /** Whether the next caller may have the connection: nothing owed, unwritten, held or half done. */
  quiet(): boolean
  /** The connection is over: whoever waits in the shard is told. */
  end(error: PoolError): void
}

/** Gives credit back in pieces of a quarter of the window, so that it costs a frame now and then. */
export class CreditReturn {
  readonly #window: number
  readonly #give: (bytes: number) => void
  #taken = 0

  constructor(window: number, give: (bytes: number) => void) {
    this.#window = window
    this.#give = give
  }

  add(bytes: number): void {
    this.#taken += bytes
    if (this.#taken === 0 || this.#taken < this.#window / 4) return
    this.#give(this.#taken)
    this.#taken = 0
  }
}
