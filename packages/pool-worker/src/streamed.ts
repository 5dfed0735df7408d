/** A connection as a byte stream, within the credit of each direction. */

import { Pause } from './connection.ts'
import { PoolError } from './errors.ts'
import { Flag, Kind } from './frame.ts'
import type { HeldBytes } from './held.ts'
import { CreditReturn, type Place, type Side } from './side.ts'

export class Streamed implements Side {
  readonly owes = true
  readonly written: number
  readonly #place: Place
  readonly #held: HeldBytes
  readonly #back: CreditReturn
  #credit = 0
  #queued = 0
  #writing = 0
  #fresh = true
  #peerEnded = false
  #toldEnd = false
  #closed = false
  #over = false

  /**
   * @param early - What the peer sent before the stream began.
   * @param written - How many calls of the caller's side were written before.
   */
  constructor(place: Place, early: HeldBytes, written: number) {
    this.#place = place
    this.#held = early
    this.written = written
    const { sendWindow, highWaterMark } = place.settings
    this.#back = new CreditReturn(Math.min(sendWindow, highWaterMark), (bytes) => place.send(Kind.CREDIT, 0, bytes))
  }

  /** The reader has room for so many bytes more. */
  credit(bytes: number): void {
    if (this.#over) return
    this.#credit += bytes
    this.#deliver()
    if (this.#credit > 0) this.#place.connection.resume(Pause.CREDIT)
  }

  /** Bytes for the peer; with `last`, no more follow. */
  data(bytes: Buffer, start: number, end: number, last: boolean): void {
    const { connection } = this.#place
    if (this.#over || connection.socket === undefined) return
    connection.outbox.append(bytes, start, end)
    this.#queued += end - start
    if (end > start) {
      connection.schedule(this.#fresh)
      this.#fresh = false
    }
    if (last) connection.end()
  }

  onBytes(chunk: Buffer): boolean {
    if (this.#over) return false
    const size = this.#held.length > 0 ? 0 : Math.min(chunk.length, this.#credit)
    if (size > 0) this.#send(chunk.subarray(0, size))
    if (size < chunk.length) this.#held.append(chunk, size, chunk.length)
    if (this.#credit > 0 && this.#held.length === 0) return true
    this.#place.connection.pause(Pause.CREDIT)
    return false
  }

  onEnd(): void {
    this.#peerEnded = true
    this.#deliver()
  }

  onWrite(): void {
    this.#writing += this.#queued
    this.#queued = 0
  }

  onTaken(): void {
    this.#back.add(this.#writing)
    this.#writing = 0
  }

  request(): void {
    this.#place.lose(
      'error',
      new PoolError('DESYNC', 'a request came while the connection is a stream', { phase: 'send', outcome: 'not-sent' }),
    )
  }

  cancel(): void {
    // A call that the stream's side does not know was answered before it began.
  }

  quiet(): boolean {
    const { connection } = this.#place
    return !(this.#over || this.#peerEnded || connection.halfClosed || connection.unwritten) && this.#held.length === 0
  }

  /** The socket has closed by itself: true if bytes still wait for the reader, and the connection ends after them. */
  endsLater(): boolean {
    this.#closed = true
    return this.#peerEnded && !this.#toldEnd
  }

  end(): void {
    this.#over = true
    this.#held.clear()
  }

  #deliver(): void {
    this.#held.drain(this.#credit, (part) => this.#send(part))
    if (!this.#peerEnded || this.#toldEnd || this.#held.length > 0) return
    this.#toldEnd = true
    this.#place.send(Kind.DATA, Flag.END, 0)
    if (this.#closed) this.#place.lose('peer-end')
  }

  #send(bytes: Buffer): void {
    this.#credit -= bytes.length
    this.#place.send(Kind.DATA, 0, 0, bytes)
  }
}
