/** A connection whose socket belongs to a library's client: requests are cloned in, replies cloned out. */

import type { Socket } from 'node:net'
import { deserialize, serialize } from 'node:v8'
import { encodeError, PoolError } from './errors.ts'
import { Flag, Kind } from './frame.ts'
import { HeldBytes } from './held.ts'
import type { LoadedClient } from './load.ts'
import { CreditReturn, type Place, type Side } from './side.ts'
import { SILENCE_MS, SilenceWatch } from './silence.ts'
import { notCloneable } from './uncloneable.ts'
import type { Cancel } from './world.ts'

interface ClientCall {
  readonly callId: number
  readonly ordinal: number
  readonly parts: Buffer[]
  readonly abort: AbortController
  complete: boolean
  running: boolean
  abandoned: Cancel | undefined
}

export class Clients implements Side {
  written = 0
  client: unknown = undefined
  readonly #place: Place
  readonly #protocol: LoadedClient
  readonly #credit: CreditReturn
  readonly #early: HeldBytes = new HeldBytes()
  readonly #silence: SilenceWatch
  #calls: ClientCall[] = []
  #running = 0
  #begun = 0
  #direct = 0
  #taken = false
  #ended = false
  #failure: PoolError | undefined = undefined
  /** Why, once the client has said that it is done for. */
  #retired: string | undefined = undefined

  constructor(place: Place, protocol: LoadedClient) {
    this.#place = place
    this.#protocol = protocol
    this.#silence = new SilenceWatch(place, () => (this.#ended || this.#running + this.#direct === 0 ? 'nothing' : 'awaited'))
    this.#credit = new CreditReturn(place.settings.sendWindow, (bytes) => place.send(Kind.CREDIT, 0, bytes))
  }

  get owes(): boolean {
    return this.#calls.length > 0 || this.#direct > 0
  }

