/** A shard with a stream: bytes both ways within credit, half-close, and the way back to requests. */
import { createHash } from 'node:crypto'
import * as assert from 'uvu/assert'
import { Flag, Kind } from '../../src/frame.ts'
import { suite, until } from '../kit/kit.ts'
import { onLines, type Peer, peer, type Rig, rig, turns } from './shard-rig.ts'

const test = suite('streams in a shard')

let server: Peer
let it: Rig

test.after.each(async () => {
  await it?.close()
  await server?.close()
})

const received = (): Buffer => Buffer.concat(it.messages.filter((message) => message.kind === Kind.DATA).map((message) => message.payload))

test('bytes go both ways within small credit, and both ends close', async () => {
  const big = Buffer.alloc(300_000, 'abcdefghij')
  server = await peer((socket) => {
    socket.write(big)
    socket.once('end', () => setTimeout(() => socket.end('bye'), 10))
  })
  it = await rig({ builtin: 'raw' })
  await it.open(server.port)
  it.send(Kind.CREDIT, 1, 1000, '', Flag.START)
  let granted = 1000
  while (received().length < big.length) {
    await until(() => received().length === Math.min(granted, big.length), 'the credit is used up')
    await turns(2)
    assert.ok(received().length <= granted)
    it.send(Kind.CREDIT, 1, 50_000)
    granted += 50_000
  }
  assert.is(createHash('sha1').update(received()).digest('hex'), createHash('sha1').update(big).digest('hex'))
  it.send(Kind.DATA, 1, 0, 'hello ')
  it.send(Kind.DATA, 1, 0, 'world')
  it.send(Kind.DATA, 1, 0, '', Flag.END)
  await until(() => server.text() === 'hello world', 'it arrives')
  const { info } = await it.lost()
  assert.is(info.reason, 'peer-end')
  assert.is(received().subarray(-3).toString(), 'bye')
  assert.is(it.messages.at(-2)?.flags, Flag.END)
})

test('a peer that half-closes still reads what the stream writes', async () => {
  server = await peer((socket) => socket.once('data', () => socket.end('all I say')))
  it = await rig({ builtin: 'raw' })
  await it.open(server.port)
  it.send(Kind.CREDIT, 1, 65_536, '', Flag.START)
  it.send(Kind.DATA, 1, 0, 'speak: ')
  await until(() => it.messages.some((message) => message.kind === Kind.DATA && message.flags === Flag.END), 'its end is told')
  assert.is(String(received()), 'all I say')
  it.send(Kind.DATA, 1, 0, 'and yet')
  it.send(Kind.DATA, 1, 0, '!', Flag.END)
  assert.is((await it.lost()).info.reason, 'peer-end')
  assert.is(server.text(), 'speak: and yet!')
})

test('credit comes back for stream bytes that the kernel took', async () => {
  server = await peer()
  it = await rig({ builtin: 'raw', settings: { highWaterMark: 1024 } })
  await it.open(server.port)
  it.send(Kind.CREDIT, 1, 1024, '', Flag.START)
  it.send(Kind.DATA, 1, 0, 'x'.repeat(1000))
  assert.is((await it.next(Kind.CREDIT)).id, 1000)
})

test("what a raw connection received before its first stream is the stream's; later it is stray", async () => {
  server = await peer((socket) => socket.write('hello'))
  it = await rig({ builtin: 'raw' })
  await it.open(server.port)
  await turns(10)
  assert.is(it.words[0], 1)
  it.send(Kind.CREDIT, 1, 65_536, '', Flag.START)
  await until(() => String(received()) === 'hello', 'it is kept')
  it.send(Kind.RELEASE, 1, 0, '', Flag.RESET)
  await it.next(Kind.IDLE)
  server.socket.write('more')
  assert.is((await it.lost()).info.reason, 'stray-bytes')
})

test('a reusable stream gives its connection back to requests; one half done does not', async () => {
  server = await peer((socket) => onLines(socket, (line) => socket.write(`${line}!\n`)))
  it = await rig()
  await it.open(server.port, 1)
  it.send(Kind.SEND, 1, 1, 'before\n')
  await it.next(Kind.REPLY)
  it.send(Kind.CREDIT, 1, 3, '', Flag.START)
  it.send(Kind.DATA, 1, 0, 'ab\n')
  await until(() => String(received()) === 'ab!', 'three bytes come')
  it.send(Kind.CREDIT, 1, 10)
  await until(() => String(received()) === 'ab!\n', 'the rest comes')
  it.send(Kind.RELEASE, 1, 0, '', Flag.RESET)
  await it.next(Kind.IDLE)
  it.send(Kind.SEND, 1, 2, 'after\n')
  assert.is(String((await it.next(Kind.REPLY)).payload), 'after!\n')
  it.send(Kind.CREDIT, 1, 1, '', Flag.START)
  it.send(Kind.DATA, 1, 0, 'cd\n')
  await until(() => String(received()) === 'ab!\nc', 'one byte comes')
  it.send(Kind.RELEASE, 1, 0, '', Flag.RESET)
  const { info, written } = await it.lost()
  assert.is(info.reason, 'error')
  assert.is(written, 2)
})

test('a stream on a connection that owes a reply destroys it; an error ends a stream', async () => {
  server = await peer()
  it = await rig()
  await it.open(server.port, 1)
  it.send(Kind.SEND, 1, 1, 'a\n')
  it.send(Kind.CREDIT, 1, 10, '', Flag.START)
  assert.is((await it.lost()).error?.code, 'DESYNC')
  await it.open(server.port, 2)
  it.send(Kind.CREDIT, 2, 10, '', Flag.START)
  await turns(5)
  server.socket.resetAndDestroy()
  assert.is((await it.lost()).info.reason, 'peer-reset')
})

test.run()
