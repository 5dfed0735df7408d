/** A shard with a client protocol: the socket is a library's, requests and replies are cloned. */
import type { Socket } from 'node:net'
import { deserialize, serialize } from 'node:v8'
import * as assert from 'uvu/assert'
import type { ClientConnection, ClientProtocol } from '../../src/define.ts'
import { decodeError, PoolError } from '../../src/errors.ts'
import { Flag, Kind } from '../../src/frame.ts'
import { suite, until } from '../kit/kit.ts'
import { onLines, type Peer, peer, type Rig, type RigOptions, rig, turns } from './shard-rig.ts'

const test = suite('client protocols in a shard')

/** A small client of a line protocol, as a library would write one: 'data', 'end', write, pause, resume. */
class LineClient {
  readonly socket: Socket
  readonly connection: ClientConnection
  readonly #waiting: ((line: string) => void)[] = []
  closed = false

  constructor(connection: ClientConnection) {
    this.connection = connection
    this.socket = connection.socket()
    onLines(this.socket, (line) => this.#waiting.shift()?.(line))
  }

  ask(line: string): Promise<string> {
    this.socket.write(`${line}\n`)
    return new Promise((resolve) => void this.#waiting.push(resolve))
  }
}

let server: Peer
let it: Rig
let client: LineClient
let aborted = 0

const protocol: ClientProtocol<unknown, unknown, unknown> = {
  name: 'lines of a library',
  pipelining: 2,
  async connect(connection) {
    client = new LineClient(connection)
    if ((await client.ask('hello')) !== 'hello!') throw new Error('not a line server')
    return client
  },
  async execute(it, request, { signal }) {
    if (request === 'throw') throw Object.assign(new Error('thrown'), { code: 'THROWN' })
    if (request === 'function') return () => 1
    signal.addEventListener('abort', () => aborted++)
    return (it as LineClient).ask(String(request))
  },
  reset: async (it) => void (await (it as LineClient).ask('reset')),
  probe: async (it) => void (await (it as LineClient).ask('probe')),
  close(it) {
    const one = it as LineClient
    one.closed = true
  },
}

async function begin(options: RigOptions = {}): Promise<void> {
  aborted = 0
  server = await peer((socket) => onLines(socket, (line) => line !== 'silence' && socket.write(`${line}!\n`)))
  it = await rig({ client: protocol, ...options })
  await it.open(server.port)
}

test.after.each(async () => {
  await it?.close()
  await server?.close()
})

const ask = (id: number, request: unknown, flags = 0): void => it.send(Kind.SEND, 1, id, serialize(request), flags)

test('requests and replies cross; several run at once', async () => {
  await begin()
  for (let i = 0; i < 4; i++) ask(i, `line ${i}`)
  for (let i = 0; i < 4; i++) {
    const reply = await it.next(Kind.REPLY)
    assert.is(reply.id, i)
    assert.is(deserialize(reply.payload), `line ${i}!`)
  }
})

test('a request in fragments is put together', async () => {
  await begin()
  const bytes = serialize('fragmented')
  it.send(Kind.SEND, 1, 1, bytes.subarray(0, 5), Flag.MORE)
  await turns()
  it.send(Kind.SEND, 1, 1, bytes.subarray(5))
  assert.is(deserialize((await it.next(Kind.REPLY)).payload), 'fragmented!')
})

test('a rejection and a reply that cannot be cloned fail their call alone', async () => {
  await begin()
  ask(1, 'throw')
  ask(2, 'function')
  ask(3, 'fine')
  const failures = [await it.next(Kind.FAILED), await it.next(Kind.FAILED)].map((message) =>
    decodeError(JSON.parse(String(message.payload))),
  )
  assert.is((failures[0] as NodeJS.ErrnoException).code, 'THROWN')
  assert.is((failures[1] as PoolError).code, 'NOT_CLONEABLE')
  assert.is(deserialize((await it.next(Kind.REPLY)).payload), 'fine!')
})

test('CANCEL drops what has not begun, aborts what has, and destroys an exclusive connection', async () => {
  await begin()
  ask(1, 'silence')
  ask(2, 'silence')
  ask(3, 'never')
  await turns()
  it.send(Kind.CANCEL, 1, 3)
  assert.is((await it.next(Kind.FAILED)).id, 3)
  it.send(Kind.CANCEL, 1, 1)
  await turns()
  assert.is(aborted, 1)
  server.socket.write('late\n')
  const dropped = await it.next(Kind.FAILED)
  assert.equal([dropped.id, dropped.flags], [1, Flag.DROPPED])
  it.send(Kind.CANCEL, 1, 2, '', Flag.EXCLUSIVE)
  const { info, written } = await it.lost()
  assert.is(info.reason, 'abort')
  assert.is(written, 2)
  assert.ok(client.closed)
})

test('probe and reset get the client', async () => {
  await begin()
  it.send(Kind.PROBE, 1)
  await it.next(Kind.IDLE)
  it.send(Kind.RELEASE, 1, 0, '', Flag.RESET)
  await it.next(Kind.IDLE)
  assert.is(server.text(), 'hello\nprobe\nreset\n')
})

test('the end of the socket and retire() end the connection', async () => {
  await begin()
  server.socket.end()
  assert.is((await it.lost()).info.reason, 'peer-end')
  assert.is(it.words[0], 0)
  await it.open(server.port, 1)
  ask(1, 'silence')
  await until(() => server.text().endsWith('silence\n'), 'it arrives')
  client.connection.retire('enough')
  assert.is(it.words[0], 0)
  await turns()
  assert.not(it.messages.filter((message) => message.kind === Kind.LOST).length > 1)
  server.socket.write('at last\n')
  await it.next(Kind.REPLY)
  await it.lost()
})

test('CLOSE lets the client say good-bye', async () => {
  await begin()
  it.send(Kind.CLOSE, 1)
  await it.next(Kind.CLOSED)
  assert.ok(client.closed)
})

test('the socket honours pause and resume, and a large reply loses nothing', async () => {
  await begin()
  client.socket.pause()
  const all = Buffer.alloc(2_000_000, 'q')
  const seen: Buffer[] = []
  client.socket.removeAllListeners('data')
  client.socket.on('data', (chunk: Buffer) => seen.push(chunk))
  client.socket.pause()
  server.socket.write(all)
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.is(seen.length, 0)
  assert.ok(client.socket.readableLength < 1_000_000, 'back-pressure reaches the peer')
  client.socket.resume()
  await until(() => Buffer.concat(seen).length === all.length, 'all comes')
})

test('a handler gets the client, and the connection is reset after it', async () => {
  await begin({
    handlers: {
      async both(input, { client: given, connection }) {
        return [await (given as LineClient).ask(`${input} 1`), await connection.request(`${input} 2`)]
      },
    },
  })
  it.send(Kind.EXECUTE, 1, 1)
  assert.equal(await it.execute(1, 'both', 'x'), { ok: true, value: ['x 1!', 'x 2!'] })
  assert.is((await it.next(Kind.DONE)).flags, Flag.WHOLE)
  await it.next(Kind.IDLE)
  assert.ok(server.text().endsWith('reset\n'))
})

test('a connect hook that throws is HOOK_FAILED', async () => {
  server = await peer()
  it = await rig({ client: { ...protocol, connect: () => Promise.reject(new Error('no')) } })
  it.openAt({ endpoint: { transport: 'tcp', host: '127.0.0.1', port: server.port } })
  const { error } = await it.lost()
  assert.is(error?.code, 'HOOK_FAILED')
  assert.ok(PoolError.is(error))
})

test.run()
