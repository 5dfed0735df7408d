/** Long frames in a shard: what goes beside the ring is bounded, whatever a framer says of what is missing. */
import { MessageChannel } from 'node:worker_threads'
import * as assert from 'uvu/assert'
import type { Codec, Emit, Framer } from '../../src/codec.ts'
import type { CodecProtocol } from '../../src/define.ts'
import { Flag, Kind } from '../../src/frame.ts'
import { type Lane, portLane } from '../../src/lane.ts'
import { lengthPrefixedCodec } from '../../src/protocols/index.ts'
import { suite, until } from '../kit/kit.ts'
import { type Peer, peer, type Rig, type RigOptions, rig } from './shard-rig.ts'

const test = suite('shard, long frames')

const BODY = Buffer.alloc(100_000, 'long')

let server: Peer
let it: Rig

/** A server that answers each byte with a long reply. */
async function begin(options: RigOptions): Promise<void> {
  server = await peer((socket) =>
    socket.on('data', (chunk) => {
      const head = Buffer.alloc(4)
      head.writeUInt32BE(BODY.length, 0)
      for (const byte of chunk) socket.write(Buffer.concat([head, Buffer.from([byte]), BODY.subarray(1)]))
    }),
  )
  it = await rig(options)
}

test.after.each(async () => {
  await it?.close()
  await server?.close()
})

function ask(count: number): void {
  for (let i = 0; i < count; i++) it.send(Kind.SEND, 1, i, Buffer.from([i]))
}

/** Each reply once, whole, in order. */
async function answered(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const { id, payload, flags } = await it.next(Kind.REPLY)
    assert.is(id, i)
    assert.is(payload.length, BODY.length + 4)
    assert.is(payload[4], i)
    assert.ok(payload.subarray(5).equals(BODY.subarray(1)))
    assert.is(flags, Flag.BESIDE)
  }
}

test('a shard whose long replies nobody takes stops reading, and goes on when they are taken', async () => {
  await begin({ builtin: 'lengthPrefixed', lazy: true, toMainBytes: 65_536 })
  it.openAt({ endpoint: { transport: 'tcp', host: '127.0.0.1', port: server.port } })
  await until(() => it.noted().some((word) => word.startsWith('opened')), 'it is open')
  ask(40)
  await until(() => it.link.full, 'one reply is under way, and one waits')
  it.read()
  await until(() => it.link.full, 'the next ones')
  const read = setInterval(() => it.read(), 1)
  try {
    await answered(40)
  } finally {
    clearInterval(read)
  }
})

/** Length-prefixed bytes by a framer of a user's. */
function framedBy(
  wrap: (framer: Framer) => Framer,
  more: Partial<CodecProtocol<Uint8Array, Buffer>> = {},
): CodecProtocol<unknown, unknown> {
  const { encode, decode, createFramer } = lengthPrefixedCodec()
  const codec: Codec<Uint8Array, Buffer> = { encode, decode, createFramer: () => wrap(createFramer()) }
  return { name: 'framed', pipelining: 64, codec: () => codec, ...more } as unknown as CodecProtocol<unknown, unknown> // of bytes, as the test sends them
}

/** One that is right, but says nonsense of what is missing. */
function lying(missing: () => number): CodecProtocol<unknown, unknown> {
  return framedBy((framer) => ({ push: (chunk, emit) => framer.push(chunk, emit), atBoundary: () => framer.atBoundary(), missing }))
}

for (const [what, value] of [
  ['no number', Number.NaN],
  ['less than nothing', -5],
  ['no end', Number.POSITIVE_INFINITY],
  ['a fraction', 70_000.5],
  ['too much', 150_000],
  ['too little', 1],
  ['something that is no number at all', 'many' as unknown as number],
] as const) {
  test(`a framer that says that ${what} is missing spoils no reply`, async () => {
    await begin({ codec: lying(() => value) })
    await it.open(server.port)
    ask(20)
    await answered(20)
  })
}

test('a framer that throws when it is asked what is missing loses its own connection', async () => {
  await begin({
    codec: lying(() => {
      throw new Error('I cannot count')
    }),
  })
  await it.open(server.port)
  ask(1)
  const { error } = await it.lost()
  assert.is(error?.code, 'PROTOCOL_ERROR')
  assert.match(error?.message ?? '', /cannot count/)
})

/** Lanes as between threads: what was given away is gone here. */
function lanes(): [Lane, Lane] {
  const { port1, port2 } = new MessageChannel()
  return [portLane(port1), portLane(port2)]
}

test('a framer that stands between frames only when it has seen the next one gets its long frames right too', async () => {
  const protocol = framedBy((framer) => {
    let any = false
    const push = (chunk: Buffer, emit: Emit): void => {
      any = true
      framer.push(chunk, emit)
    }
    return { push, atBoundary: () => !any, missing: () => framer.missing?.() ?? 0 }
  })
  await begin({ codec: protocol, lanes: lanes() })
  await it.open(server.port)
  ask(20)
  await answered(20)
})

test('what a protocol keeps of a long push that is delivered stays its own', async () => {
  const kept: Buffer[] = []
  const asPush = (framer: Framer): Framer => ({
    push: (chunk, emit) => framer.push(chunk, (start, end) => emit(start, end, 'push')),
    atBoundary: () => framer.atBoundary(),
    missing: () => framer.missing?.() ?? 0,
  })
  const push = (value: Buffer): 'deliver' => {
    kept.push(value)
    return 'deliver'
  }
  const protocol = framedBy(asPush, { push })
  await begin({ codec: protocol, lanes: lanes() })
  await it.open(server.port)
  ask(1)
  const { payload } = await it.next(Kind.PUSH)
  assert.is(payload.length, BODY.length + 4)
  assert.is(kept.length, 1)
  assert.ok(kept[0]?.subarray(1).equals(BODY.subarray(1)))
})

test.run()
