/** Connections on which nothing comes though replies are owed. The clock stands still but for what a test lets pass. */
import { serialize } from 'node:v8'
import * as assert from 'uvu/assert'
import type { ClientProtocol, CodecProtocol } from '../../src/define.ts'
import { Flag, Kind } from '../../src/frame.ts'
import { lineCodec } from '../../src/protocols/index.ts'
import { ManualWorld } from '../kit/clock.ts'
import { suite, until } from '../kit/kit.ts'
import { onLines, type Peer, peer, type Rig, type RigOptions, rig, turns } from './shard-rig.ts'

const test = suite('silence in a shard')

const INACTIVITY_MS = 1_000

let server: Peer
let it: Rig
let clock: ManualWorld

async function begin(options: RigOptions = {}, inactivityTimeoutMs: number = INACTIVITY_MS): Promise<void> {
  clock = new ManualWorld(5_000)
  server = await peer((socket) => onLines(socket, (line) => line.startsWith('echo') && socket.write(`${line}\n`)))
  it = await rig({ ...options, world: clock, settings: { inactivityTimeoutMs, ...options.settings } })
  if (options.lazy !== true) return void (await it.open(server.port))
  it.openAt({ endpoint: { transport: 'tcp', host: '127.0.0.1', port: server.port } })
  await until(() => it.words[0] === 1, 'it opens')
}

test.after.each(async () => {
  await it?.close()
  await server?.close()
})

const lostAlready = (): boolean => it.messages.some((message) => message.kind === Kind.LOST)

/** Lets time pass, and what follows from it happen. */
async function pass(ms: number): Promise<void> {
  clock.pass(ms)
  await turns()
}

/** Bytes of the peer that are read at once. */
async function says(text: string): Promise<void> {
  const before = it.shard.plumbing.readBuffer.toString('latin1', 0, text.length)
  assert.is.not(before, text, 'the same twice would not be seen')
  server.socket.write(text)
  await until(() => it.shard.plumbing.readBuffer.toString('latin1', 0, text.length) === text, 'the bytes are read')
}

test('a black hole in flight is lost after inactivityTimeoutMs, and its calls may have been executed', async () => {
  await begin()
  it.send(Kind.SEND, 1, 1, 'one\n')
  await until(() => server.text() === 'one\n', 'it arrives')
  await pass(INACTIVITY_MS)
  assert.not(lostAlready())
  await pass(20)
  const { info, written, error } = await it.lost()
  assert.equal([info.reason, written], ['error', 1])
  assert.equal([error?.code, error?.outcome], ['CONNECTION_LOST', 'maybe-executed'])
  assert.match(error?.message ?? '', /no byte for 1000 ms/)
})

test('bytes that come, be they ever so few, put it off; requests that go do not', async () => {
  await begin()
  it.send(Kind.SEND, 1, 1, 'one\n')
  await until(() => server.text() === 'one\n', 'it arrives')
  for (const part of ['a', 'b', 'c']) {
    await pass(900)
    await says(part)
  }
  await pass(900)
  assert.not(lostAlready())
  it.send(Kind.SEND, 1, 2, 'two\n')
  await until(() => server.text() === 'one\ntwo\n', 'it arrives')
  await pass(120)
  assert.match((await it.lost()).error?.message ?? '', /no byte/)
})

test('a connection that owes nothing is never silent, and one that answered begins anew', async () => {
  await begin()
  await pass(100_000)
  for (let turn = 0; turn < 3; turn++) {
    it.send(Kind.SEND, 1, turn, `echo ${turn}\n`)
    assert.is((await it.next(Kind.REPLY)).id, turn)
    assert.is(it.shard.wheel.size, 0)
    await pass(100_000)
  }
  it.send(Kind.SEND, 1, 9, 'mute\n')
  await until(() => server.text().endsWith('mute\n'), 'it arrives')
  await pass(990)
  assert.not(lostAlready())
  await pass(30)
  await it.lost()
})

test('with Infinity nothing is watched', async () => {
  await begin({}, Number.POSITIVE_INFINITY)
  it.send(Kind.SEND, 1, 1, 'one\n')
  await until(() => server.text() === 'one\n', 'it arrives')
  assert.is(it.shard.wheel.size, 0)
  await pass(1e9)
  assert.not(lostAlready())
})

test('after a stall of its own thread the shard reads what has come before it judges', async () => {
  await begin()
  it.send(Kind.SEND, 1, 1, 'one\n')
  await until(() => server.text() === 'one\n', 'it arrives')
  await new Promise<void>((resolve) => void server.socket.write('in the kernel\n', () => resolve()))
  clock.stall(10_000)
  assert.is(String((await it.next(Kind.REPLY)).payload), 'in the kernel\n')
  await turns()
  assert.not(lostAlready())
})

test('time in which nobody reads does not count', async () => {
  await begin({ toMainBytes: 1_024, lazy: true })
  for (let call = 0; call < 100; call++) it.send(Kind.SEND, 1, call, `echo ${'x'.repeat(100)}\n`)
  await until(() => it.link.full, 'the ring fills')
  await turns(20)
  await pass(10_000)
  const reading = setInterval(() => it.read(), 1)
  try {
    for (let call = 0; call < 100; call++) assert.is((await it.next(Kind.REPLY)).id, call)
  } finally {
    clearInterval(reading)
  }
  assert.not(lostAlready())
})

