/** A shard with a codec: opening, requests, replies, losses, cancelling. */
import * as assert from 'uvu/assert'
import type { Emit } from '../../src/codec.ts'
import type { CodecProtocol } from '../../src/define.ts'
import { Flag, Kind } from '../../src/frame.ts'
import { lineCodec } from '../../src/protocols/index.ts'
import { realWorld } from '../../src/world.ts'
import { suite, until } from '../kit/kit.ts'
import { onLines, type Peer, peer, type Rig, type RigOptions, rig, turns } from './shard-rig.ts'

const test = suite('shard')

let server: Peer
let it: Rig

async function begin(onLine: (line: string, reply: (text: string) => void) => void, options?: RigOptions): Promise<void> {
  server = await peer((socket) => onLines(socket, (line) => onLine(line, (text) => socket.write(text))))
  it = await rig(options)
}

test.after.each(async () => {
  await it?.close()
  await server?.close()
})

function causeOf(error: Error | undefined): NodeJS.ErrnoException {
  if (!(error?.cause instanceof Error)) throw new Error('there is no cause')
  return error.cause
}

const echo = (line: string, reply: (text: string) => void): void => reply(`${line}!\n`)

test('a connection opens, answers, closes; its word follows', async () => {
  await begin(echo)
  assert.is(it.words[0], 0)
  const opened = await it.open(server.port, 7)
  assert.ok(opened.id > 0 && opened.id < 2_000_000)
  assert.is(it.words[0], 7)
  it.send(Kind.SEND, 7, 41, 'hello\n')
  const reply = await it.next(Kind.REPLY)
  assert.is(reply.id, 41)
  assert.is(String(reply.payload), 'hello!\n')
  it.send(Kind.CLOSE, 7)
  await it.next(Kind.CLOSED)
  assert.is(it.words[0], 0)
  it.send(Kind.SEND, 7, 42, 'late\n')
  await turns()
  assert.is(server.text(), 'hello\n')
})

test('replies split at every place, and several in one chunk, come whole and in order', async () => {
  await begin(() => undefined)
  await it.open(server.port)
  const replies = ['a\n', '\n', 'bcd\n', `${'x'.repeat(5000)}\n`, 'e\n']
  replies.forEach((_, i) => void it.send(Kind.SEND, 1, i, `${i}\n`))
  await until(() => server.text() === '0\n1\n2\n3\n4\n', 'the requests arrive')
  const whole = Buffer.from(replies.join(''))
  for (let at = 0; at < whole.length; ) {
    const size = at < 12 || at > 5000 ? 1 : 1777
    server.socket.write(whole.subarray(at, at + size))
    at += size
    await turns(2)
  }
  for (const [i, text] of replies.entries()) {
    const reply = await it.next(Kind.REPLY)
    assert.is(reply.id, i)
    assert.is(String(reply.payload), text)
  }
})

test('a large reply crosses a ring that holds four frames', async () => {
  await begin((_line, reply) => reply(`${'y'.repeat(300_000)}\n`), { toMainBytes: 128 })
  await it.open(server.port)
  it.send(Kind.SEND, 1, 1, 'go\n')
  it.send(Kind.SEND, 1, 2, 'go\n')
  assert.is((await it.next(Kind.REPLY)).payload.length, 300_001)
  assert.is((await it.next(Kind.REPLY)).payload.length, 300_001)
})

test('a byte that nobody asked for ends an idle connection and reaches nobody', async () => {
  await begin(echo)
  await it.open(server.port)
  server.socket.write('x')
  const { info, written } = await it.lost()
  assert.is(info.reason, 'stray-bytes')
  assert.is(written, 0)
  assert.is(it.words[0], 0)
  assert.not(it.messages.some((message) => message.kind === Kind.REPLY))
})

