import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Pool, PoolError, type PoolOptions, raw } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { checksum, digest, failure, flood, MiB, NOISE, noise, readExactly } from '../support/bytes.ts'
import { atRest, closing, echo, type Peer, type PeerOptions, settled, startPeer } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'

const test = suite('streams')
const keep = closing(test)

function peer(serve: (socket: Socket) => void, options?: PeerOptions): Promise<Peer> {
  return keep(startPeer(serve, options))
}

function open(endpoint: string, options: Partial<PoolOptions> = {}): Promise<Pool> {
  return keep(createPool({ endpoint, protocol: raw(), shards: 1, maxConnections: 4, ...options }))
}

async function echoes(pool: Pool, text: string): Promise<void> {
  await pool.use(async (lease) => {
    const stream = lease.stream()
    stream.end(text)
    assert.is(Buffer.concat(await stream.toArray()).toString(), text)
  })
}

for (const [shards, transport, bytes] of [
  [1, 'tcp', 64 * MiB],
  [1, 'unix', 64 * MiB],
  [0, 'tcp', 16 * MiB],
  [0, 'unix', 16 * MiB],
] as const) {
  test(`${bytes / MiB} MiB go out and come back whole, both ways at once, over ${transport} with shards: ${shards}`, async () => {
    const { endpoint } = await peer(echo, { transport })
    const pool = await open(endpoint, { shards })
    const stream = (await pool.acquire()).stream()
    const [back] = await Promise.all([digest(stream), pipeline(noise(bytes), stream, { end: true })])
    assert.equal(back, { bytes, hash: checksum(bytes) })
    await atRest(pool)
  })
}

