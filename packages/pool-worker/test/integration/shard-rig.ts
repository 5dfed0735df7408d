/** Drives a shard in this thread through two rings, as a caller's thread would, and listens to what it answers. */
import { createServer, type Server, type Socket } from 'node:net'
import { BEAT_BYTES } from '../../src/beats.ts'
import { localBells } from '../../src/bell.ts'
import type { ClientProtocol, CodecProtocol, ProtocolReference } from '../../src/define.ts'
import { decodeError, type PoolError } from '../../src/errors.ts'
import { Flag, Kind } from '../../src/frame.ts'
import { type Lane, localLanes } from '../../src/lane.ts'
import type { Handler, LoadedProtocol } from '../../src/load.ts'
import { loadProtocol } from '../../src/load.ts'
import type { LostInfo, OpenRequest, Settled, ShardSettings } from '../../src/messages.ts'
import { Noted } from '../../src/noted.ts'
import type { InputParcel } from '../../src/parcels.ts'
import { unpackPlain } from '../../src/plain.ts'
import { createRecorder, type Recorded, readRecorder } from '../../src/recorder.ts'
import { createRing, RingConsumer, RingProducer } from '../../src/ring.ts'
import { FrameSender } from '../../src/sender.ts'
import { Shard } from '../../src/shard.ts'
import type { ShardLink } from '../../src/slot-link.ts'
import { realWorld, type World } from '../../src/world.ts'
import { until } from '../kit/kit.ts'

export interface Message {
  readonly kind: number
  readonly flags: number
  readonly slot: number
  readonly serial: number
  readonly id: number
  readonly payload: Buffer
}

export interface RigOptions {
  readonly builtin?: string
  readonly protocolOptions?: unknown
  readonly codec?: CodecProtocol<unknown, unknown>
  readonly client?: ClientProtocol<unknown, unknown, unknown>
  readonly handlers?: Record<string, Handler>
  readonly settings?: Partial<ShardSettings>
  readonly toMainBytes?: number
  readonly toShardBytes?: number
  readonly world?: World
  /** The caller's end and the shard's; else those of one thread. */
  readonly lanes?: readonly [Lane, Lane]
  /** Frames are read only when `read` is called. */
  readonly lazy?: boolean
}

/** Just below 2³¹, so that every test meets the wrap. */
const ORIGIN = 2 ** 31 - 4096

export interface Rig {
  readonly shard: Shard
  readonly link: ShardLink
  readonly messages: Message[]
  /** How it has rung its bell: at once, or asked to do so soon and then told to. */
  readonly bells: ('now' | 'soon' | 'told')[]
  readonly words: Int32Array
  /** Signs of life, by `Beat`. */
  readonly beats: Int32Array
  /** What the shard has noted, as `event slot/serial detail`. */
  noted(): string[]
  send(kind: number, serial: number, id?: number, payload?: Uint8Array | string, flags?: number, slot?: number): void
  open(port: number, serial?: number, deadlineMs?: number, slot?: number): Promise<Message>
  openAt(request: OpenRequest, serial?: number, deadlineMs?: number, slot?: number): void
  /** Waits for the next message of a kind that was not waited for before. */
  next(kind: number): Promise<Message>
  lost(): Promise<{ written: number; info: LostInfo; error: PoolError | undefined }>
  /** Sends a handler's input beside the ring, and waits for its result, which comes in DONE or beside the ring. */
  execute(callId: number, name: string, input: unknown): Promise<Settled<unknown>>
  read(): void
  close(): Promise<void>
}

/** Of a shard that speaks lines. */
export const PLAIN_SETTINGS: ShardSettings = {
  shard: 0,
  protocol: { builtin: 'line', options: undefined },
  handlers: undefined,
  maxReplyBytes: 1 << 20,
  probeTimeoutMs: 200,
  inactivityTimeoutMs: Number.POSITIVE_INFINITY,
  heartbeatMs: Number.POSITIVE_INFINITY,
  maxMainStallMs: Number.POSITIVE_INFINITY,
  shardStallMs: Number.POSITIVE_INFINITY,
  keepAlive: true,
  keepAliveInitialDelayMs: 15_000,
  noDelay: true,
  tls: undefined,
  highWaterMark: 65_536,
  sendWindow: 65_536,
  unrefSockets: false,
}