test('a surplus reply after the right one is delivered to nobody', async () => {
  await begin((line, reply) => reply(`${line}!\nsurplus\n`))
  await it.open(server.port)
  it.send(Kind.SEND, 1, 1, 'a\n')
  assert.is(String((await it.next(Kind.REPLY)).payload), 'a!\n')
  assert.is((await it.lost()).info.reason, 'stray-bytes')
})

test('a FIN and a reset remove an idle connection', async () => {
  await begin(echo)
  await it.open(server.port, 1, 2_000, 0)
  server.socket.end()
  assert.is((await it.lost()).info.reason, 'peer-end')
  await it.open(server.port, 2, 2_000, 0)
  server.socket.resetAndDestroy()
  assert.is((await it.lost()).info.reason, 'peer-reset')
})

test('LOST counts the calls that were written, oldest first', async () => {
  await begin((line, reply) => line === '0' && reply('zero\n'))
  await it.open(server.port)
  for (let i = 0; i < 3; i++) it.send(Kind.SEND, 1, i, `${i}\n`)
  await it.next(Kind.REPLY)
  await until(() => server.text() === '0\n1\n2\n', 'all arrive')
  server.socket.end()
  const { info, written } = await it.lost()
  assert.is(info.reason, 'peer-end')
  assert.is(written, 3)
})

test('nothing is written to a connection whose FIN has come already', async () => {
  for (let round = 0; round < 10; round++) {
    await begin(echo)
    await it.open(server.port)
    await turns(5)
    server.socket.end()
    it.send(Kind.SEND, 1, 1, 'never\n')
    const { written, info } = await it.lost()
    assert.is(info.reason, 'peer-end')
    assert.is(written, 0)
    assert.is(server.text(), '')
    await it.close()
    await server.close()
  }
})

test('CANCEL before the write takes the request back, and its neighbours go on', async () => {
  await begin(echo)
  await it.open(server.port)
  it.send(Kind.SEND, 1, 1, 'one\n')
  it.send(Kind.SEND, 1, 2, 'two\n')
  it.send(Kind.SEND, 1, 3, 'three\n')
  it.send(Kind.CANCEL, 1, 2)
  const dropped = await it.next(Kind.FAILED)
  assert.is(dropped.id, 2)
  assert.is(dropped.flags & Flag.DROPPED, Flag.DROPPED)
  assert.is((await it.next(Kind.REPLY)).id, 1)
  assert.is((await it.next(Kind.REPLY)).id, 3)
  assert.is(server.text(), 'one\nthree\n')
  server.socket.end()
  assert.is((await it.lost()).written, 3, 'one past the ordinal of the last that was written')
})

test('CANCEL of a written request drops its reply in order on a shared connection', async () => {
  await begin(() => undefined)
  await it.open(server.port)
  it.send(Kind.SEND, 1, 1, 'one\n')
  it.send(Kind.SEND, 1, 2, 'two\n')
  await until(() => server.text() === 'one\ntwo\n', 'both arrive')
  it.send(Kind.CANCEL, 1, 1)
  await turns()
  server.socket.write('1\n2\n')
  assert.is((await it.next(Kind.FAILED)).id, 1)
  const reply = await it.next(Kind.REPLY)
  assert.is(reply.id, 2)
  assert.is(String(reply.payload), '2\n')
})

test('CANCEL of a written request destroys an exclusive connection, as does one of a half written request', async () => {
  await begin(() => undefined)
  await it.open(server.port, 1)
  it.send(Kind.SEND, 1, 1, 'one\n')
  await until(() => server.text() === 'one\n', 'it arrives')
  it.send(Kind.CANCEL, 1, 1, '', Flag.EXCLUSIVE)
  const first = await it.lost()
  assert.is(first.info.reason, 'abort')
  assert.is(first.written, 1)
  await it.open(server.port, 2)
  it.send(Kind.SEND, 2, 1, 'ha', Flag.MORE)
  await until(() => server.text() === 'one\nha', 'half of it arrives')
  it.send(Kind.CANCEL, 2, 1)
  assert.is((await it.lost()).info.reason, 'abort')
})

