/** Replies that are long go beside the ring: in order, whole, their memory the caller's own, within every bound. */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { lengthPrefixed, type Pool, type PoolOptions, resp } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { atRest, closing, type Peer, startPeer } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'

const test = suite('long replies')
const keep = closing(test)

const KiB = 1024
const NOISE = randomBytes(3 * KiB * KiB)

type BytesPool = Pool<Uint8Array, Buffer>

function open(endpoint: string, options: Partial<PoolOptions<Uint8Array, Buffer>> = {}): Promise<BytesPool> {
  return keep(createPool({ endpoint, protocol: lengthPrefixed(), shards: 1, maxConnections: 2, ...options }))
}

/** Asks for so many bytes of the noise. */
function asking(bytes: number, from: number): Buffer {
  const request = Buffer.alloc(8)
  request.writeUInt32BE(bytes, 0)
  request.writeUInt32BE(from, 4)
  return request
}

async function checked(pool: BytesPool, bytes: number, from: number): Promise<Buffer> {
  const reply = await pool.request(asking(bytes, from))
  if (!reply.equals(NOISE.subarray(from, from + bytes))) assert.unreachable(`${bytes} bytes from ${from} are not what was asked for`)
  return reply
}

/** Shows each request to `answer`. */
function serve(socket: Socket, answer: (bytes: number, from: number) => void): void {
  let rest = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    for (; rest.length >= 12; rest = rest.subarray(12)) answer(rest.readUInt32BE(4), rest.readUInt32BE(8))
  })
  socket.on('end', () => socket.end())
}

function head(bytes: number): Buffer {
  const header = Buffer.alloc(4)
  header.writeUInt32BE(bytes, 0)
  return header
}

function serving(): Promise<Peer> {
  return keep(
    startPeer((socket) =>
      serve(socket, (bytes, from) => {
        socket.write(head(bytes))
        socket.write(NOISE.subarray(from, from + bytes))
      }),
    ),
  )
}

for (const shards of [0, 1, 2]) {
  test(`replies of all lengths come whole and in order over shared connections, with shards: ${shards}`, async () => {
    const seed = Date.now() & 0xffff
    const pool = await open((await serving()).endpoint, { shards })
    const all = Array.from({ length: 200 }, (_, i) => {
      const limit = i % 3 === 0 ? 1_500_000 : i % 3 === 1 ? 70_000 : 100
      return checked(pool, (seed * (i + 1) * 7_919) % limit, (i * 104_729) % 1_000_000).catch((error: unknown) => {
        throw new Error(`seed ${seed}, reply ${i}`, { cause: error })
      })
    })
    const order: number[] = []
    await Promise.all(all.map(async (one, i) => one.then(() => order.push(i))))
    assert.is(order.length, 200)
    await atRest(pool)
    assert.is(pool.stats().counters.closed, 0)
  })
}

