/** The other thread of `RingClient`: what comes from the ring is written to its socket, what a socket brings goes into the ring. */
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { type ConnectionOptions, connect } from 'node:tls'
import { Kind, type OnFrame, PortBell, RingConsumer, RingProducer } from '@cenote/pool-worker'
import { PIECE, type SocketsTask } from './memory.ts'

const READ_BYTES = 65_536

/** All sockets of the thread. An error of one of them ends the thread. */
export class RingSockets {
  readonly #bytes: number
  readonly #bell: PortBell
  readonly #producer: RingProducer
  readonly #consumer: RingConsumer
  readonly #sockets: readonly Socket[]
  #ringing = false
  #armed = false
  #active = false
  #replies = 0

  constructor(task: SocketsTask) {
    this.#bytes = task.bytes
    this.#bell = new PortBell(task.bell)
    this.#consumer = new RingConsumer(task.toSockets, () => this.#bell.ring())
    this.#producer = new RingProducer(task.toMain, () => {
      this.#ringing = true
    })
    this.#sockets = Array.from({ length: task.connections }, (_, index) => this.#open(index, task))
    this.#bell.listen(this.#arm)
  }

  /** Resolves when all are connected. */
  async connected(): Promise<void> {
    await Promise.all(this.#sockets.map((socket) => once(socket, 'encrypted' in socket ? 'secureConnect' : 'connect')))
  }

  #open(index: number, { port, ca }: SocketsTask): Socket {
    let partial: Buffer | undefined
    const callback = (length: number, buffer: Uint8Array): boolean => {
      const fresh = Buffer.from(buffer.buffer, buffer.byteOffset, length)
      const all = partial === undefined ? fresh : Buffer.concat([partial, fresh])
      let at = 0
      for (; all.length - at >= this.#bytes; at += this.#bytes) this.#reply(index, all, at)
      partial = at === all.length ? undefined : Buffer.from(all.subarray(at))
      return true
    }
    const common = { port, onread: { buffer: Buffer.alloc(READ_BYTES), callback } }
    const tls = { ...common, ca, host: 'localhost', servername: 'localhost', minVersion: 'TLSv1.2' } as ConnectionOptions // whose types do not know onread
    const socket = ca === undefined ? createConnection({ ...common, host: '127.0.0.1' }) : connect(tls)
    socket.setNoDelay(true) // of which `tls.connect` takes no notice among its options
    return socket.on('close', () => {
      throw new Error('a connection was closed')
    })
  }

  #reply(index: number, bytes: Buffer, start: number): void {
    const at = this.#producer.reserve(this.#bytes)
    if (at < 0) throw new Error('the ring is full')
    bytes.copy(this.#producer.bytes, at, start, start + this.#bytes)
    this.#producer.commit(Kind.REPLY, 0, index, 0, 0, this.#bytes)
    this.#active = true
    this.#consumer.stayAwake()
    this.#arm()
    if (++this.#replies >= PIECE) this.#show()
  }

  /** The main thread may read what there is, and is woken if it sleeps. */
  #show(): void {
    this.#replies = 0
    this.#producer.publish()
    if (!this.#ringing) return
    this.#ringing = false
    this.#bell.ring()
  }

  readonly #arm = (): void => {
    if (this.#armed) return
    this.#armed = true
    setImmediate(this.#endTurn)
  }

  /** After the sockets were polled. A turn that has brought nothing is the last until the bell rings. */
  readonly #endTurn = (): void => {
    this.#armed = false
    this.#show()
    this.#consumer.drain(this.#onFrame, Number.MAX_SAFE_INTEGER)
    const asleep = !this.#active && this.#consumer.sleep()
    this.#active = false
    if (!asleep) this.#arm()
  }

  readonly #onFrame: OnFrame = (_kind, _flags, connection, _serial, _id, start, end) => {
    this.#active = true
    this.#sockets[connection]?.write(Buffer.from(this.#consumer.bytes.subarray(start, end)))
  }
}