test('fragments of a cancelled request that had not begun are dropped', async () => {
  await begin(echo)
  await it.open(server.port)
  it.send(Kind.SEND, 1, 1, 'ha', Flag.MORE)
  it.send(Kind.CANCEL, 1, 1)
  it.send(Kind.SEND, 1, 1, 'lf\n')
  it.send(Kind.SEND, 1, 2, 'next\n')
  assert.is((await it.next(Kind.FAILED)).id, 1)
  assert.is(String((await it.next(Kind.REPLY)).payload), 'next!\n')
  assert.is(server.text(), 'next\n')
})

test('credit comes back for what the kernel took', async () => {
  await begin(echo, { settings: { sendWindow: 40 } })
  await it.open(server.port)
  it.send(Kind.SEND, 1, 1, '123456789\n')
  assert.is((await it.next(Kind.CREDIT)).id, 10)
})

test('a reply longer than maxReplyBytes ends its connection alone', async () => {
  await begin((line, reply) => reply(`${'z'.repeat(Number(line))}\n`), { settings: { maxReplyBytes: 1000 } })
  await it.open(server.port, 1, 2_000, 0)
  await it.open(server.port, 2, 2_000, 1)
  it.send(Kind.SEND, 1, 1, '2000\n')
  const { info, error } = await it.lost()
  assert.is(info.reason, 'error')
  assert.is(error?.code, 'REPLY_TOO_LARGE')
  it.send(Kind.SEND, 2, 2, '10\n', 0, 1)
  assert.is((await it.next(Kind.REPLY)).slot, 1)
})

test('a framer that throws ends its connection alone', async () => {
  const codec: CodecProtocol<unknown, unknown> = {
    name: 'brittle',
    pipelining: 8,
    codec: {
      ...(lineCodec() as unknown as { encode: () => void; decode: () => unknown }),
      createFramer: () => {
        const inner = lineCodec().createFramer()
        return {
          push(chunk, emit) {
            if (chunk.includes('boom')) throw new Error('boom')
            inner.push(chunk, emit)
          },
          atBoundary: () => inner.atBoundary(),
        }
      },
    },
  }
  await begin(echo, { codec })
  await it.open(server.port, 1, 2_000, 0)
  await it.open(server.port, 2, 2_000, 1)
  it.send(Kind.SEND, 1, 1, 'boom\n')
  it.send(Kind.SEND, 2, 2, 'fine\n', 0, 1)
  assert.is((await it.next(Kind.REPLY)).slot, 1)
  const { error, written } = await it.lost()
  assert.is(error?.code, 'PROTOCOL_ERROR')
  assert.is(causeOf(error).message, 'boom')
  assert.is(written, 1)
})

test('connect errors keep their cause', async () => {
  await begin(echo)
  const { port } = server
  await server.close()
  it.openAt({ endpoint: { transport: 'tcp', host: '127.0.0.1', port } })
  const { error } = await it.lost()
  assert.is(error?.code, 'CONNECT_FAILED')
  assert.is(causeOf(error).code, 'ECONNREFUSED')
  it.openAt({ endpoint: { transport: 'unix', path: '/nowhere/at/all.sock' } }, 2)
  assert.is(causeOf((await it.lost()).error).code, 'ENOENT')
})

test('a full ring pauses who owes, loses nothing, and goes on when it is read', async () => {
  await begin((line, reply) => reply(`${line.repeat(100)}\n`), { toMainBytes: 1024, lazy: true })
  it.openAt({ endpoint: { transport: 'tcp', host: '127.0.0.1', port: server.port } })
  await until(() => it.words[0] === 1, 'it opens')
  for (let i = 0; i < 200; i++) it.send(Kind.SEND, 1, i, `${i}\n`)
  await until(() => it.link.full, 'the ring fills')
  await turns(20)
  const collect = setInterval(() => it.read(), 1)
  try {
    for (let i = 0; i < 200; i++) {
      const reply = await it.next(Kind.REPLY)
      assert.is(reply.id, i)
      assert.is(String(reply.payload), `${String(i).repeat(100)}\n`)
    }
  } finally {
    clearInterval(collect)
  }
})

