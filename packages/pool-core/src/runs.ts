/** One run of a handler, from the grant of its connection until both its result and its DONE frame have come. */
import { decodeError, type Settled, transferOf } from '@cenote/pool-worker'
import type { Call } from './calls.ts'
import type { Line } from './line.ts'
import type { Link } from './link.ts'

/** A handler on its way. */
export class Run {
  /** The caller's promise and deadline. */
  readonly call: Call
  readonly name: string
  readonly input: unknown
  readonly #onProgress: ((value: unknown) => void) | undefined
  /** When it was called, in the world's milliseconds. */
  readonly since: number
  id = -1
  startedAt = 0
  /** Its wait for a connection. */
  ticket: Call | undefined = undefined
  /** Of the shard that it is in, or was in last. */
  link: Link | undefined = undefined
  /** Its connection, once it has one. */
  line: Line | undefined = undefined
  #result: Settled<unknown> | undefined = undefined
  #done = false

  constructor(call: Call, name: string, input: unknown, onProgress: ((value: unknown) => void) | undefined, since: number) {
    this.since = since
    this.call = call
    this.name = name
    this.input = input
    this.#onProgress = onProgress
  }

  /** The handler reported something. What the caller's function throws becomes an uncaught error of the caller's. */
  progressed(value: unknown): void {
    if (this.call.settled || this.#onProgress === undefined) return
    const report = this.#onProgress
    queueMicrotask(() => report(value))
  }

  /** The result is there. Returns whether the call can settle now. */
  resulted(result: Settled<unknown>): boolean {
    this.#result = result
    return this.#done
  }

  /** DONE is there. Returns whether the call can settle now. */
  ended(): boolean {
    this.#done = true
    return this.#result !== undefined
  }

  /** Whether its connection was lost before it began, so that it may go to another: not if its input has moved into the shard. */
  get movable(): boolean {
    const result = this.#result
    if (result === undefined || result.ok || transferOf(this.input).length > 0) return false
    return result.error.code === 'CONNECTION_LOST' && result.error.outcome === 'not-sent'
  }

  /** Forgets the connection it never began on. */
  moveOn(): void {
    this.call.moves++
    this.#result = undefined
    this.#done = false
    this.line = undefined
  }

  /** Hands the result to the caller, unless he has gone. */
  settle(): void {
    const result = this.#result
    if (this.call.settled || result === undefined) return
    if (result.ok) this.call.resolve(result.value)
    else this.call.reject(decodeError(result.error))
  }
}
