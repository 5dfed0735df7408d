/** Heart-beats of a shard, on a clock that stands still but for what a test lets pass, and what comes while one goes on. */
import * as assert from 'uvu/assert'
import { Beat } from '../../src/beats.ts'
import type { CodecProtocol } from '../../src/define.ts'
import { Flag, Kind } from '../../src/frame.ts'
import { lineCodec } from '../../src/protocols/index.ts'
import { ManualWorld } from '../kit/clock.ts'
import { suite, until } from '../kit/kit.ts'
import { onLines, type Peer, peer, type Rig, type RigOptions, rig, turns } from './shard-rig.ts'

const test = suite('heart-beats of a shard')

const HEARTBEAT_MS = 1_000
const PROBE_MS = 500

let server: Peer
let it: Rig
let clock: ManualWorld
/** The peer keeps its answers to itself. */
let mute = false

const codec = {
  name: 'beating',
  pipelining: 8,
  codec: lineCodec() as unknown as CodecProtocol<unknown, unknown>['codec'],
  async probe(connection: { request(line: string): Promise<unknown> }) {
    if ((await connection.request('ping')) !== 'ping!') throw new Error('that is no answer to a ping')
  },
  async reset(connection: { request(line: string): Promise<unknown> }) {
    await connection.request('reset')
  },
} as unknown as CodecProtocol<unknown, unknown> // its types are those of lines

async function begin(options: RigOptions = {}): Promise<void> {
  clock = new ManualWorld()
  mute = false
  server = await peer((socket) => onLines(socket, (line) => !mute && socket.write(`${line}!\n`)))
  it = await rig({
    codec,
    world: clock,
    ...options,
    settings: { heartbeatMs: HEARTBEAT_MS, probeTimeoutMs: PROBE_MS, ...options.settings },
  })
  await it.open(server.port)
  timers = clock.timers.length
}

test.after.each(async () => {
  await it?.close()
  await server?.close()
})

const pings = (): number => server.text().split('ping\n').length - 1

/** Timers while no heart-beat goes on: one that does has its own deadline. */
let timers = 0

/** Lets the time of one heart-beat pass, and waits until it is over, if there is one. */
async function interval(): Promise<void> {
  clock.pass(HEARTBEAT_MS * 1.02)
  await until(() => clock.timers.length === timers, 'the heart-beat is over')
}

/** Begins a heart-beat that the peer does not answer yet; `answer` does. */
async function midBeat(): Promise<{ answer(): void }> {
  mute = true
  const before = pings()
  clock.pass(HEARTBEAT_MS * 1.02)
  await until(() => pings() === before + 1, 'the ping arrives')
  return {
    answer() {
      mute = false
      server.socket.write('ping!\n')
    },
  }
}

const count = (kind: number): number => it.messages.filter((message) => message.kind === kind).length

test('an idle connection is probed at every interval, stays fit to lend, and nobody is told', async () => {
  await begin()
  for (let beat = 1; beat <= 3; beat++) {
    await interval()
    assert.is(pings(), beat)
    assert.is(it.words[0], 1)
  }
  assert.equal(
    it.messages.map((message) => message.kind),
    [Kind.OPENED],
  )
})

test('a connection that does not answer its heart-beat in time is lost', async () => {
  await begin()
  await midBeat()
  clock.pass(PROBE_MS)
  const { info, error, written } = await it.lost()
  assert.equal([info.reason, error?.code, written], ['probe', 'HOOK_FAILED', 0])
  assert.is(it.words[0], 0)
})

test('without a heartbeatMs, or without a probe, nothing is sent and no timer is set', async () => {
  const { probe: _, ...silent } = codec
  for (const options of [{ settings: { heartbeatMs: Number.POSITIVE_INFINITY } }, { codec: silent }]) {
    await begin(options)
    assert.is(timers, 0)
    clock.pass(1e5)
    await turns()
    assert.is(server.text(), '')
    await it.close()
    await server.close()
  }
})

test('a request that comes in the midst of a heart-beat waits behind it, and others behind that', async () => {
  await begin()
  const { answer } = await midBeat()
  it.send(Kind.SEND, 1, 1, 'half ', Flag.MORE)
  it.send(Kind.SEND, 1, 1, 'whole\n')
  it.send(Kind.SEND, 1, 2, 'next\n')
  await turns(10)
  assert.is(server.text(), 'ping\n')
  answer()
  assert.is(String((await it.next(Kind.REPLY)).payload), 'half whole!\n')
  assert.is(String((await it.next(Kind.REPLY)).payload), 'next!\n')
  assert.is(server.text(), 'ping\nhalf whole\nnext\n')
})

test('requests that wait behind a heart-beat which fails were not written', async () => {
  await begin()
  it.send(Kind.SEND, 1, 1, 'before\n')
  await it.next(Kind.REPLY)
  await midBeat()
  it.send(Kind.SEND, 1, 2, 'never\n')
  await turns()
  clock.pass(PROBE_MS)
  const { written, info } = await it.lost()
  assert.equal([written, info.reason], [1, 'probe'])
  assert.not.match(server.text(), 'never')
})