  /** The connect hook has made the client; if the connection is over by then, it says good-bye. */
  adopt(client: unknown): void {
    this.client = client
    if (this.#ended) void this.close().catch(() => undefined) // as in `end`
  }

  /** The socket as an ordinary `net.Socket`; what came before is pushed into it. Once. */
  takeSocket(): Socket {
    const { socket } = this.#place.connection
    if (this.#taken || socket === undefined || this.#ended)
      throw new PoolError('BAD_REQUEST', 'connection.socket() was called before, or the connection is gone')
    this.#taken = true
    socket.allowHalfOpen = false
    this.#early.each((part) => socket.push(Buffer.from(part)))
    this.#early.clear()
    return socket
  }

  /** The client is done for; its slot ends when its calls have. */
  retire(reason: string): void {
    this.#retired = reason
    this.#endIfRetired()
  }

  onBytes(chunk: Buffer): boolean {
    if (this.#ended) return false
    if (this.#silence.armed) this.#silence.heard()
    if (this.#taken) return this.#place.connection.socket?.push(Buffer.from(chunk)) === true
    if (this.#early.length + chunk.length > this.#place.settings.highWaterMark) this.#place.lose('stray-bytes')
    else this.#early.append(chunk, 0, chunk.length)
    return !this.#ended
  }

  onEnd(): void {
    if (!this.owes) this.#place.lose('peer-end')
  }

  onWrite(): void {
    // The client writes to its socket by itself.
  }

  onTaken(): void {
    // As above.
  }

  request(callId: number, more: boolean, bytes: Buffer, start: number, end: number): void {
    if (this.#ended) return
    let call = this.#calls.at(-1)
    if (call === undefined || call.complete || call.callId !== callId) {
      call = {
        callId,
        ordinal: this.#begun++,
        parts: [],
        abort: new AbortController(),
        complete: false,
        running: false,
        abandoned: undefined,
      }
      this.#calls.push(call)
    }
    const part = Buffer.allocUnsafeSlow(end - start)
    bytes.copy(part, 0, start, end)
    call.parts.push(part)
    call.complete = !more
    this.#credit.add(end - start)
    this.#begin()
  }

  /** Runs a request for a handler. */
  async execute(request: unknown, signal: AbortSignal): Promise<unknown> {
    if (this.#failure !== undefined) throw this.#failure
    this.#direct++
    this.#silence.look()
    try {
      return await this.#protocol.definition.execute(this.client, request, { signal })
    } finally {
      this.#direct--
      this.#silence.look()
      this.#endIfRetired()
    }
  }

  cancel(callId: number, exclusive: boolean): void {
    const call = this.#calls.find((candidate) => candidate.callId === callId)
    if (call === undefined || call.abandoned !== undefined || this.#ended) return
    if (!call.running) {
      this.#remove(call)
      return this.#place.send(Kind.FAILED, Flag.DROPPED, callId)
    }
    call.abort.abort()
    if (exclusive) return this.#place.lose('abort')
    call.abandoned = this.#place.world.timer(SILENCE_MS, false, () => this.#place.lose('abort'))
  }

  quiet(): boolean {
    return (
      !this.#ended &&
      this.#retired === undefined &&
      !this.owes &&
      this.#early.length === 0 &&
      this.#place.connection.socket?.destroyed === false
    )
  }

  end(error: PoolError): void {
    this.#ended = true
    this.#failure = error
    this.#silence.disarm()
    for (const call of this.#calls.splice(0)) {
      call.abandoned?.()
      call.abort.abort(error)
    }
    void this.close().catch(() => undefined) // its socket is gone already: there is nothing left to fail
  }

  /** Lets the client say good-bye, once. */
  async close(): Promise<void> {
    const { client } = this
    this.client = undefined
    if (client !== undefined) await this.#protocol.definition.close?.(client)
  }

  #begin(): void {
    for (const call of this.#calls) {
      if (this.#running >= this.#protocol.pipelining || !call.complete) return
      if (!call.running) void this.#run(call)
    }
  }

  async #run(call: ClientCall): Promise<void> {
    call.running = true
    this.#running++
    this.#silence.look()
    this.written = call.ordinal + 1
    let answer: () => void
    try {
      const request: unknown = deserialize(joined(call.parts.splice(0)))
      const reply = await this.#protocol.definition.execute(this.client, request, { signal: call.abort.signal })
      answer = this.#answer(call, reply)
    } catch (thrown) {
      answer = () => this.#fail(call, thrown)
    }
    this.#running--
    this.#silence.look()
    if (this.#ended) return
    this.#remove(call)
    if (call.abandoned === undefined) answer()
    else this.#place.send(Kind.FAILED, Flag.DROPPED, call.callId)
    call.abandoned?.()
    this.#begin()
    this.#endIfRetired()
  }

  #answer(call: ClientCall, reply: unknown): () => void {
    let bytes: Buffer
    try {
      bytes = serialize(reply)
    } catch (cause) {
      const error = notCloneable('the reply', cause, 'reply', 'executed')
      return () => this.#fail(call, error)
    }
    const { maxReplyBytes } = this.#place.settings
    if (bytes.length <= maxReplyBytes) return () => this.#place.send(Kind.REPLY, 0, call.callId, bytes)
    const error = new PoolError('REPLY_TOO_LARGE', `a reply is longer than maxReplyBytes (${maxReplyBytes})`, {
      phase: 'reply',
      outcome: 'executed',
    })
    return () => this.#fail(call, error)
  }

  #fail(call: ClientCall, thrown: unknown): void {
    this.#place.send(Kind.FAILED, 0, call.callId, Buffer.from(JSON.stringify(encodeError(thrown))))
  }

  #remove(call: ClientCall): void {
    this.#calls = this.#calls.filter((candidate) => candidate !== call)
  }

  #endIfRetired(): void {
    if (this.#retired === undefined || this.#ended || this.owes) return
    this.#place.lose('error', new PoolError('CONNECTION_LOST', `the client has retired: ${this.#retired}`))
  }
}

/** One buffer of its own, for what is read from it may point into it. */
function joined(parts: readonly Buffer[]): Buffer {
  const [first] = parts
  if (first !== undefined && parts.length === 1) return first
  const whole = Buffer.allocUnsafeSlow(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) at += part.copy(whole, at)
  return whole
}