for (const shards of [0, 1]) {
  test(`a long reply is its caller's own memory, which nobody writes to any more, with shards: ${shards}`, async () => {
    const pool = await open((await serving()).endpoint, { shards, maxConnections: 1 })
    const replies: Buffer[] = []
    for (let i = 0; i < 12; i++) replies.push(await checked(pool, 200_000, i))
    assert.is(new Set(replies.map(({ buffer }) => buffer)).size, 12)
    for (const [i, reply] of replies.entries()) {
      assert.ok(reply.equals(NOISE.subarray(i, i + 200_000)))
      assert.ok(reply.buffer.byteLength <= 200_004, 'no byte of anybody else lies in it')
    }
    await atRest(pool)
  })

  test(`long replies go through rings of 4 KiB while small ones go beside them, with shards: ${shards}`, async () => {
    const pool = await open((await serving()).endpoint, { shards, ringBytes: 4096 })
    await Promise.all(Array.from({ length: 60 }, (_, i) => checked(pool, i % 2 === 0 ? 300_000 : 500, i)))
    await atRest(pool)
  })

  test(`a connection that ends in the middle of a long reply fails its calls, and those answered before it stand, with shards: ${shards}`, async () => {
    let asked = 0
    const { endpoint } = await keep(
      startPeer((socket) =>
        serve(socket, (bytes, from) => {
          socket.write(head(bytes))
          if (++asked < 3) return void socket.write(NOISE.subarray(from, from + bytes))
          if (asked === 3) socket.write(NOISE.subarray(from, from + bytes / 2), () => socket.resetAndDestroy())
        }),
      ),
    )
    const pool = await open(endpoint, { shards, maxConnections: 1 })
    const good = [checked(pool, 500_000, 1), checked(pool, 600_000, 2)]
    const bad = [700_000, 800_000].map((bytes) => rejects(pool.request(asking(bytes, 3)), 'CONNECTION_LOST'))
    for (const error of await Promise.all(bad)) assert.is(error.outcome, 'maybe-executed')
    await Promise.allSettled(good) // a reset may overtake what the kernel still holds
    asked = -100
    await checked(pool, 900_000, 4)
    await atRest(pool)
  })

  test(`a caller that gives up in the middle of a long reply leaves the next one right, with shards: ${shards}`, async () => {
    let finish: (() => void) | undefined
    const { endpoint } = await keep(
      startPeer((socket) =>
        serve(socket, (bytes, from) => {
          socket.write(head(bytes))
          if (finish !== undefined) return void socket.write(NOISE.subarray(from, from + bytes))
          socket.write(NOISE.subarray(from, from + 100_000))
          finish = () => void socket.write(NOISE.subarray(from + 100_000, from + bytes))
        }),
      ),
    )
    const pool = await open(endpoint, { shards, maxConnections: 1 })
    const abort = new AbortController()
    const reason = new Error('enough')
    const first = pool.request(asking(400_000, 0), { signal: abort.signal }).catch((error: unknown) => error)
    await until(() => finish !== undefined, 'it is half answered')
    abort.abort(reason)
    assert.is(await first, reason)
    finish?.()
    await checked(pool, 500_000, 7)
    assert.is(pool.stats().counters.opened, 1)
    await atRest(pool)
  })

  test(`a reply that announces more than maxReplyBytes is refused before its bytes come, with shards: ${shards}`, async () => {
    const { endpoint } = await keep(
      startPeer((socket) => serve(socket, (bytes) => void socket.write(Buffer.concat([head(bytes), NOISE.subarray(0, 10)])))),
    )
    const pool = await open(endpoint, { shards, maxReplyBytes: 1_000_000, requestTimeoutMs: Infinity })
    await rejects(pool.request(asking(1_000_000, 0)), 'REPLY_TOO_LARGE')
    await atRest(pool)
  })

  test(`a long reply beyond maxBufferedBytes is RESOURCE_EXHAUSTED, and the pool goes on, with shards: ${shards}`, async () => {
    const pool = await open((await serving()).endpoint, { shards, maxConnections: 1, maxBufferedBytes: 256 * KiB })
    await rejects(pool.request(asking(300 * KiB, 0)), 'RESOURCE_EXHAUSTED')
    await checked(pool, 200 * KiB, 1)
    await atRest(pool)
  })

  test(`long bulks of resp are Buffers of their own, or text, with shards: ${shards}`, async () => {
    const bulk = (bytes: number): Buffer => Buffer.concat([Buffer.from(`$${bytes}\r\n`), NOISE.subarray(0, bytes), Buffer.from('\r\n')])
    const { endpoint } = await keep(
      startPeer((socket) =>
        socket.on('data', (chunk: Buffer) => {
          const array = Buffer.concat([Buffer.from('*3\r\n'), bulk(200_000), Buffer.from(':7\r\n'), bulk(50)])
          if (chunk.includes('ARRAY')) socket.write(array)
          else socket.write(bulk(300_000))
        }),
      ),
    )
    const pool = await keep(createPool({ endpoint, protocol: resp({ buffers: true }), shards }))
    const one = await pool.request(['GET', 'k'])
    assert.ok(Buffer.isBuffer(one) && one.equals(NOISE.subarray(0, 300_000)))
    const many = await pool.request(['ARRAY'])
    assert.ok(Array.isArray(many) && many.length === 3)
    const [long, seven, short] = many as [Buffer, number, Buffer]
    assert.ok(long.equals(NOISE.subarray(0, 200_000)))
    assert.is(seven, 7)
    assert.ok(short.equals(NOISE.subarray(0, 50)))
    assert.ok(short.buffer !== long.buffer, 'who keeps the short one does not hold on to the long one')
    await atRest(pool)
  })
}

test.run()
