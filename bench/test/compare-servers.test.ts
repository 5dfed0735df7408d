/** The servers of the comparisons that are no echo: prepared answers, connections that are closed, TLS. */
import { once } from 'node:events'
import { connect, type Server, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import * as assert from 'uvu/assert'
import { haveProgram } from '../../packages/pool-worker/test/kit/children.ts'
import { suite, until } from '../../packages/pool-worker/test/kit/kit.ts'
import { documentRequest } from '../src/answers/orders.ts'
import { patterned } from '../src/framed/bodies.ts'
import { openSocket, type Session } from '../src/framed/socket.ts'
import { compileC } from '../src/native/compile.ts'
import { Cleanup } from '../src/process/cleanup.ts'
import { startAnswerServer } from '../src/servers/answers.ts'
import { makeCertificate } from '../src/servers/certificate.ts'
import { order, serveClosing } from '../src/servers/closing-server.ts'
import { serveTls } from '../src/servers/tls-echo.ts'
import { optional } from './support/optional.ts'

const test = suite('servers of the comparisons')
const cleanup = new Cleanup()
test.after.each(() => cleanup.run())

const ANSWERS = [Buffer.from('first'), patterned(3 * 2 ** 20, 1), Buffer.alloc(0), patterned(100, 2)]
const compiled = await compileC('epoll', 'answer-server')

/** A connection, and everything that comes on it. */
async function listener(port: number): Promise<{ readonly socket: Socket; received(): Buffer }> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', () => undefined) // a reset is an end too
  await once(socket, 'connect')
  return { socket, received: () => Buffer.concat(chunks) }
}

function frame(body: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length)
  return Buffer.concat([length, body])
}

const ask = (...numbers: number[]): Buffer => Buffer.concat(numbers.map((number) => frame(documentRequest(number))))

for (const prefer of ['c', 'node'] as const) {
  const testWith = prefer === 'c' ? optional(test, compiled) : test

  testWith(`answers (${prefer}) come in the order of the requests, however they are cut and however slowly they are read`, async () => {
    const server = await startAnswerServer(cleanup, ANSWERS, { prefer })
    assert.match(server.name, prefer === 'c' ? /^C / : /^Node /)
    const { socket, received } = await listener(server.port)
    const numbers = Array.from({ length: 40 }, (_, index) => index % ANSWERS.length)
    const bytes = ask(...numbers)
    socket.pause()
    for (let at = 0; at < bytes.length; at += 5) socket.write(bytes.subarray(at, at + 5))
    socket.resume()
    const expected = Buffer.concat(numbers.map((number) => frame(ANSWERS[number] ?? Buffer.alloc(0))))
    await until(() => received().length >= expected.length, 'all answers have come', 20_000)
    assert.ok(received().equals(expected))
    socket.destroy()
  })

  testWith(`a request (${prefer}) for what there is not ends its connection alone`, async () => {
    const server = await startAnswerServer(cleanup, ANSWERS, { prefer })
    const [good, bad, worse] = [await listener(server.port), await listener(server.port), await listener(server.port)]
    const closed = [bad, worse].map(({ socket }) => once(socket, 'close'))
    bad.socket.write(ask(ANSWERS.length))
    worse.socket.write(frame(Buffer.alloc(5)))
    await Promise.all(closed)
    good.socket.write(ask(0))
    await until(() => good.received().equals(frame(Buffer.from('first'))), 'the answer has come')
    good.socket.destroy()
  })
}

/** Ends a server of this process, and its connections, after the test. */
function untilTestEnds({ port, server }: { readonly port: number; readonly server: Server }): number {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  cleanup.add(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return port
}

test('the server that closes connections closes as many as it was told, of its clients alone', async () => {
  const [port, other] = [untilTestEnds(await serveClosing()), untilTestEnds(await serveClosing())]
  const clients = await Promise.all(Array.from({ length: 8 }, () => openSocket({ port })))
  const stranger = await openSocket({ port: other })
  const orders = await openSocket({ port })
  const body = order(4, 1)
  assert.equal(await orders.request(body), body)
  const closed = () => clients.filter(({ socket }) => socket.destroyed)
  await until(() => closed().length === 4, 'four are closed')
  const [alive] = clients.filter((client) => !closed().includes(client))
  for (const client of [alive, stranger, orders]) assert.equal(await client?.request(Buffer.of(1)), Buffer.of(1))
  assert.is(closed().length, 4)
  for (const { socket } of [...clients, stranger, orders]) socket.destroy()
})

const testWithOpenssl = haveProgram('openssl', 'version') ? test : test.skip

testWithOpenssl('the TLS server echoes to clients that trust its certificate; a session is resumed where it is kept', async () => {
  const certificate = await makeCertificate()
  const target = { port: untilTestEnds(await serveTls(certificate)), ca: certificate.cert }
  const session: Session = {}
  const body = patterned(100_000, 1)
  const reused: boolean[] = []
  for (let turn = 0; turn < 2; turn++) {
    const opened = await openSocket(target, session)
    assert.ok(body.equals(await opened.request(body)))
    await until(() => session.ticket !== undefined, 'there is a session')
    reused.push(opened.socket instanceof TLSSocket && opened.socket.isSessionReused())
    opened.socket.destroy()
  }
  assert.equal(reused, [false, true])
})

test.run()