/** Sends a request, and gives it up when its reply has been owed for so long. */
async function abandonAfter(ms: number): Promise<void> {
  it.send(Kind.SEND, 1, 1, 'one\n')
  await until(() => server.text() === 'one\n', 'it arrives')
  await pass(ms)
  it.send(Kind.CANCEL, 1, 1)
  await turns()
}

test('an abandoned reply ends its connection after inactivityTimeoutMs where that is less than 5 s', async () => {
  await begin()
  await abandonAfter(900)
  await pass(900)
  assert.not(lostAlready())
  await pass(120)
  assert.is((await it.lost()).info.reason, 'abort')
})

test('an abandoned reply is given up after 5 s where inactivityTimeoutMs is longer', async () => {
  await begin({}, 60_000)
  await abandonAfter(30_000)
  await pass(4_990)
  assert.not(lostAlready())
  await pass(30)
  assert.is((await it.lost()).info.reason, 'abort')
})

test('a request that is long on its way is not silence while the peer takes it', async () => {
  await begin({ settings: { inactivityTimeoutMs: INACTIVITY_MS, sendWindow: 1 << 20 } })
  for (let part = 0; part < 5; part++) {
    it.send(Kind.SEND, 1, 1, `${part}`.repeat(100), Flag.MORE)
    await until(() => server.text().length === 100 * (part + 1), 'the part arrives')
    await pass(900)
  }
  assert.not(lostAlready())
  it.send(Kind.SEND, 1, 1, '\n')
  await until(() => server.text().endsWith('\n'), 'it ends')
  await pass(200)
  assert.match((await it.lost()).error?.message ?? '', /no byte/)
})

test('a handler whose peer is silent gets CONNECTION_LOST with the reason below it', async () => {
  let thrown: unknown
  await begin({
    handlers: {
      ask: async (_input, { connection }) => {
        thrown = await connection.request('one').catch((error: unknown) => error)
      },
    },
  })
  it.send(Kind.EXECUTE, 1, 7)
  const running = it.execute(7, 'ask', undefined)
  await until(() => server.text() === 'one\n', 'it asks')
  await pass(INACTIVITY_MS + 20)
  await running
  const error = thrown as { code: string; cause: Error } // of the request that failed
  assert.is(error.code, 'CONNECTION_LOST')
  assert.match(error.cause.message, /no byte for 1000 ms/)
  await it.lost()
})

test('a stream is not watched', async () => {
  await begin()
  it.send(Kind.CREDIT, 1, 1_000, '', Flag.START)
  it.send(Kind.DATA, 1, 0, 'bytes')
  await until(() => server.text() === 'bytes', 'it arrives')
  await pass(1e6)
  assert.not(lostAlready())
})

test('a hand-shake that nobody answers fails the connect', async () => {
  const codec = {
    name: 'greeting',
    codec: lineCodec() as unknown as CodecProtocol<unknown, unknown>['codec'],
    async onConnect(connection: { request(line: string): Promise<unknown> }) {
      await connection.request('who')
    },
  } as unknown as CodecProtocol<unknown, unknown> // its types are those of lines
  clock = new ManualWorld()
  server = await peer((socket) => onLines(socket, () => undefined))
  it = await rig({ codec, world: clock, settings: { inactivityTimeoutMs: INACTIVITY_MS } })
  it.openAt({ endpoint: { transport: 'tcp', host: '127.0.0.1', port: server.port } }, 1, 60_000)
  await until(() => server.text() === 'who\n', 'it asks')
  await pass(INACTIVITY_MS + 20)
  const { error } = await it.lost()
  assert.is(error?.code, 'CONNECT_FAILED')
  assert.match(String(error?.cause), /no byte/)
})

test("a library's connection is watched while it owes a reply, and hears each byte", async () => {
  let got: (text: string) => void = () => undefined
  const client: ClientProtocol<unknown, unknown, unknown> = {
    name: 'library',
    pipelining: 2,
    connect: async (connection) => {
      const socket = connection.socket()
      socket.on('data', (chunk) => got(String(chunk)))
      return socket
    },
    execute: (socket, request) =>
      new Promise((resolve) => {
        got = (text) => text.endsWith('!') && resolve(text)
        const { write } = socket as { write(text: string): void } // the connect hook's
        write.call(socket, String(request))
      }),
  }
  await begin({ client })
  await pass(100_000)
  it.send(Kind.SEND, 1, 1, serialize('one'))
  await until(() => server.text() === 'one', 'it arrives')
  await pass(900)
  await says('a')
  await pass(900)
  await says('b!')
  await it.next(Kind.REPLY)
  assert.is(it.shard.wheel.size, 0)
  await pass(100_000)
  assert.not(lostAlready())
  it.send(Kind.SEND, 1, 2, serialize('two'))
  await until(() => server.text() === 'onetwo', 'it arrives')
  await pass(INACTIVITY_MS + 20)
  assert.match((await it.lost()).error?.message ?? '', /no byte/)
})

test.run()
