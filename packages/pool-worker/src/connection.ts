/** One pooled socket: reading into the shard's buffer, one write at a time, pausing, its end. The only file with stream events. */
import type { OnReadOpts, Socket } from 'node:net'
import { type BufferStock, Outbox } from './outbox.ts'
import type { Flushable, Writes } from './writes.ts'

/** Why reading is paused; as long as any holds. */
export const Pause = {
  /** The ring to the caller is full. */
  RING: 1,
  /** The stream's reader has given no credit. */
  CREDIT: 2,
} as const

/** Whoever drives a connection. It must not throw. */
export interface Driver {
  /** Where the next bytes are to be read; undefined: wherever. */
  readonly room: Buffer | undefined
  /** Bytes came; `chunk` may be used during the call only. Returns false to be given no more for now. */
  onBytes(chunk: Buffer): boolean
  /** The peer will send no more. */
  onEnd(): void
  /** The socket is dead; without an error it closed by itself. */
  onDead(error: Error | undefined): void
  /** What is in the outbox goes to the kernel now. */
  onWrite(): void
  /** The kernel took all that was written. */
  onTaken(): void
  /** The socket is closed, after `destroy` or by itself. */
  onClosed(): void
}

/** What all connections of one shard share. */
export interface Plumbing {
  readonly readBuffer: Buffer
  readonly stock: BufferStock
  readonly writes: Writes
}

/** A socket of the pool. Made before it is connected, for its bytes are routed from birth. */
export class Connection implements Flushable {
  scheduled = false
  notBefore = 0
  readonly outbox: Outbox
  /** What `connect` needs to route the socket's bytes here. */
  readonly onread: OnReadOpts
  readonly #plumbing: Plumbing
  readonly #driver: Driver
  #socket: Socket | undefined = undefined
  #paused = 0
  #writing: Buffer | undefined = undefined
  #ending = false
  #stale = 0
  #destroyed = false
  #halfClosed = false
  #resumes = 0

  constructor(plumbing: Plumbing, driver: Driver) {
    this.#plumbing = plumbing
    this.#driver = driver
    this.outbox = new Outbox(plumbing.stock)
    this.onread = { buffer: this.#nextBuffer, callback: this.#onRead }
  }

  get socket(): Socket | undefined {
    return this.#socket
  }

  /** Whether bytes wait that the kernel did not take yet. */
  get unwritten(): boolean {
    return this.outbox.length > 0 || this.#writing !== undefined
  }

  /** Whether one of the two directions has ended. */
  get halfClosed(): boolean {
    return this.#halfClosed || this.#ending
  }

  get paused(): boolean {
    return this.#paused !== 0
  }

  /** How often reading has gone on after a pause. */
  get resumes(): number {
    return this.#resumes
  }

  /** Takes the open socket. */
  attach(socket: Socket): void {
    this.#socket = socket
    socket.once('end', this.#onEnd)
    socket.on('error', this.#onError)
    socket.once('close', this.#onClose)
  }

  /** Writes what is in the outbox: in this turn, or, if the socket was idle, after a poll phase. */
  schedule(wasIdle: boolean): void {
    if (this.#writing === undefined) this.#plumbing.writes.schedule(this, wasIdle)
  }

  flush(): void {
    const socket = this.#socket
    if (this.#destroyed || socket === undefined || this.#writing !== undefined) return
    this.#driver.onWrite()
    const { length } = this.outbox
    const buffer = this.outbox.take()
    if (buffer !== undefined && length > 0) {
      this.#writing = buffer
      socket.write(buffer.subarray(0, length), this.#onWritten)
      if (socket.writableLength === 0 && !this.#destroyed) {
        this.#stale++
        this.#taken()
      }
    } else if (buffer !== undefined) {
      this.#plumbing.stock.give(buffer)
    }
    this.#endIfAsked()
  }

  pause(why: number): void {
    if (this.#paused === 0) this.#socket?.pause()
    this.#paused |= why
  }

  resume(why: number): void {
    const before = this.#paused
    this.#paused &= ~why
    if (before === 0 || this.#paused !== 0) return
    this.#resumes++
    if (!this.#destroyed) this.#socket?.resume()
  }

  /** Ends the direction to the peer, after all that waits. */
  end(): void {
    this.#ending = true
    this.#endIfAsked()
  }

  /** Closes the socket; of its events only `onClosed` is told from now on. */
  destroy(): void {
    if (this.#destroyed) return
    this.#destroyed = true
    if (this.#socket?.closed === true)
      this.#driver.onClosed() // it had closed by itself while bytes waited for their reader
    else this.#socket?.destroy()
  }

  /** Node calls it for each write, also for those found taken at once: these are stale by then. */
  readonly #onWritten = (error?: Error | null): void => {
    if (this.#stale > 0) {
      this.#stale--
      return
    }
    if (error !== undefined && error !== null) return // 'error' follows and tells it
    this.#taken()
    if (this.outbox.length > 0) this.schedule(false)
    this.#endIfAsked()
  }

  #taken(): void {
    const buffer = this.#writing
    this.#writing = undefined
    if (buffer !== undefined) this.#plumbing.stock.give(buffer)
    if (!this.#destroyed) this.#driver.onTaken()
  }

  #endIfAsked(): void {
    if (this.#ending && !this.unwritten && !this.#destroyed && this.#socket?.writableEnded === false) this.#socket.end()
  }

  /** Node asks after each read where the next one goes. */
  readonly #nextBuffer = (): Buffer => this.#driver.room ?? this.#plumbing.readBuffer

  readonly #onRead = (bytes: number, buffer: Uint8Array): boolean => {
    if (this.#destroyed) return false
    const chunk = buffer.subarray(0, bytes) as Buffer // from `#nextBuffer`, a Buffer
    const more = this.#driver.onBytes(chunk)
    return more && this.#paused === 0
  }

  readonly #onEnd = (): void => {
    this.#halfClosed = true
    if (!this.#destroyed) this.#driver.onEnd()
  }

  readonly #onError = (error: Error): void => {
    if (!this.#destroyed) this.#driver.onDead(error)
  }

  readonly #onClose = (): void => {
    if (!this.#destroyed) this.#driver.onDead(undefined)
    this.#driver.onClosed()
  }
}
