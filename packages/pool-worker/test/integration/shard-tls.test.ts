/** A shard over TLS and unix sockets: what is refused, and that frames cross as over TCP. */
import { existsSync, readFileSync } from 'node:fs'
import { createServer, type Server as NetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, createServer as createTlsServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
import * as assert from 'uvu/assert'
import { Flag, Kind } from '../../src/frame.ts'
import type { OpenedInfo, TlsSettings } from '../../src/messages.ts'
import { realWorld } from '../../src/world.ts'
import { type Certificates, makeCertificates } from '../kit/certificates.ts'
import { skipUnless, suite, until } from '../kit/kit.ts'
import { onLines, type Rig, rig } from './shard-rig.ts'

skipUnless('openssl')
const test = suite('a shard over TLS')

let certificates: Certificates
let server: Server | NetServer
let it: Rig

test.before(() => {
  certificates = makeCertificates()
})

test.after.each(async () => {
  await it?.close()
  await new Promise((resolve) => server.close(resolve))
})

async function listen(options: TlsOptions): Promise<number> {
  const tls = createTlsServer(options, (socket) => {
    socket.on('error', () => undefined)
    onLines(socket, (line) => socket.write(line === 'big' ? `${'b'.repeat(500_000)}\n` : `${line}!\n`))
  })
  tls.on('tlsClientError', () => undefined)
  server = tls
  await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve))
  const address = tls.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function refused(options: TlsOptions, tls: TlsSettings, host = 'localhost'): Promise<string | undefined> {
  const port = await listen(options)
  it = await rig({ settings: { tls } })
  it.openAt({ endpoint: { transport: 'tls', host, port } })
  const { error } = await it.lost()
  return error?.code
}

test('frames cross, large ones too, through a ring that is full', async () => {
  const port = await listen({ cert: certificates.good.cert, key: certificates.good.key })
  it = await rig({ settings: { tls: { ca: certificates.ca.cert } }, toMainBytes: 1024 })
  it.openAt({ endpoint: { transport: 'tls', host: 'localhost', port } })
  await it.next(Kind.OPENED)
  for (let i = 0; i < 20; i++) it.send(Kind.SEND, 1, i, i % 5 === 0 ? 'big\n' : `${i}\n`)
  for (let i = 0; i < 20; i++) {
    const reply = await it.next(Kind.REPLY)
    assert.is(reply.id, i)
    assert.is(reply.payload.length, i % 5 === 0 ? 500_001 : String(i).length + 2)
  }
  it.send(Kind.RELEASE, 1)
  it.send(Kind.CREDIT, 1, 65_536, '', Flag.START)
  it.send(Kind.DATA, 1, 0, 'streamed\n')
  await until(
    () => it.messages.some((message) => message.kind === Kind.DATA && String(message.payload) === 'streamed!\n'),
    'the stream answers',
  )
  it.send(Kind.DATA, 1, 0, '', Flag.END)
  assert.is((await it.lost()).info.reason, 'peer-end')
})

for (const on of [true, false]) {
  test(`with noDelay and keepAlive ${on} the socket below TLS is told so once it is connected`, async () => {
    const told: unknown[] = []
    const connectTls = (options: ConnectionOptions): TLSSocket => {
      const socket = realWorld.connectTls(options)
      const { setNoDelay, setKeepAlive } = socket
      socket.setNoDelay = (flag) => {
        told.push(['noDelay', flag, socket.connecting])
        return setNoDelay.call(socket, flag)
      }
      socket.setKeepAlive = (flag, delay) => {
        told.push(['keepAlive', flag, delay, socket.connecting])
        return setKeepAlive.call(socket, flag, delay)
      }
      return socket
    }
    const port = await listen({ cert: certificates.good.cert, key: certificates.good.key })
    const settings = { tls: { ca: certificates.ca.cert }, noDelay: on, keepAlive: on, keepAliveInitialDelayMs: 7_000 }
    it = await rig({ settings, world: { ...realWorld, connectTls } })
    it.openAt({ endpoint: { transport: 'tls', host: 'localhost', port } })
    const { localPort } = JSON.parse(String((await it.next(Kind.OPENED)).payload)) as OpenedInfo // written by the shard
    assert.equal(
      told,
      on
        ? [
            ['noDelay', true, false],
            ['keepAlive', true, 7_000, false],
          ]
        : [['noDelay', false, false]],
    )
    if (process.platform !== 'linux') return
    if (on) await until(() => keepAliveRuns(localPort), 'the kernel keeps it alive, once nothing is unacknowledged')
    else assert.not(keepAliveRuns(localPort))
  })
}

/** What the kernel says: whether the timer of keep-alive runs for the socket with this local port. */
function keepAliveRuns(localPort = 0): boolean {
  const port = localPort.toString(16).toUpperCase().padStart(4, '0')
  const lines = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) => (existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []))
  const own = lines.map((line) => line.trim().split(/\s+/)).find(([, local]) => local?.endsWith(`:${port}`))
  if (own === undefined) throw new Error(`the kernel knows no socket with port ${localPort}`)
  return own[5]?.startsWith('02:') === true
}

test('an address is a name of the certificate, if it says so', async () => {
  const port = await listen({ cert: certificates.good.cert, key: certificates.good.key })
  it = await rig({ settings: { tls: { ca: certificates.ca.cert } } })
  it.openAt({ endpoint: { transport: 'tls', host: '127.0.0.1', port } })
  await it.next(Kind.OPENED)
})

for (const [title, kind] of [
  ['an expired certificate', 'expired'],
  ['one for another name', 'wrongName'],
  ['one of an unknown authority', 'unknownAuthority'],
] as const) {
  test(`${title} is refused, whatever the environment says`, async () => {
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
    process.removeAllListeners('warning')
    try {
      const { cert, key } = certificates[kind]
      assert.is(await refused({ cert, key }, { ca: certificates.ca.cert }), 'TLS_REJECTED')
    } finally {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
    }
  })
}

test('TLS 1.1 is refused', async () => {
  const { cert, key } = certificates.good
  const options: TlsOptions = { cert, key, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }
  assert.is(await refused(options, { ca: certificates.ca.cert }), 'TLS_REJECTED')
})

test('an application protocol that the peer does not speak is refused', async () => {
  const { cert, key } = certificates.good
  assert.is(await refused({ cert, key }, { ca: certificates.ca.cert, ALPNProtocols: ['h2'] }), 'TLS_REJECTED')
})

test('a peer that closes in the middle of the hand-shake is CONNECT_FAILED', async () => {
  const plain = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.destroy()
  })
  server = plain
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve))
  const address = plain.address()
  it = await rig()
  it.openAt({ endpoint: { transport: 'tls', host: '127.0.0.1', port: typeof address === 'object' && address !== null ? address.port : 0 } })
  assert.is((await it.lost()).error?.code, 'CONNECT_FAILED')
})

test('unix sockets do as TCP does', async () => {
  const path = join(tmpdir(), `cenote-${process.pid}.sock`)
  const plain = createServer((socket) => onLines(socket, (line) => socket.write(`${line}!\n`)))
  server = plain
  await new Promise<void>((resolve) => plain.listen(path, resolve))
  it = await rig()
  it.openAt({ endpoint: { transport: 'unix', path } })
  await it.next(Kind.OPENED)
  it.send(Kind.SEND, 1, 1, 'a\n')
  assert.is(String((await it.next(Kind.REPLY)).payload), 'a!\n')
})

test.run()
