import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { PassThrough, Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Lease, type Pool, PoolError, type PoolOptions, raw, resp } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { checksum, digest, failure, flood, MiB, noise, readExactly } from '../support/bytes.ts'
import { atRest, closing, echo, type Peer, type PeerOptions, startPeer } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'

const test = suite('streams in use')
const keep = closing(test)

function peer(serve: (socket: Socket) => void, options?: PeerOptions): Promise<Peer> {
  return keep(startPeer(serve, options))
}

function open(endpoint: string, options: Partial<PoolOptions> = {}): Promise<Pool> {
  return keep(createPool({ endpoint, protocol: raw(), shards: 1, maxConnections: 4, ...options }))
}

test('a stream goes through stream.pipeline with transforms on both sides', async () => {
  const { endpoint } = await peer(echo)
  const pool = await open(endpoint)
  const stream = (await pool.acquire()).stream()
  const parts: Buffer[] = []
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      parts.push(chunk)
      setImmediate(done)
    },
  })
  await pipeline(Readable.from(noise(MiB)), new PassThrough(), stream, new PassThrough(), sink)
  assert.is(createHash('sha1').update(Buffer.concat(parts)).digest('hex'), checksum(MiB))
  await atRest(pool)
})

test('leaving an async iteration early destroys the stream and frees its place', async () => {
  const { endpoint } = await peer((socket) => void flood(socket, 16 * MiB))
  const pool = await open(endpoint, { maxConnections: 1 })
  for await (const chunk of (await pool.acquire()).stream()) {
    assert.ok(chunk.length > 0)
    break
  }
  await pool.use(() => undefined)
  await atRest(pool)
})

test('what is written goes out as it was, even when its memory is reused as soon as the write is done', async () => {
  const { endpoint } = await peer(echo)
  const pool = await open(endpoint, { ringBytes: 4096 })
  const stream = (await pool.acquire()).stream()
  const rounds = 200
  const back = digest(stream)
  const buffer = Buffer.alloc(30_000)
  const hash = createHash('sha1')
  for (let round = 0; round < rounds; round++) {
    buffer.fill(round)
    hash.update(buffer)
    await new Promise<void>((resolve, reject) => stream.write(buffer, (error) => (error ? reject(error) : resolve())))
    buffer.fill(0xee)
  }
  stream.end()
  assert.equal(await back, { bytes: rounds * buffer.length, hash: hash.digest('hex') })
})

for (const shards of [0, 1]) {
  const where = shards === 0 ? 'on the calling thread' : 'in a thread'

  test(`${where}: what listeners of a stream throw is an uncaught error of theirs, and their shard is read on`, async () => {
    const { endpoint } = await peer(echo)
    const pool = await open(endpoint, { shards, ringBytes: 4096 })
    const stream = (await pool.acquire()).stream()
    const [onData, onWritten] = [new Error('thrown by a listener'), new Error('thrown when it was written')]
    const uncaught: unknown[] = []
    const hear = (error: unknown): void => void uncaught.push(error)
    process.on('uncaughtException', hear)
    try {
      stream.once('data', () => {
        throw onData
      })
      stream.write('first')
      await until(() => uncaught.length === 1, 'the first is uncaught')
      const other = (await pool.acquire()).stream()
      other.write('other')
      assert.is(String(await readExactly(other, 5)), 'other')
      stream.write(Buffer.alloc(MiB), () => {
        throw onWritten
      })
      await until(() => uncaught.length === 2, 'the second is uncaught')
      other.write('again')
      assert.is(String(await readExactly(other, 5)), 'again')
      assert.equal(uncaught, [onData, onWritten])
      stream.destroy()
      other.destroy()
      await atRest(pool)
    } finally {
      process.off('uncaughtException', hear)
    }
  })
}

test('a stream is taken once, only while no reply is owed, and ends requests', async () => {
  const { endpoint } = await peer((socket) => {
    socket.once('data', (first: Buffer) => {
      assert.match(first.toString(), /PING/)
      socket.write('+PONG\r\n')
      echo(socket)
    })
  })
  const pool = await keep(createPool({ endpoint, protocol: resp(), shards: 1, highWaterMark: 1024 }))
  const lease: Lease<readonly (string | number | Uint8Array)[], unknown> = await pool.acquire()
  const owed = lease.request(['PING'])
  assert.throws(
    () => lease.stream(),
    (error: unknown) => PoolError.is(error) && error.code === 'BAD_REQUEST',
  )
  assert.is(await owed, 'PONG')
  const stream = lease.stream()
  assert.throws(
    () => lease.stream(),
    (error: unknown) => PoolError.is(error) && error.code === 'LEASE_RELEASED',
  )
  await rejects(lease.request(['PING']), 'BAD_REQUEST')
  stream.write('raw bytes')
  assert.is((await readExactly(stream, 9)).toString(), 'raw bytes')
  lease.release({ reusable: true })
  await atRest(pool)
  assert.is(pool.stats().idle, 1)
})

test('a connection that was a stream takes requests of any size again', async () => {
  const { endpoint } = await peer((socket) => {
    let seen = 0
    socket.on('data', (chunk: Buffer) => {
      seen += chunk.length
      if (chunk.subarray(-4).toString() === 'end!') socket.write('back')
      else if (chunk.at(-1) === 10 && seen > 200_000) socket.write(`:${seen}\r\n`)
    })
  })
  const pool = await keep(createPool({ endpoint, protocol: resp(), shards: 1, maxConnections: 1, highWaterMark: 1024 }))
  const lease = await pool.acquire()
  const stream = lease.stream()
  stream.write(`${'x'.repeat(100_000)}end!`)
  assert.is((await readExactly(stream, 4)).toString(), 'back')
  lease.release({ reusable: true })
  assert.ok(((await pool.request(['SET', 'k', 'y'.repeat(200_000)], { timeoutMs: 5_000 })) as number) > 300_000)
  assert.is(pool.stats().counters.opened, 1)
})

test('a pool that closes destroys the streams that do not end', async () => {
  const { endpoint } = await peer(echo)
  const pool = await open(endpoint)
  const stream = (await pool.acquire()).stream()
  const failed = failure(stream)
  await Promise.all([pool.close({ timeoutMs: 50 }), failed])
  assert.is((await failed).code, 'POOL_CLOSED')
})

test.run()
