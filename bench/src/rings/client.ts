/**
 * Sockets in a worker thread and two of Cenote's rings between it and the main thread; nothing else. No pool, no leases, no codec, no deadlines,
 * no health: what any pool pays whose sockets live in another thread, and so the limit of one.
 */
import { once } from 'node:events'
import { MessageChannel, Worker } from 'node:worker_threads'
import { createRing, Kind, type OnFrame, PortBell, RingConsumer, RingProducer } from '@cenote/pool-worker'
import { PIECE, type RingSetup, type SocketsTask } from './memory.ts'

const RING_BYTES = 2 ** 20
/** Requests after which the other thread is told without waiting for the end of the turn. */
const PUBLISH_EVERY = 16
const ENDED = 'the thread of the sockets has ended'
const ANSWERED: Promise<void> = Promise.resolve()

interface Caller {
  resolve(reply: Buffer): void
  reject(error: Error): void
}

/** The main thread's end. */
export class RingClient {
  readonly #worker: Worker
  readonly #bell: PortBell
  readonly #producer: RingProducer
  readonly #consumer: RingConsumer
  /** Of each connection those who wait, the oldest first: as many as there are callers, so shifting costs nothing to speak of. */
  readonly #callers: Caller[][]
  #written = 0
  #publishing = false
  #ended: Error | undefined

  /** Starts the thread and opens all connections. `thread` is the entry of `RingSockets`. */
  static async open(setup: RingSetup, thread: URL): Promise<RingClient> {
    const { port1, port2 } = new MessageChannel()
    const task: SocketsTask = { ...setup, toSockets: createRing(RING_BYTES, true), toMain: createRing(RING_BYTES, true), bell: port2 }
    const worker = new Worker(thread, { workerData: task, transferList: [port2] })
    const client = new RingClient(worker, new PortBell(port1), task)
    const gone = once(worker, 'exit').then(() => Promise.reject(new Error(ENDED)))
    await Promise.race([once(worker, 'message'), gone]) // it says that it is ready, or fails
    return client
  }

  private constructor(worker: Worker, bell: PortBell, task: SocketsTask) {
    this.#worker = worker
    this.#bell = bell
    this.#callers = Array.from({ length: task.connections }, () => [])
    this.#producer = new RingProducer(task.toSockets, () => bell.ring())
    this.#consumer = new RingConsumer(task.toMain, () => bell.ring())
    bell.listen(this.#readOn)
    worker.on('error', (error) => this.#fail(error))
    worker.on('exit', () => this.#fail(new Error(ENDED)))
  }

  /** Sends `payload` over a connection; resolves with as many bytes as that has been answered with. */
  request(connection: number, payload: Uint8Array): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended)
      const at = this.#producer.reserve(payload.length)
      if (at < 0) return reject(new Error('the ring is full'))
      this.#producer.bytes.set(payload, at)
      this.#producer.commit(Kind.SEND, 0, connection, 0, 0, payload.length)
      this.#callers[connection]?.push({ resolve, reject })
      if (++this.#written >= PUBLISH_EVERY) this.#publish()
      else if (!this.#publishing) {
        this.#publishing = true
        queueMicrotask(this.#publishNow)
      }
    })
  }

  /** Ends the thread and with it the connections. */
  async close(): Promise<void> {
    this.#bell.close()
    await this.#worker.terminate()
  }

  #publish(): void {
    this.#written = 0
    this.#producer.publish()
  }

  readonly #publishNow = (): void => {
    this.#publishing = false
    this.#publish()
  }

  /** After each piece the callers that it answered go on, and what they ask is on its way while the next piece is read. */
  readonly #readOn = (): void => {
    const more = this.#consumer.drain(this.#onFrame, PIECE) || !this.#consumer.sleep()
    if (more) void ANSWERED.then(this.#readOn)
  }

  readonly #onFrame: OnFrame = (_kind, _flags, connection, _serial, _id, start, end) => {
    this.#callers[connection]?.shift()?.resolve(Buffer.from(this.#consumer.bytes.subarray(start, end)))
  }

  #fail(error: Error): void {
    this.#ended ??= error
    for (const callers of this.#callers) for (const { reject } of callers.splice(0)) reject(error)
  }
}
