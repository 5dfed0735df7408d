/** A bare socket with one request in flight: what one writes by hand, no more. */
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { HEADER_BYTES, type Target } from './client.ts'

const HOST = '127.0.0.1'
const AT_ONCE = 1_000

/** A TLS session to resume, kept by whoever opens the sockets. */
export interface Session {
  ticket?: Buffer
}

/** Connects, and for TLS shakes hands; with Nagle's algorithm off, as all contenders have it. */
export async function openSocket(target: Target, session?: Session): Promise<FramedSocket> {
  if (target.ca === undefined) {
    const socket = connectTcp({ host: HOST, port: target.port, noDelay: true })
    await once(socket, 'connect')
    return new FramedSocket(socket)
  }
  const ticket = session?.ticket === undefined ? {} : { session: session.ticket }
  const socket = connectTls({
    host: 'localhost',
    port: target.port,
    ca: target.ca,
    servername: 'localhost',
    minVersion: 'TLSv1.2',
    ...ticket,
  })
  socket.setNoDelay(true)
  if (session !== undefined)
    socket.on('session', (fresh: Buffer) => {
      session.ticket = fresh
    })
  await once(socket, 'secureConnect')
  return new FramedSocket(socket)
}

/** Opens so many connections, not all at once: a server's queue of new ones is short. */
export async function openSockets(target: Target, count: number): Promise<FramedSocket[]> {
  const sockets: FramedSocket[] = []
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - sockets.length) }, () => openSocket(target))
    sockets.push(...(await Promise.all(some)))
  }
  return sockets
}

/** A request at a time, each answered by one message behind its length. */
export class FramedSocket {
  readonly socket: Socket
  #resolve: ((body: Buffer) => void) | undefined
  #reject: ((error: Error) => void) | undefined
  /** What came of a length that is not complete. */
  #header: Buffer | undefined
  /** The reply that is being put together, and how much of it has come. */
  #body: Buffer | undefined
  #filled = 0

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the connection was closed')))
  }

  request(body: Uint8Array): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) return reject(new Error('the connection was closed'))
      this.#resolve = resolve
      this.#reject = reject
      const frame = Buffer.allocUnsafe(HEADER_BYTES + body.length)
      frame.writeUInt32BE(body.length)
      frame.set(body, HEADER_BYTES)
      this.socket.write(frame)
    })
  }

  #take(chunk: Buffer): void {
    if (this.#body !== undefined) return this.#fill(chunk, 0)
    const bytes = this.#header === undefined ? chunk : Buffer.concat([this.#header, chunk])
    this.#header = undefined
    if (bytes.length < HEADER_BYTES) {
      this.#header = bytes
      return
    }
    const length = bytes.readUInt32BE()
    if (bytes.length === HEADER_BYTES + length) return this.#settle(bytes.subarray(HEADER_BYTES))
    this.#body = Buffer.allocUnsafe(length)
    this.#filled = 0
    this.#fill(bytes, HEADER_BYTES)
  }

  #fill(chunk: Buffer, from: number): void {
    const body = this.#body
    if (body === undefined) return
    if (chunk.length - from > body.length - this.#filled) return void this.socket.destroy(new Error('bytes that nobody asked for'))
    this.#filled += chunk.copy(body, this.#filled, from)
    if (this.#filled < body.length) return
    this.#body = undefined
    this.#settle(body)
  }

  #settle(body: Buffer): void {
    const resolve = this.#resolve
    if (resolve === undefined) return void this.socket.destroy(new Error('a reply that nobody asked for'))
    this.#resolve = this.#reject = undefined
    resolve(body)
  }

  #fail(error: Error): void {
    const reject = this.#reject
    this.#resolve = this.#reject = undefined
    reject?.(error)
  }
}
