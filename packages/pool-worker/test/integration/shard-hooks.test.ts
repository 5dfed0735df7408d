/** A codec's hooks in a shard: hand-shake, reset, probe, pushes. */
import * as assert from 'uvu/assert'
import type { CodecProtocol } from '../../src/define.ts'
import { PoolError } from '../../src/errors.ts'
import { Flag, Kind } from '../../src/frame.ts'
import { lineCodec } from '../../src/protocols/index.ts'
import { suite, until } from '../kit/kit.ts'
import { onLines, type Peer, peer, type Rig, type RigOptions, rig, turns } from './shard-rig.ts'

const test = suite('hooks in a shard')

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

const echo = (line: string, reply: (text: string) => void): void => reply(`${line}!\n`)

const greeting = (overrides: Partial<CodecProtocol<unknown, unknown>>): CodecProtocol<unknown, unknown> => ({
  name: 'greeting',
  pipelining: 8,
  codec: lineCodec() as unknown as CodecProtocol<unknown, unknown>['codec'],
  ...overrides,
})

test('the hand-shake sees the greeting, asks, and only then is the connection open', async () => {
  server = await peer((socket) => {
    socket.write('wel')
    setTimeout(() => socket.write('come\n'), 20)
    onLines(socket, (line) => socket.write(`${line}?\n`))
  })
  const seen: unknown[] = []
  it = await rig({
    codec: greeting({
      async onConnect(connection) {
        seen.push(await connection.next(), await connection.request('who'))
      },
    }),
  })
  await it.open(server.port)
  assert.equal(seen, ['welcome', 'who?'])
  it.send(Kind.SEND, 1, 1, 'on\n')
  assert.is(String((await it.next(Kind.REPLY)).payload), 'on?\n')
})

test('a hand-shake that fails, hangs, or leaves bytes behind is LOST with the reason', async () => {
  const hooks: [CodecProtocol<unknown, unknown>['onConnect'], string][] = [
    [() => Promise.reject(new Error('no')), 'HOOK_FAILED'],
    [() => Promise.reject(new PoolError('AUTH_FAILED', 'no')), 'AUTH_FAILED'],
    [() => new Promise(() => undefined), 'CONNECT_TIMEOUT'],
    [(connection) => void connection.request('left behind'), 'DESYNC'],
    [async (connection) => void (await connection.request('end')), 'CONNECT_FAILED'],
  ]
  for (const [onConnect, code] of hooks) {
    server = await peer((socket) => onLines(socket, (line) => line === 'end' && socket.end()))
    it = await rig({ codec: greeting({ ...(onConnect === undefined ? {} : { onConnect }) }) })
    it.openAt({ endpoint: { transport: 'tcp', host: '127.0.0.1', port: server.port } }, 1, 100)
    const { error, written } = await it.lost()
    assert.is(error?.code, code)
    assert.is(written, 0)
    await it.close()
    await server.close()
  }
})

test('RELEASE with RESET runs the reset, and a failing one destroys', async () => {
  const asked: unknown[] = []
  const reset: CodecProtocol<unknown, unknown>['reset'] = async (connection) => {
    const reply = await connection.request('RESET')
    asked.push(reply)
    if (asked.length > 1) throw new Error('cannot')
  }
  await begin(echo, { codec: greeting({ reset }) })
  await it.open(server.port)
  it.send(Kind.RELEASE, 1, 0, '', Flag.RESET)
  await it.next(Kind.IDLE)
  assert.equal(asked, ['RESET!'])
  it.send(Kind.RELEASE, 1, 0, '', Flag.RESET)
  const { info, error } = await it.lost()
  assert.is(info.reason, 'error')
  assert.is(error?.code, 'HOOK_FAILED')
})

test('RELEASE with a reply owed, or with no reset to run, destroys', async () => {
  await begin(() => undefined)
  await it.open(server.port, 1)
  it.send(Kind.SEND, 1, 1, 'a\n')
  it.send(Kind.RELEASE, 1)
  assert.is((await it.lost()).error?.code, 'DESYNC')
  await it.open(server.port, 2)
  it.send(Kind.RELEASE, 2, 0, '', Flag.RESET)
  assert.is((await it.lost()).error?.code, 'HOOK_FAILED')
})

test('PROBE answers IDLE, or LOST when the peer does not answer in time', async () => {
  let silent = false
  await begin((line, reply) => silent || echo(line, reply), {
    codec: greeting({ probe: async (connection) => void (await connection.request('ping')) }),
    settings: { probeTimeoutMs: 50 },
  })
  await it.open(server.port)
  it.send(Kind.PROBE, 1)
  await it.next(Kind.IDLE)
  silent = true
  it.send(Kind.PROBE, 1)
  const { info, error } = await it.lost()
  assert.is(info.reason, 'probe')
  assert.is(error?.code, 'HOOK_FAILED')
})

test('pushes are ignored, delivered, answered, or end the connection, as the protocol says', async () => {
  const framer = () => {
    const inner = lineCodec().createFramer()
    return {
      push: (chunk: Buffer, emit: (start: number, end: number, kind: 'reply' | 'push') => void) =>
        inner.push(chunk, (start, end) => emit(start, end, chunk[start] === 62 ? 'push' : 'reply')),
      atBoundary: () => inner.atBoundary(),
    }
  }
  const codec = { ...lineCodec(), createFramer: framer } as unknown as CodecProtocol<unknown, unknown>['codec']
  const push: CodecProtocol<unknown, unknown>['push'] = (value) =>
    value === '>answer' ? { answer: 'pong' } : value === '>deliver' ? 'deliver' : value === '>ignore' ? 'ignore' : 'destroy'
  await begin(() => undefined, { codec: greeting({ codec, push }) })
  await it.open(server.port)
  server.socket.write('>ignore\n>deliver\n>answer\n')
  assert.is(String((await it.next(Kind.PUSH)).payload), '>deliver\n')
  await until(() => server.text() === 'pong\n', 'the push is answered')
  server.socket.write('reply to pong\n')
  await turns(5)
  it.send(Kind.SEND, 1, 1, 'ask\n')
  await until(() => server.text() === 'pong\nask\n', 'it arrives')
  server.socket.write('mine\n')
  assert.is(String((await it.next(Kind.REPLY)).payload), 'mine\n')
  server.socket.write('>what\n')
  assert.is((await it.lost()).info.reason, 'stray-bytes')
})

test.run()
