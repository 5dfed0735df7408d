/** What a shard notes in its flight recorder. */
import * as assert from 'uvu/assert'
import { CLOSE_REASONS, Flag, Kind } from '../../src/frame.ts'
import { lineCodec } from '../../src/protocols/index.ts'
import { suite, until } from '../kit/kit.ts'
import { onLines, type Peer, peer, type Rig, rig, turns } from './shard-rig.ts'

const test = suite('a shard notes')

let server: Peer
let it: Rig

test.before.each(async () => {
  server = await peer((socket) =>
    onLines(socket, (line) => {
      if (line === 'end') socket.end()
      else if (line !== 'wait') socket.write(`${line}\n`)
    }),
  )
})

test.after.each(async () => {
  await it.close()
  await server.close()
})

/** Without the time that a connect took. */
const noted = (): string[] => it.noted().map((event) => event.replace(/^(opened .*) \d+$/, '$1 µs'))

const reason = (name: (typeof CLOSE_REASONS)[number]): number => CLOSE_REASONS.indexOf(name)

test('the life of each connection, in order, and no request', async () => {
  it = await rig({ codec: { name: 'resets', codec: lineCodec(), probe: async () => undefined, reset: async () => undefined } })
  await it.open(server.port, 7)
  it.send(Kind.SEND, 7, 41, 'hello\n')
  await it.next(Kind.REPLY)
  it.send(Kind.RELEASE, 7, 0, '', Flag.RESET)
  await it.next(Kind.IDLE)
  it.send(Kind.PROBE, 7)
  await it.next(Kind.IDLE)
  it.send(Kind.RELEASE, 7)
  it.send(Kind.CLOSE, 7, reason('idle'))
  await it.next(Kind.CLOSED)
  assert.equal(noted(), [
    'started -1/0 0',
    'open 0/7 2000',
    'opened 0/7 µs',
    'prove 0/7 0',
    'idle 0/7 0',
    'probe 0/7 0',
    'idle 0/7 0',
    `close 0/7 ${reason('idle')}`,
    'closed 0/7 0',
  ])
})

test('a connection that is lost, and why', async () => {
  it = await rig()
  await it.open(server.port, 1)
  it.send(Kind.SEND, 1, 5, 'end\n')
  await it.lost()
  assert.is(noted().at(-1), `lost 0/1 ${reason('peer-end')}`)
})

test('handlers, those who gave up, streams, and its own end', async () => {
  it = await rig({ handlers: { quick: () => 1 } })
  await it.open(server.port, 1)
  it.send(Kind.EXECUTE, 1, 9)
  await it.execute(9, 'quick', undefined)
  it.send(Kind.CREDIT, 1, 4096, '', Flag.START)
  it.send(Kind.CANCEL, 1, 12)
  await until(() => noted().length === 7, 'all is noted')
  await it.close()
  assert.equal(noted().slice(3), ['execute 0/1 9', 'done 0/1 9', 'stream 0/1 4096', 'cancel 0/1 12', 'closing -1/0 1', 'closed 0/1 0'])
})

test('a full ring, once in a second however often it is full', async () => {
  it = await rig({ lazy: true, toMainBytes: 4096 })
  it.openAt({ endpoint: { transport: 'tcp', host: '127.0.0.1', port: server.port } })
  await until(() => noted().length === 3, 'it is open')
  for (let round = 0; round < 3; round++) {
    it.send(Kind.SEND, 1, 2 * round, `${'x'.repeat(10_000)}\n`)
    it.send(Kind.SEND, 1, 2 * round + 1, 'wait\n')
    await until(() => it.link.full, 'the ring is full')
    while (it.link.full) {
      it.read()
      await turns()
    }
    server.socket.write('waited\n')
  }
  assert.is(noted().filter((event) => event.startsWith('ring-full')).length, 1)
})

test.run()