test('an abandoned reply ends its connection when no byte comes for 5 s, and not before', async () => {
  let ahead = 0
  await begin(() => undefined, { world: { ...realWorld, now: () => performance.now() + ahead } })
  await it.open(server.port)
  it.send(Kind.SEND, 1, 1, 'one\n')
  it.send(Kind.SEND, 1, 2, 'two\n')
  await until(() => server.text() === 'one\ntwo\n', 'both arrive')
  it.send(Kind.CANCEL, 1, 1)
  await turns()
  ahead += 3_000
  server.socket.write('half')
  await new Promise((resolve) => setTimeout(resolve, 30))
  ahead += 3_000
  await new Promise((resolve) => setTimeout(resolve, 30))
  assert.not(it.messages.some((message) => message.kind === Kind.LOST))
  ahead += 3_000
  const { info, written } = await it.lost()
  assert.is(info.reason, 'abort')
  assert.is(written, 2)
})

/** Lines, and a look between any two replies of one chunk. */
function lookingBetween(look: () => void): CodecProtocol<unknown, unknown> {
  const { encode, decode } = lineCodec() as unknown as CodecProtocol<unknown, unknown>['codec'] & {
    encode: () => void
    decode: () => unknown
  }
  const createFramer = () => {
    const inner = lineCodec().createFramer()
    return {
      push: (chunk: Buffer, emit: Emit) =>
        inner.push(chunk, (start, end, kind) => {
          look()
          emit(start, end, kind)
        }),
      atBoundary: () => inner.atBoundary(),
    }
  }
  return { name: 'watched', pipelining: 64, codec: { encode, decode, createFramer } }
}

test('the replies of one chunk are shown eight at a time, while the others are still read', async () => {
  const shown: number[] = []
  const look = (): void => {
    it.read()
    shown.push(it.messages.filter(({ kind }) => kind === Kind.REPLY).length)
  }
  let asked = 0
  const answerAll = (_line: string, reply: (text: string) => void): void => {
    if (++asked === 20) reply('yes\n'.repeat(20))
  }
  await begin(answerAll, { codec: lookingBetween(look) })
  await it.open(server.port)
  for (let id = 1; id <= 20; id++) it.send(Kind.SEND, 1, id, 'well?\n')
  await until(() => shown.length === 20, 'all replies have come')
  assert.equal(shown, [0, 0, 0, 0, 0, 0, 0, 0, 8, 8, 8, 8, 8, 8, 8, 8, 16, 16, 16, 16])
  await until(() => it.messages.filter(({ kind }) => kind === Kind.REPLY).length === 20, 'the last four are shown')
})

test('a reply may wait for the end of its turn to be told, but not behind a handler', async () => {
  let go: (() => void) | undefined
  const wait = (): Promise<void> =>
    new Promise((resolve) => {
      go = resolve
    })
  await begin(echo, { handlers: { wait } })
  await it.open(server.port, 1, 2_000, 0)
  await it.open(server.port, 2, 2_000, 1)
  it.bells.length = 0
  it.send(Kind.SEND, 1, 1, 'hello\n', 0, 0)
  await it.next(Kind.REPLY)
  assert.equal(it.bells, ['soon', 'told'])
  it.send(Kind.EXECUTE, 2, 2, '', 0, 1)
  const result = it.execute(2, 'wait', undefined)
  it.send(Kind.SEND, 1, 3, 'hello\n', 0, 0)
  await it.next(Kind.REPLY)
  assert.equal(it.bells, ['soon', 'told', 'now'])
  await until(() => go !== undefined, 'the handler runs')
  go?.()
  await result
})

test.run()