for (const shards of [0, 1]) {
  test(`a chunk, however short, is in memory of its own: who gives it away gives nothing of anybody else's, with shards: ${shards}`, async () => {
    const { endpoint } = await peer(echo)
    const pool = await open(endpoint, { shards })
    for (const text of ['a secret', 'something to be posted to another thread']) {
      const stream = (await pool.acquire()).stream()
      stream.write(text)
      const [chunk] = (await once(stream, 'data')) as [Buffer]
      assert.is(String(chunk), text)
      assert.is(chunk.buffer.byteLength, text.length)
      stream.destroy()
    }
  })

  test(`a ring of 4 KiB carries streams of any size, several at once, with shards: ${shards}`, async () => {
    const { endpoint } = await peer(echo)
    const pool = await open(endpoint, { shards, ringBytes: 4096 })
    const bytes = 2 * MiB
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        const stream = (await pool.acquire()).stream()
        const [back] = await Promise.all([digest(stream), pipeline(noise(bytes), stream)])
        assert.equal(back, { bytes, hash: checksum(bytes) })
      }),
    )
    await atRest(pool)
  })

  test(`a reader that stops holds up its own peer alone, and loses nothing, with shards: ${shards}`, async () => {
    const bytes = 48 * MiB
    let taken = (): number => 0
    const flooding = await peer((socket) => {
      taken = flood(socket, bytes)
    })
    const echoing = await peer(echo)
    const window = 65_536
    const pool = await open(flooding.endpoint, { shards, highWaterMark: window })
    const other = await open(echoing.endpoint, { shards })
    const stream = (await pool.acquire()).stream()
    const blocked = await settled(() => taken())
    assert.ok(blocked > 0 && blocked < bytes / 2, `the peer got rid of ${blocked} bytes`)
    assert.ok(stream.readableLength <= 2 * window, `${stream.readableLength} bytes wait for the reader`)
    await echoes(other, 'still served')
    const { length } = await readExactly(stream, 100_000)
    assert.is(length, 100_000)
    stream.end()
    const rest = await digest(stream)
    assert.is(rest.bytes, bytes - 100_000)
    await atRest(pool)
  })

  test(`a stream whose reader stops does not stop the others of its shard, with shards: ${shards}`, async () => {
    const { endpoint } = await peer(echo)
    const pool = await open(endpoint, { shards, ringBytes: 4096, highWaterMark: 4096 })
    const stuck = (await pool.acquire()).stream()
    stuck.on('error', () => undefined)
    Readable.from(noise(32 * MiB)).pipe(stuck)
    await settled(() => stuck.readableLength)
    for (let round = 0; round < 3; round++) await echoes(pool, `round ${round}`)
    const bytes = MiB
    const stream = (await pool.acquire()).stream()
    const [back] = await Promise.all([digest(stream), pipeline(noise(bytes), stream)])
    assert.equal(back, { bytes, hash: checksum(bytes) })
    stuck.destroy()
    await atRest(pool)
  })

  test(`a peer that does not read stops the writer, and gets all of it later, with shards: ${shards}`, async () => {
    const bytes = 48 * MiB
    let socket: Socket | undefined
    const { endpoint } = await peer((accepted) => {
      socket = accepted.pause()
    })
    const pool = await open(endpoint, { shards, highWaterMark: 65_536 })
    const stream = (await pool.acquire()).stream()
    let written = 0
    const source = Readable.from(noise(bytes)).on('data', (piece: Buffer) => {
      written += piece.length
    })
    source.pipe(stream)
    const blocked = await settled(() => written)
    assert.ok(blocked > 0 && blocked < bytes / 2, `the writer got rid of ${blocked} bytes`)
    assert.ok(stream.writableNeedDrain)
    assert.ok(socket !== undefined)
    const arrived = digest(socket)
    assert.equal(await arrived, { bytes, hash: checksum(bytes) })
    socket.end()
    stream.resume()
    await once(stream, 'end')
    await atRest(pool)
  })

  test(`the peer may end first: what the caller writes afterwards still arrives, with shards: ${shards}`, async () => {
    let got: Promise<Buffer[]> | undefined
    const { endpoint } = await peer((socket) => {
      got = socket.toArray() as Promise<Buffer[]>
      got.catch(() => undefined) // awaited below
      socket.once('data', () => socket.end('goodbye'))
    })
    const pool = await open(endpoint, { shards })
    const stream = (await pool.acquire()).stream()
    stream.write('hello ')
    const parts: Buffer[] = []
    stream.on('data', (part: Buffer) => parts.push(part))
    await once(stream, 'end')
    assert.is(Buffer.concat(parts).toString(), 'goodbye')
    stream.end('and to you')
    await once(stream, 'close')
    assert.is(Buffer.concat((await got) ?? []).toString(), 'hello and to you')
    await atRest(pool)
    assert.is(pool.stats().connections, 0)
  })

  test(`the caller may end first: what the peer writes afterwards still arrives, with shards: ${shards}`, async () => {
    const { endpoint } = await peer((socket) => {
      socket.resume().on('end', () => socket.end('after your end'))
    })
    const pool = await open(endpoint, { shards })
    const stream = (await pool.acquire()).stream()
    stream.end()
    assert.is(Buffer.concat(await stream.toArray()).toString(), 'after your end')
    await atRest(pool)
  })

  test(`a stream destroyed in the middle closes its connection and frees its place, with shards: ${shards}`, async () => {
    const flooding = await peer((socket) => void flood(socket, 64 * MiB))
    const pool = await open(flooding.endpoint, { shards, maxConnections: 1 })
    const lease = await pool.acquire()
    const stream = lease.stream()
    await once(stream, 'data')
    const next = pool.acquire()
    stream.write(NOISE)
    stream.destroy()
    await once(stream, 'close')
    const second = await next
    assert.is.not(second.connection.id, undefined)
    await rejects(
      Promise.resolve().then(() => lease.release()),
      'LEASE_RELEASED',
    )
    second.release()
    await until(() => flooding.sockets.size <= 1, 'the first socket is closed')
    await atRest(pool)
  })

  test(`destroy(error) emits that error, with shards: ${shards}`, async () => {
    const { endpoint } = await peer(echo)
    const pool = await open(endpoint, { shards })
    const stream = (await pool.acquire()).stream()
    const mine = new Error('mine')
    stream.destroy(mine)
    const [error] = (await once(stream, 'error')) as [unknown]
    assert.is(error, mine)
    await atRest(pool)
  })

  test(`a connection that the peer resets is an error CONNECTION_LOST of the stream, aborts its lease's signal and ends it, with shards: ${shards}`, async () => {
    const { endpoint, sockets } = await peer((socket) => void socket.write('first'))
    const pool = await open(endpoint, { shards })
    const lease = await pool.acquire()
    const { signal } = lease
    const stream = lease.stream()
    await once(stream, 'data')
    const failed = failure(stream)
    for (const socket of sockets) socket.resetAndDestroy()
    const error = await failed
    assert.is(error.code, 'CONNECTION_LOST')
    assert.is((error.cause as NodeJS.ErrnoException).code, 'ECONNRESET')
    assert.ok(stream.destroyed)
    await rejects(
      Promise.resolve().then(() => lease.release()),
      'LEASE_RELEASED',
    )
    assert.is(signal.reason, error)
    await atRest(pool)
    assert.is(pool.stats().connections, 0)
    assert.is(pool.stats().counters.closedBy['peer-reset'], 1)
  })

  test(`the end of a stream ends its lease, with shards: ${shards}`, async () => {
    const { endpoint } = await peer(echo)
    const pool = await open(endpoint, { shards, maxConnections: 1 })
    const lease = await pool.acquire()
    const stream = lease.stream()
    stream.end('x')
    stream.resume()
    await once(stream, 'close')
    await rejects(
      Promise.resolve().then(() => lease.release()),
      'LEASE_RELEASED',
    )
    await echoes(pool, 'the place is free again')
    await atRest(pool)
  })

  test(`release({ reusable: true }) gives the very connection to the next lease, with shards: ${shards}`, async () => {
    const { endpoint } = await peer(echo)
    const pool = await open(endpoint, { shards, maxConnections: 1 })
    const ids = new Set<string>()
    for (let round = 0; round < 5; round++) {
      const lease = await pool.acquire()
      ids.add(lease.connection.id)
      const stream = lease.stream()
      const text = `round ${round} `.repeat(10_000)
      stream.write(text)
      assert.is((await readExactly(stream, text.length)).toString(), text)
      lease.release({ reusable: true })
      assert.ok(stream.destroyed)
    }
    await atRest(pool)
    assert.is(ids.size, 1)
    assert.is(pool.stats().idle, 1)
  })

  test(`release({ reusable: true }) with bytes unread or half closed destroys the connection, with shards: ${shards}`, async () => {
    const { endpoint } = await peer(echo)
    const pool = await open(endpoint, { shards, maxConnections: 1 })
    const unread = await pool.acquire()
    const stream = unread.stream()
    stream.write('abc')
    await once(stream, 'readable')
    unread.release({ reusable: true })
    const half = await pool.acquire()
    assert.is(pool.stats().counters.opened, 2)
    half.stream().end()
    half.release({ reusable: true })
    await echoes(pool, 'fresh')
    assert.is(pool.stats().counters.opened, 3)
    await atRest(pool)
  })

  test(`bytes that arrive while a stream is given back do not vanish in silence, with shards: ${shards}`, async () => {
    const served = await peer((socket) => void socket.resume())
    const pool = await open(served.endpoint, { shards, maxConnections: 1 })
    for (let round = 0; round < 10; round++) {
      const lease = await pool.acquire()
      const { id } = lease.connection
      lease.stream()
      await until(() => served.accepted === pool.stats().counters.opened, 'the peer has the connection')
      ;[...served.sockets].at(-1)?.write('late')
      if (round % 2 === 0) blockFor(20) // the shard reads and forwards; this thread has not seen it when it releases
      lease.release({ reusable: true })
      const next = await pool.acquire()
      // They came before the next lease, and their connection went; or during it, and are its own; or between, and it is told.
      if (next.connection.id === id) {
        const told = await once(next.stream(), 'data').catch((error: unknown) => [PoolError.is(error) && error.code])
        assert.ok(['late', 'CONNECTION_LOST'].includes(String(told[0])), `round ${round}: ${told[0]}`)
      }
      next[Symbol.dispose]()
    }
    await atRest(pool)
  })

  test(`release() after stream() destroys the connection, with shards: ${shards}`, async () => {
    const served = await peer(echo)
    const pool = await open(served.endpoint, { shards })
    const lease = await pool.acquire()
    const stream = lease.stream()
    lease.release()
    assert.ok(stream.destroyed)
    await atRest(pool)
    assert.is(pool.stats().connections, 0)
    await until(() => served.sockets.size === 0 || served.accepted === 1, 'the socket is closed')
  })

  test(`what a fresh server sends first arrives, with shards: ${shards}`, async () => {
    const { endpoint } = await peer((socket) => void socket.write('220 welcome\r\n'))
    const pool = await open(endpoint, { shards, minConnections: 1 })
    await pool.ready()
    const lease = await pool.acquire()
    const [greeting] = (await once(lease.stream(), 'data')) as [Buffer]
    assert.is(greeting.toString(), '220 welcome\r\n')
    lease.release()
    await atRest(pool)
  })
}

/** Computes for a while, as an application may. */
function blockFor(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

test.run()
