/** A socket of `node:net` as one would write it by hand: sends, and waits for as many bytes. For the pools that have no protocol. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** One connection, with at most one request on it. */
export class EchoSocket {
  #socket: Socket
  #bytes: number
  #chunks: Buffer[] = []
  #received = 0
  #settle: { resolve(reply: Buffer): void; reject(error: Error): void } | undefined

  /** Connects; resolves once it can be used. */
  static async open({ port, payloadBytes }: { readonly port: number; readonly payloadBytes: number }): Promise<EchoSocket> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    await once(socket, 'connect')
    return new EchoSocket(socket, payloadBytes)
  }

  private constructor(socket: Socket, bytes: number) {
    this.#socket = socket
    this.#bytes = bytes
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the connection was closed')))
  }

  /** Sends the payload; its echo. */
  request(payload: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
      this.#socket.write(payload)
    })
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    this.#received += chunk.length
    if (this.#received < this.#bytes) {
      this.#chunks.push(chunk)
      return
    }
    const reply = this.#chunks.length === 0 ? chunk : Buffer.concat([...this.#chunks, chunk])
    this.#chunks = []
    this.#received = 0
    this.#settle?.resolve(reply)
    this.#settle = undefined
  }

  #fail(error: Error): void {
    this.#settle?.reject(error)
    this.#settle = undefined
  }
}