test('a lease taken in the midst of a heart-beat is served, and given back, as if there were none', async () => {
  await begin()
  const { answer } = await midBeat()
  it.send(Kind.SEND, 1, 1, 'leased\n', Flag.EXCLUSIVE)
  it.send(Kind.CANCEL, 1, 9)
  answer()
  assert.is(String((await it.next(Kind.REPLY)).payload), 'leased!\n')
  it.send(Kind.RELEASE, 1, 0, '', Flag.RESET)
  await it.next(Kind.IDLE)
  assert.is(count(Kind.LOST), 0)
})

test('a lease that sent nothing and is given back in the midst of a heart-beat leaves no trace', async () => {
  await begin()
  const { answer } = await midBeat()
  it.send(Kind.RELEASE, 1)
  answer()
  it.send(Kind.SEND, 1, 1, 'next\n')
  assert.is(String((await it.next(Kind.REPLY)).payload), 'next!\n')
})

test('a stream, and a probe that was asked for, wait behind a heart-beat too', async () => {
  await begin()
  const first = await midBeat()
  it.send(Kind.PROBE, 1)
  await turns(10)
  assert.is(pings(), 1)
  first.answer()
  await it.next(Kind.IDLE)
  assert.is(pings(), 2)
  const second = await midBeat()
  it.send(Kind.CREDIT, 1, 10_000, '', Flag.START)
  it.send(Kind.DATA, 1, 0, 'bytes\n')
  await turns(10)
  assert.not.match(server.text(), 'bytes')
  second.answer()
  assert.is(String((await it.next(Kind.DATA)).payload), 'bytes!\n')
})

test('a handler called in the midst of a heart-beat begins after it, or never if it fails', async () => {
  await begin({ handlers: { ask: (input, { connection }) => connection.request(input) } })
  const { answer } = await midBeat()
  it.send(Kind.EXECUTE, 1, 7)
  const running = it.execute(7, 'ask', 'handled')
  await turns(10)
  assert.is(server.text(), 'ping\n')
  answer()
  assert.equal(await running, { ok: true, value: 'handled!' })
  await it.next(Kind.DONE)

  await midBeat()
  it.send(Kind.EXECUTE, 1, 8)
  const never = it.execute(8, 'ask', 'never')
  await turns(10)
  clock.pass(PROBE_MS)
  const result = await never
  assert.ok(!result.ok)
  assert.equal([result.error.code, result.error.outcome], ['CONNECTION_LOST', 'not-sent'])
  await it.lost()
})

test('CLOSE does not wait for a heart-beat', async () => {
  await begin({ handlers: { ask: () => 'never' } })
  await midBeat()
  it.send(Kind.EXECUTE, 1, 7)
  const running = it.execute(7, 'ask', 'x')
  it.send(Kind.CLOSE, 1)
  await it.next(Kind.CLOSED)
  assert.not((await running).ok)
  assert.is(count(Kind.LOST), 0)
})

test('a connection in use is not probed: with a request under way, in a lease that has sent something, as a stream, under a handler', async () => {
  let end: () => void = () => undefined
  await begin({ handlers: { wait: () => new Promise<void>((resolve) => (end = resolve)) } })
  mute = true
  it.send(Kind.SEND, 1, 1, 'owed\n')
  await until(() => server.text() === 'owed\n', 'it arrives')
  clock.pass(HEARTBEAT_MS * 1.02)
  await turns()
  server.socket.write('owed!\n')
  await it.next(Kind.REPLY)
  mute = false
  it.send(Kind.SEND, 1, 2, 'MULTI\n', Flag.EXCLUSIVE)
  await it.next(Kind.REPLY)
  await interval()
  assert.is(pings(), 0)
  it.send(Kind.RELEASE, 1)
  await turns()
  await interval()
  assert.is(pings(), 1) // given back, it is idle
  it.send(Kind.EXECUTE, 1, 7)
  const running = it.execute(7, 'wait', undefined)
  await turns(10)
  await interval()
  end()
  await running
  await it.next(Kind.DONE)
  it.send(Kind.CREDIT, 1, 1_000, '', Flag.START)
  await turns()
  await interval()
  assert.is(pings(), 1)
})

test('heart-beats stop when the caller shows no sign of life for maxMainStallMs, and go on when it does', async () => {
  await begin({ settings: { heartbeatMs: HEARTBEAT_MS, maxMainStallMs: 4_000 } })
  for (let second = 1; second <= 3; second++) {
    await interval()
    assert.is(pings(), second)
  }
  await interval()
  const stopped = pings()
  for (let second = 0; second < 5; second++) await interval()
  assert.is(pings(), stopped)
  Atomics.add(it.beats, Beat.CALLER, 1)
  await interval() // it looks at its caller, and at once at the connections
  assert.is(pings(), stopped + 1)
})

test('the shard gives a sign of life several times in shardStallMs, and none when nobody looks', async () => {
  await begin({ settings: { shardStallMs: 2_000 } })
  clock.pass(2_000)
  assert.ok((it.beats[Beat.SHARD] ?? 0) >= 4)
  await it.close()
  assert.is(clock.timers.filter((timer) => timer.ref).length, 0)
  await server.close()
  await begin()
  clock.pass(1e5)
  assert.is(it.beats[Beat.SHARD], 0)
})

test.run()