export async function rig(options: RigOptions = {}): Promise<Rig> {
  const world = options.world ?? realWorld
  const reference: ProtocolReference = { builtin: options.builtin ?? 'line', options: options.protocolOptions }
  const settings: ShardSettings = { ...PLAIN_SETTINGS, protocol: reference, ...options.settings }
  const shard = new Shard(settings, world, {
    protocol: await protocolOf(options, reference),
    handlers: new Map(Object.entries(options.handlers ?? {})),
  })
  const memory = {
    toShard: createRing(options.toShardBytes ?? 65_536, false, ORIGIN),
    toMain: createRing(options.toMainBytes ?? 65_536, false, ORIGIN),
    words: new ArrayBuffer(64 * 4),
    beats: new ArrayBuffer(BEAT_BYTES),
    recorder: createRecorder(false),
  }
  const [here, there] = localBells(world)
  const answers = new Map<number, (result: Settled<unknown>) => void>()
  let order: (parcel: InputParcel) => void = () => undefined
  const bells: ('now' | 'soon' | 'told')[] = []
  let asked = false
  const [ours, theirs] = options.lanes ?? localLanes()
  const bell = {
    ...there,
    ring() {
      bells.push('now')
      there.ring()
    },
    ringSoon() {
      bells.push('soon')
      asked = true
    },
    hurry() {
      if (!asked) return
      asked = false
      bells.push('told')
      there.ring()
    },
    endTurn: () => bell.hurry(),
  }
  const link = shard.addLink(memory, bell, theirs, {
    post: ({ callId, result }) => answers.get(callId)?.(result),
    listen(onParcel) {
      order = onParcel
    },
  })
  const sender = new FrameSender(new RingProducer(memory.toShard, () => here.ring()), ours)
  const consumer = new RingConsumer(memory.toMain, () => here.ring())
  const messages: Message[] = []
  const parts: Buffer[] = []
  const takeBeside = (): Buffer => {
    const bytes = ours.take()
    consumer.tookBeside(bytes.length)
    return bytes
  }
  const onFrame = (kind: number, flags: number, slot: number, serial: number, id: number, start: number, end: number): void => {
    parts.push((flags & Flag.BESIDE) === 0 ? Buffer.from(consumer.bytes.subarray(start, end)) : takeBeside())
    if ((flags & Flag.MORE) !== 0) return
    const payload = Buffer.concat(parts.splice(0))
    messages.push({ kind, flags, slot, serial, id, payload })
    if (kind === Kind.DONE && (flags & Flag.WHOLE) !== 0) answers.get(id)?.({ ok: true, value: unpackPlain(payload, 0, payload.length) })
  }
  const read = (): void => {
    sender.flush()
    do while (consumer.drain(onFrame, 1024));
    while (!consumer.sleep())
  }
  here.listen(options.lazy === true ? () => sender.flush() : read)
  if (options.lazy !== true) read()
  const seen = new Set<Message>()
  const self: Rig = {
    shard,
    link,
    messages,
    bells,
    words: new Int32Array(memory.words),
    beats: new Int32Array(memory.beats),
    noted: () => readRecorder(memory.recorder).map(inWords),
    send(kind, serial, id = 0, payload = '', flags = 0, slot = 0) {
      sender.send(kind, flags, slot, serial, id, Buffer.from(payload as string))
      sender.ring.publish()
    },
    async open(port, serial = 1, deadlineMs = 2_000, slot = 0) {
      self.openAt({ endpoint: { transport: 'tcp', host: '127.0.0.1', port } }, serial, deadlineMs, slot)
      return self.next(Kind.OPENED)
    },
    openAt(request, serial = 1, deadlineMs = 2_000, slot = 0) {
      self.send(Kind.OPEN, serial, deadlineMs, JSON.stringify(request), 0, slot)
    },
    async next(kind) {
      const find = (): Message | undefined => messages.find((message) => message.kind === kind && !seen.has(message))
      await until(
        () => find() !== undefined,
        `a frame of kind ${kind} comes; there are ${messages.map((message) => message.kind).join(' ')}`,
      )
      const message = find() as Message // `until` saw it
      seen.add(message)
      return message
    },
    async lost() {
      const message = await self.next(Kind.LOST)
      const info = JSON.parse(String(message.payload)) as LostInfo
      return { written: message.id, info, error: info.error === undefined ? undefined : (decodeError(info.error) as PoolError) }
    },
    execute: (callId, name, input) =>
      new Promise((resolve) => {
        answers.set(callId, resolve)
        order({ callId, name, input })
      }),
    read,
    async close() {
      await shard.close()
    },
  }
  return self
}

const NOTED_NAMES = Object.keys(Noted)

function inWords({ event, slot, serial, detail }: Recorded): string {
  return `${NOTED_NAMES[event]} ${slot}/${serial} ${detail}`
}

async function protocolOf({ codec, client, protocolOptions }: RigOptions, reference: ProtocolReference): Promise<LoadedProtocol> {
  if (codec !== undefined) {
    const made = typeof codec.codec === 'function' ? codec.codec(protocolOptions) : codec.codec
    return { form: 'codec', definition: codec, codec: made, options: protocolOptions, pipelining: codec.pipelining ?? 1, raw: false }
  }
  if (client !== undefined) return { form: 'client', definition: client, options: protocolOptions, pipelining: client.pipelining ?? 1 }
  return loadProtocol(reference)
}

export interface Peer {
  readonly port: number
  readonly sockets: Socket[]
  readonly received: Buffer[]
  text(): string
  /** The connection that was accepted last. */
  readonly socket: Socket
  close(): Promise<void>
}

/** A server that does with each connection what the test says. */
export async function peer(onConnection: (socket: Socket) => void = () => undefined, allowHalfOpen = true): Promise<Peer> {
  const sockets: Socket[] = []
  const received: Buffer[] = []
  const server: Server = createServer({ allowHalfOpen, noDelay: true }, (socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => received.push(chunk))
    onConnection(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    sockets,
    received,
    text: () => Buffer.concat(received).toString(),
    get socket() {
      const last = sockets.at(-1)
      if (last === undefined) throw new Error('nobody has connected')
      return last
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Answers each line that a socket sends. */
export function onLines(socket: Socket, answer: (line: string) => void): void {
  let rest = ''
  socket.on('data', (chunk) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) answer(line)
  })
}

/** Lets the event loop turn. */
export async function turns(count = 3): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}
