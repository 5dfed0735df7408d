import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import * as assert from 'uvu/assert'
import { makeCertificates } from '../kit/certificates.ts'
import { skipUnless, suite } from '../kit/kit.ts'
import { startRedis } from '../kit/servers.ts'

skipUnless('redis-server')
skipUnless('openssl')
const test = suite('kit: servers')

function ping(socket: import('node:net').Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      socket.destroy()
      resolve(String(chunk))
    })
    socket.write('PING\r\n')
  })
}

test('redis over tcp comes back at the same port after a crash', async () => {
  const redis = await startRedis()
  assert.is(await ping(connect(redis.port, '127.0.0.1')), '+PONG\r\n')
  await redis.kill()
  await redis.restart()
  assert.is(await ping(connect(redis.port, '127.0.0.1')), '+PONG\r\n')
  await redis.stop()
})

test('redis over a unix socket', async () => {
  const redis = await startRedis({ transport: 'unix' })
  assert.is(await ping(connect(redis.path)), '+PONG\r\n')
  await redis.stop()
})

test('redis over TLS: the good certificate is verified, the others are refused for their own reason', async () => {
  const certificates = makeCertificates()
  const { ca, good, wrongName, expired, unknownAuthority } = certificates
  const expected = [
    [good, undefined],
    [wrongName, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    [expired, 'CERT_HAS_EXPIRED'],
    [unknownAuthority, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ] as const
  for (const [server, code] of expected) {
    const redis = await startRedis({ transport: 'tls', tls: { server, ca } })
    const reply = await ping(connectTls({ port: redis.port, host: '127.0.0.1', servername: 'localhost', ca: ca.cert })).catch(
      (error: NodeJS.ErrnoException) => error.code,
    )
    assert.is(reply, code ?? '+PONG\r\n')
    await redis.stop()
  }
  certificates.remove()
})

test.run()
