import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { lengthPrefixed, line, type Pool, PoolError, type PoolOptions, protocolAt, raw } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { type Certificate, type Certificates, makeCertificates } from '../../../pool-worker/test/kit/certificates.ts'
import { haveProgram } from '../../../pool-worker/test/kit/children.ts'
import { rejects, skipUnless, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { atRest, closing, echo, type Peer, type PeerOptions, startPeer } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'

skipUnless('openssl')

const test = suite('tls and connecting')
const keep = closing(test)

const NOISE = randomBytes(2 ** 20)

let certificates: Certificates
test.before(() => {
  certificates = makeCertificates()
})
test.after(() => certificates.remove())

/** Takes everything, says nothing, and goes when its client goes. */
const mutely = (socket: Socket): void => void socket.resume().once('end', () => socket.end())

function tlsPeer({ cert, key }: Certificate, options: PeerOptions['tls'] = {}, serve = echo): Promise<Peer> {
  return keep(startPeer(serve, { tls: { cert, key, ...options } }))
}

function open(endpoint: string, options: Partial<PoolOptions<string, string>> = {}): Promise<Pool<string, string>> {
  return keep(createPool({ endpoint, protocol: line(), shards: 1, maxConnections: 2, ...options }))
}

const trusted = (): PoolOptions['tls'] => ({ ca: certificates.ca.cert })

/** The code of a refusal's innermost cause. */
function causeCode(error: PoolError): string | undefined {
  const { cause } = error
  return cause instanceof Error && 'code' in cause ? String(cause.code) : undefined
}

for (const shards of [0, 1]) {
  test(`long replies come whole and in order over TLS, with shards: ${shards}`, async () => {
    const lengths = [200_000, 5, 40_000, 0, 999_999, 32_764, 70_000, 1]
    const serve = (socket: Socket): void => {
      let rest = Buffer.alloc(0)
      socket.on('data', (chunk: Buffer) => {
        rest = Buffer.concat([rest, chunk])
        for (; rest.length >= 8; rest = rest.subarray(8)) {
          const bytes = rest.readUInt32BE(4)
          const head = Buffer.alloc(4)
          head.writeUInt32BE(bytes)
          socket.write(Buffer.concat([head, NOISE.subarray(bytes % 7, (bytes % 7) + bytes)]))
        }
      })
      socket.on('end', () => socket.end())
    }
    const { endpoint } = await tlsPeer(certificates.good, {}, serve)
    const pool = await keep(
      createPool({ endpoint, protocol: lengthPrefixed(), shards, maxConnections: 2, ringBytes: 65_536, tls: trusted() }),
    )
    const asked = Array.from({ length: 64 }, (_, at) => lengths[at % lengths.length] ?? 0)
    const replies = await Promise.all(
      asked.map((bytes) => {
        const request = Buffer.alloc(4)
        request.writeUInt32BE(bytes)
        return pool.request(request)
      }),
    )
    for (const [at, bytes] of asked.entries()) assert.ok(replies[at]?.equals(NOISE.subarray(bytes % 7, (bytes % 7) + bytes)), `reply ${at}`)
    assert.is(pool.stats().counters.closed, 0)
    await atRest(pool)
  })

  test(`requests and streams go over TLS, with shards: ${shards}`, async () => {
    const { endpoint } = await tlsPeer(certificates.good)
    const pool = await open(endpoint, { shards, tls: trusted() })
    assert.equal(await Promise.all(['a', 'b', 'c'].map((text) => pool.request(text))), ['a', 'b', 'c'])
    await atRest(pool)
    const bytes = randomBytes(4 * 2 ** 20)
    const streams = await keep(createPool({ endpoint, protocol: raw(), shards, tls: trusted(), highWaterMark: 65_536 }))
    const stream = (await streams.acquire()).stream()
    stream.end(bytes)
    assert.ok(Buffer.concat(await stream.toArray()).equals(bytes))
    await atRest(streams)
  })

  test(`over TLS, what came before its reader had room for it, and then the end, is not lost, with shards: ${shards}`, async () => {
    const bytes = randomBytes(3 * 2 ** 20)
    const { endpoint } = await tlsPeer(certificates.good, {}, (socket) => void socket.resume().once('data', () => socket.end(bytes)))
    const pool = await keep(createPool({ endpoint, protocol: raw(), shards, tls: trusted(), highWaterMark: 1024, maxConnections: 1 }))
    const stream = (await pool.acquire()).stream()
    stream.end('go')
    await once(stream, 'readable')
    assert.ok(Buffer.concat(await stream.toArray()).equals(bytes))
    await atRest(pool)
  })
}

for (const shards of [0, 1]) {
  test(`over TLS, a stream destroyed after its peer has ended frees its place, with shards: ${shards}`, async () => {
    for (const size of [3_000, 2 ** 20]) {
      const { endpoint } = await tlsPeer(
        certificates.good,
        {},
        (socket) => void socket.once('data', () => socket.end(NOISE.subarray(0, size))),
      )
      const pool = await keep(createPool({ endpoint, protocol: raw(), shards, tls: trusted(), highWaterMark: 1024, maxConnections: 1 }))
      for (let round = 0; round < 5; round++) {
        const unread = (await pool.acquire({ timeoutMs: 3_000 })).stream()
        unread.end('go')
        await once(unread, 'readable')
        for (let turn = 0; turn < round * 4; turn++) await new Promise((resolve) => setImmediate(resolve))
        unread.destroy()
      }
      await pool.use(() => undefined, { timeoutMs: 3_000 })
      await atRest(pool)
    }
  })
}

for (const [name, code] of [
  ['wrongName', 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ['expired', 'CERT_HAS_EXPIRED'],
  ['unknownAuthority', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
] as const) {
  test(`a server whose certificate fails by ${name} is refused, and the error says ${code}`, async () => {
    const served = await tlsPeer(certificates[name])
    const pool = await open(served.endpoint, { tls: trusted() })
    const error = await rejects(pool.request('x'), 'TLS_REJECTED')
    assert.is(causeCode(error), code)
    assert.is(error.phase, 'connect')
    assert.is(error.outcome, 'not-sent')
    await atRest(pool)
  })
}

test('a server is verified by default: one of an authority that nobody named is refused', async () => {
  const { endpoint } = await tlsPeer(certificates.good)
  const error = await rejects((await open(endpoint)).request('x'), 'TLS_REJECTED')
  assert.is(causeCode(error), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE')
})

test('NODE_TLS_REJECT_UNAUTHORIZED=0 does not switch verification off', async () => {
  const { endpoint } = await tlsPeer(certificates.good)
  const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  try {
    for (const shards of [0, 1]) await rejects((await open(endpoint, { shards })).request('x'), 'TLS_REJECTED')
  } finally {
    if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
    else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before
  }
})

test('rejectUnauthorized: false takes any certificate', async () => {
  const { endpoint } = await tlsPeer(certificates.unknownAuthority)
  const pool = await open(endpoint, { tls: { rejectUnauthorized: false } })
  assert.is(await pool.request('trusting'), 'trusting')
})

test('servername is what the certificate is checked against', async () => {
  const { port } = await tlsPeer(certificates.wrongName)
  const pool = await open(`tls://127.0.0.1:${port}`, { tls: { ...trusted(), servername: 'wrong.example' } })
  assert.is(await pool.request('named'), 'named')
})

test('a certificate for an address is good for that address', async () => {
  const { port } = await tlsPeer(certificates.good)
  const pool = await open(`tls://127.0.0.1:${port}`, { tls: trusted() })
  assert.is(await pool.request('by address'), 'by address')
})

test('a client certificate is shown to a server that asks for one', async () => {
  const { cert, key } = certificates.good
  const { endpoint } = await tlsPeer(certificates.good, { requestCert: true, rejectUnauthorized: true, ca: certificates.ca.cert })
  const pool = await open(endpoint, { tls: { ...trusted(), cert, key } })
  assert.is(await pool.request('mutual'), 'mutual')
  const without = await open(endpoint, { tls: trusted() })
  await without.request('x').then(
    () => assert.unreachable('a client without a certificate was served'),
    (error: unknown) => assert.ok(PoolError.is(error)),
  )
})

test('an agreed application protocol is used, and a server that agrees to none is refused', async () => {
  const agreeing = await tlsPeer(certificates.good, { ALPNProtocols: ['one', 'two'] })
  const pool = await open(agreeing.endpoint, { tls: { ...trusted(), ALPNProtocols: ['two', 'three'] } })
  assert.is(await pool.request('agreed'), 'agreed')
  const mismatched = await open(agreeing.endpoint, { tls: { ...trusted(), ALPNProtocols: ['three'] } })
  await rejects(mismatched.request('x'), 'TLS_REJECTED')
  const silent = await tlsPeer(certificates.good)
  const unanswered = await open(silent.endpoint, { tls: { ...trusted(), ALPNProtocols: ['two'] } })
  await rejects(unanswered.request('x'), 'TLS_REJECTED')
  await atRest(mismatched)
  await until(() => silent.sockets.size === 0, 'the refused socket is closed')
})

test('a server below TLS 1.2 is refused', async () => {
  const old = await tlsPeer(certificates.good, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' })
  await rejects((await open(old.endpoint, { tls: trusted() })).request('x'), 'TLS_REJECTED')
})

test('a key that does not fit is refused without being printed', async () => {
  const { endpoint } = await tlsPeer(certificates.good)
  const pool = await open(endpoint, { tls: { ...trusted(), cert: certificates.good.cert, key: 'not a key: s3cret' } })
  const error = await rejects(pool.request('x'), 'TLS_REJECTED')
  assert.not.match(JSON.stringify(error) + error.stack + String(error.cause), /s3cret/)
})

for (const shards of [0, 1]) {
  const quick = { shards, connectTimeoutMs: 80, acquireTimeoutMs: 10_000 }

  test(`a server that accepts and never shakes hands is CONNECT_TIMEOUT by the connect deadline, with shards: ${shards}`, async () => {
    const mute = await keep(startPeer(mutely))
    const pool = await open(`tls://localhost:${mute.port}`, { ...quick, tls: trusted() })
    const error = await rejects(pool.request('x'), 'CONNECT_TIMEOUT')
    assert.is(error.phase, 'connect')
    assert.is(error.outcome, 'not-sent')
    assert.match(error.message, 'the TLS hand-shake has not ended')
    await until(() => mute.accepted > 0 && mute.sockets.size === 0, 'the socket is closed')
    await atRest(pool)
  })

  test(`a hand-shake hook that never settles is CONNECT_TIMEOUT by the connect deadline, with shards: ${shards}`, async () => {
    const mute = await keep(startPeer(mutely))
    const protocol = protocolAt<typeof import('../fixtures/endless-handshake.ts')>(
      new URL('../fixtures/endless-handshake.js', import.meta.url),
    )
    const pool = await keep(createPool({ endpoint: mute.endpoint, protocol, ...quick, maxConnections: 2 }))
    assert.match((await rejects(pool.request('x'), 'CONNECT_TIMEOUT')).message, "the protocol's hand-shake has not ended")
    await until(() => mute.accepted > 0 && mute.sockets.size === 0, 'the socket is closed')
    await atRest(pool)
  })

  test(`a name that does not resolve is CONNECT_FAILED with the resolver's code, with shards: ${shards}`, async () => {
    const pool = await open('tcp://no-such-host.invalid:7', { shards })
    const error = await rejects(pool.request('x'), 'CONNECT_FAILED')
    assert.match(causeCode(error) ?? '', /^(ENOTFOUND|EAI_AGAIN)$/)
    await atRest(pool)
  })

  test(`a port that nobody listens on is CONNECT_FAILED with ECONNREFUSED, with shards: ${shards}`, async () => {
    const gone = await startPeer(() => undefined)
    await gone.close()
    const pool = await open(gone.endpoint, { shards })
    const error = await rejects(pool.acquire(), 'CONNECT_FAILED')
    assert.is(causeCode(error), 'ECONNREFUSED')
    assert.is((error.cause as NodeJS.ErrnoException).syscall, 'connect')
    await atRest(pool)
  })

  test(`a unix socket serves requests; a path that is not there is CONNECT_FAILED with ENOENT, with shards: ${shards}`, async () => {
    const peer = await keep(startPeer(echo, { transport: 'unix' }))
    const pool = await open(peer.endpoint, { shards })
    assert.is(await pool.request('over unix'), 'over unix')
    const missing = await open(`${peer.endpoint}.missing`, { shards })
    const error = await rejects(missing.request('x'), 'CONNECT_FAILED')
    assert.is(causeCode(error), 'ENOENT')
    await atRest(missing)
  })
}

test('a server that speaks no TLS is refused at once', async () => {
  const plain = await keep(startPeer((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')))
  const pool = await open(`tls://localhost:${plain.port}`, { tls: trusted() })
  const error = await pool.request('x').then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  assert.ok(PoolError.is(error) && ['TLS_REJECTED', 'CONNECT_FAILED'].includes(error.code), String(error))
})

if (haveProgram('ss', '-V')) {
  for (const keepAlive of [true, false]) {
    test(`keepAlive: ${keepAlive} reaches the kernel's socket`, async () => {
      const peer = await keep(startPeer(echo))
      const pool = await open(peer.endpoint, { keepAlive, keepAliveInitialDelayMs: 120_000 })
      await pool.request('hello')
      const lines = execFileSync('ss', ['-tnoH', `dport = :${peer.port}`], { encoding: 'utf8' })
        .trim()
        .split('\n')
      assert.is(lines.length, 1)
      if (keepAlive) assert.match(lines[0] ?? '', /timer:\(keepalive,(1min|2min|1[01]\dsec)/)
      else assert.not.match(lines[0] ?? '', /keepalive/)
    })
  }
} else console.log('SKIPPED: what keepAlive does in the kernel needs ss, which is not installed: apt-get install iproute2')

test.run()
