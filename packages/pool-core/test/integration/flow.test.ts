/** Both sides send more than the rings hold: nothing is lost, nothing stands still, and memory stays bounded. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { lengthPrefixed, type Pool, type PoolOptions, protocolAt } from '@cenote/pool-core'
import { realWorld, type World } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { startOracle } from '../support/oracle.ts'
import { atRest, closing, type Peer, settled, startPeer } from '../support/peers.ts'
import { createPool, createPoolIn } from '../support/pools.ts'

const test = suite('flow')
const keep = closing(test)

const KiB = 1024
const NOISE = randomBytes(512 * KiB)

type BytesPool = Pool<Uint8Array, Buffer>

function open(endpoint: string, options: Partial<PoolOptions<Uint8Array, Buffer>> = {}): Promise<BytesPool> {
  return keep(createPool({ endpoint, protocol: lengthPrefixed(), shards: 1, maxConnections: 4, ...options }))
}

/** A request of `bytes` bytes whose reply is to have `replyBytes`. */
function ask(id: number, bytes: number, replyBytes: number): Buffer {
  const request = Buffer.from(NOISE.subarray(id % 1000, (id % 1000) + Math.max(bytes, 12)))
  request.writeUInt32BE(id, 0)
  request.writeUInt32BE(replyBytes, 4)
  request.writeUInt32BE(bytes, 8)
  return request
}

/** What the peer answers: which request it was, that it came whole, and noise. */
function answer(request: Buffer): Buffer {
  const id = request.readUInt32BE(0)
  const whole = request.equals(ask(id, request.readUInt32BE(8), request.readUInt32BE(4)))
  const reply = Buffer.from(NOISE.subarray(id % 777, (id % 777) + Math.max(request.readUInt32BE(4), 5)))
  reply.writeUInt32BE(id, 0)
  reply[4] = whole ? 1 : 0
  return reply
}

async function checked(pool: BytesPool, id: number, bytes: number, replyBytes: number, timeoutMs = 15_000): Promise<void> {
  const request = ask(id, bytes, replyBytes)
  const reply = await pool.request(request, { timeoutMs })
  if (!reply.equals(Buffer.from(answer(request)))) assert.unreachable(`request ${id} was answered with something else`)
}

/** Answers each message; `send` may keep the answers. */
function serve(socket: Socket, send: (reply: Buffer) => void = (reply) => void socket.write(reply)): void {
  let held: Buffer[] = []
  let length = 0
  socket.on('data', (chunk: Buffer) => {
    held.push(chunk)
    length += chunk.length
    if (length < 4) return
    let bytes = held.length === 1 && held[0] !== undefined ? held[0] : Buffer.concat(held)
    while (bytes.length >= 4) {
      const end = 4 + bytes.readUInt32BE(0)
      if (bytes.length < end) break
      const reply = answer(bytes.subarray(4, end))
      const head = Buffer.alloc(4)
      head.writeUInt32BE(reply.length, 0)
      send(Buffer.concat([head, reply]))
      bytes = bytes.subarray(end)
    }
    held = [bytes]
    length = bytes.length
  })
  socket.on('end', () => socket.end())
}

function serving(): Promise<Peer> {
  return keep(startPeer((socket) => serve(socket)))
}

/** Computes for a while, as an application may. */
function blockFor(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

for (const shards of [0, 1, 2]) {
  test(`through rings of 4 KiB both sides flood each other and every reply is right, with shards: ${shards}`, async () => {
    const { endpoint } = await serving()
    const pool = await open(endpoint, { shards, ringBytes: 4096 })
    const sizes = Array.from({ length: 300 }, (_, id) => [1 + ((id * 7_919) % (64 * KiB)), (id * 104_729) % (128 * KiB)] as const)
    await Promise.all(sizes.map(([bytes, replyBytes], id) => checked(pool, id, bytes, replyBytes)))
    await atRest(pool)
    assert.is(pool.stats().counters.closed, 0)
  })
}

for (const shards of [0, 1]) {
  test(`a thousand small requests at once share rings of 4 KiB, with shards: ${shards}`, async () => {
    const { endpoint } = await serving()
    const pool = await open(endpoint, { shards, ringBytes: 4096 })
    for (let round = 0; round < 3; round++)
      await Promise.all(Array.from({ length: 1_000 }, (_, id) => checked(pool, id, 12 + (id % 90), id % 200)))
    await atRest(pool)
    assert.is(pool.stats().counters.closed, 0)
  })

  test(`a caller that does not read its stream does not hold up requests beside it, with shards: ${shards}`, async () => {
    let streams = 0
    const { endpoint } = await keep(
      startPeer((socket) => {
        socket.once('data', (first: Buffer) => {
          if (first.toString('latin1') !== 'flood!') {
            socket.unshift(first)
            return serve(socket)
          }
          streams++
          const more = (): void => {
            while (!socket.destroyed && socket.write(NOISE));
          }
          socket.on('drain', more)
          more()
        })
      }),
    )
    const pool = await open(endpoint, { shards, ringBytes: 4096, highWaterMark: 4096, maxConnections: 3 })
    const lease = await pool.acquire()
    const stream = lease.stream()
    stream.write('flood!')
    await once(stream, 'readable')
    await settled(() => stream.readableLength)
    await Promise.all(Array.from({ length: 100 }, (_, id) => checked(pool, id, 1 + id * 300, id * 500)))
    assert.ok(stream.readableLength <= 8 * 4096 + 4096, `${stream.readableLength} bytes wait`)
    assert.is(streams, 1)
    lease.release()
    await atRest(pool)
  })

  test(`a peer that reads nothing times out its own requests; other connections go on, with shards: ${shards}`, async () => {
    let stuck: Socket | undefined
    const served = await keep(
      startPeer((socket) => {
        if (stuck !== undefined) return serve(socket)
        stuck = socket.pause()
      }),
    )
    const pool = await open(served.endpoint, { shards, pipelining: 1, maxConnections: 2, ringBytes: 4096 })
    const late = rejects(pool.request(ask(1, 300 * KiB, 5), { timeoutMs: 1_000 }), 'REQUEST_TIMEOUT')
    await until(() => served.accepted === 1, 'it has a connection')
    for (let id = 2; id < 30; id++) await checked(pool, id, id * KiB, id * KiB)
    const error = await late
    assert.is(error.phase, 'reply')
    assert.is(error.outcome, 'maybe-executed')
    await Promise.all([31, 32, 33].map((id) => checked(pool, id, 64 * KiB, 64 * KiB)))
    await atRest(pool)
    assert.ok(stuck !== undefined)
  })

  test(`requests beyond maxBufferedBytes are refused unsent with RESOURCE_EXHAUSTED, the others arrive, with shards: ${shards}`, async () => {
    let socket: Socket | undefined
    const served = await keep(
      startPeer((accepted) => {
        socket = accepted.pause()
      }),
    )
    const pool = await open(served.endpoint, { shards, maxConnections: 1, ringBytes: 4096, maxBufferedBytes: 256 * KiB })
    await pool.use(() => undefined)
    await until(() => served.accepted === 1, 'the peer has the connection')
    const all = Array.from({ length: 12 }, (_, id) => checked(pool, id, 60 * KiB, 5))
    const settledAll = Promise.allSettled(all)
    assert.ok(socket !== undefined)
    serve(socket)
    socket.resume()
    const refused = (await settledAll).flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    assert.ok(refused.length > 0 && refused.length < 12, `${refused.length} were refused`)
    for (const reason of refused) {
      const error = await rejects(Promise.reject(reason), 'RESOURCE_EXHAUSTED')
      assert.is(error.outcome, 'not-sent')
    }
    await checked(pool, 99, 60 * KiB, 60 * KiB)
    await atRest(pool)
    assert.is(pool.stats().counters.closed, 0)
  })

  test(`a reply beyond maxBufferedBytes is RESOURCE_EXHAUSTED, and the pool goes on, with shards: ${shards}`, async () => {
    const { endpoint } = await serving()
    const pool = await open(endpoint, { shards, maxConnections: 1, ringBytes: 4096, maxBufferedBytes: 128 * KiB })
    await rejects(pool.request(ask(1, 12, 400 * KiB)), 'RESOURCE_EXHAUSTED')
    await checked(pool, 2, 12, 64 * KiB)
    await checked(pool, 3, 64 * KiB, 12)
    await atRest(pool)
  })

  test(`a peer that answers nothing for long and then everything loses no credit, with shards: ${shards}`, async () => {
    const kept: Buffer[] = []
    let socket: Socket | undefined
    const { endpoint } = await keep(
      startPeer((accepted) => {
        socket = accepted
        serve(accepted, (reply) => void kept.push(reply))
      }),
    )
    const pool = await open(endpoint, { shards, maxConnections: 1, ringBytes: 4096 })
    for (let round = 0; round < 3; round++) {
      const all = Array.from({ length: 40 }, (_, id) => checked(pool, id, 10 * KiB, 10 * KiB))
      await until(() => kept.length === 40, 'all have reached the peer')
      for (const reply of kept.splice(0)) socket?.write(reply)
      await Promise.all(all)
    }
    await atRest(pool)
    assert.is(pool.stats().counters.opened, 1)
  })

  test(`callers that give up in the middle of their requests take no credit with them, with shards: ${shards}`, async () => {
    const { endpoint } = await serving()
    const pool = await open(endpoint, { shards, maxConnections: 2, ringBytes: 4096 })
    const reason = new Error('enough')
    for (let round = 0; round < 30; round++) {
      const abort = new AbortController()
      const given = Array.from({ length: 8 }, (_, id) =>
        pool.request(ask(id, (id + 1) * 8 * KiB, 8 * KiB), { signal: abort.signal }).then(
          () => 'answered',
          (error: unknown) => (error === reason ? 'aborted' : error),
        ),
      )
      const kept = checked(pool, 100 + round, 4 * KiB, 4 * KiB).then(
        () => 'right',
        (error: unknown) => (error as { code?: string }).code, // a half-sent request that is aborted takes its connection with it
      )
      for (let turn = 0; turn < round; turn++) await new Promise((resolve) => setImmediate(resolve))
      abort.abort(reason)
      for (const outcome of await Promise.all(given)) assert.ok(outcome === 'answered' || outcome === 'aborted', String(outcome))
      const outcome = await kept
      assert.ok(outcome === 'right' || outcome === 'CONNECTION_LOST', String(outcome))
    }
    await Promise.all(Array.from({ length: 20 }, (_, id) => checked(pool, id, 64 * KiB, 64 * KiB)))
    await atRest(pool)
  })
}

test('replies that came while the main thread computed for a second are right, none is timed out', async () => {
  const oracle = await keep(startOracle())
  const protocol = protocolAt<typeof import('../fixtures/oracle-protocol.ts')>(new URL('../fixtures/oracle-protocol.js', import.meta.url))
  const pool = await keep(
    createPool({ endpoint: oracle.endpoint, protocol, shards: 1, minConnections: 4, maxConnections: 4, pipelining: 64 }),
  )
  await pool.ready() // nobody waits for a connection meanwhile
  const asked = Array.from({ length: 100 }, () => oracle.ask('big', 10_000))
  const replies = asked.map(({ request }) => pool.request(request, { timeoutMs: 500 }))
  await Promise.resolve()
  blockFor(1_000)
  for (const [index, reply] of (await Promise.all(replies)).entries()) assert.is(reply.split(' ')[0], asked[index]?.nonce)
  assert.is(pool.stats().counters.timeouts, 0)
  await atRest(pool)
})

test('a main thread that computes again and again between turns loses nothing through a ring of 4 KiB', async () => {
  const oracle = await keep(startOracle())
  const protocol = protocolAt<typeof import('../fixtures/oracle-protocol.ts')>(new URL('../fixtures/oracle-protocol.js', import.meta.url))
  const pool = await keep(createPool({ endpoint: oracle.endpoint, protocol, shards: 1, maxConnections: 2, ringBytes: 4096 }))
  const asked = Array.from({ length: 60 }, () => oracle.ask('big', 20_000))
  const replies = Promise.all(asked.map(({ request }) => pool.request(request)))
  for (let round = 0; round < 10; round++) {
    blockFor(30)
    await new Promise((resolve) => setImmediate(resolve))
  }
  for (const [index, reply] of (await replies).entries()) {
    assert.is(reply.length, 20_001 + (asked[index]?.nonce.length ?? 0))
    assert.is(reply.split(' ')[0], asked[index]?.nonce)
  }
  await atRest(pool)
})

test('requests from any place in a word, one after the other of very different lengths, and their replies, come whole', async () => {
  const peer = await keep(startPeer((socket) => serve(socket)))
  for (const [shards, ringBytes] of [
    [1, 4 * KiB],
    [1, 1024 * KiB],
    [0, 1024 * KiB],
  ] as const) {
    const pool = await open(peer.endpoint, { shards, ringBytes: { toMain: ringBytes, toShard: ringBytes } })
    const lengths = [12, 508, 509, 512, 600, 1_024, 8_180, 8_188, 8_189, 9_000, 300, 16_000]
    const all = Array.from({ length: 400 }, (_, id) => {
      const from = id % 8
      const request = Buffer.allocUnsafeSlow(20_000).subarray(from, from + (lengths[(id * 7) % lengths.length] ?? 12))
      ask(id, request.length, lengths[(id * 5) % lengths.length] ?? 5).copy(request)
      return request
    })
    const replies = await Promise.all(all.map((request) => pool.request(request)))
    for (const [id, reply] of replies.entries()) assert.ok(reply.equals(answer(all[id] as Buffer)), `request ${id}`) // as many
    await pool.close()
  }
})

/** A peer that answers when so many have asked, all at once. */
function answersTogether(many: number): Promise<Peer> {
  let asked = 0
  const all = Buffer.concat(Array.from({ length: many }, () => Buffer.from([0, 0, 0, 1, 7])))
  return keep(startPeer((socket) => serve(socket, () => void (++asked === many && socket.write(all)))))
}

test('of many replies that come at once, the first callers go on before the last are read', async () => {
  const MANY = 100
  const peer = await answersTogether(MANY)
  const pool = await open(peer.endpoint, { shards: 0, maxConnections: 1, pipelining: MANY })
  const ended = (): number => pool.stats().counters.ended.requests.succeeded
  const atFirst: number[] = []
  await Promise.all(
    Array.from({ length: MANY }, async (_, id) => {
      await pool.request(ask(id, 12, 5))
      if (atFirst.length === 0) atFirst.push(ended())
    }),
  )
  assert.ok((atFirst[0] ?? MANY) <= 16, `${atFirst[0]} of ${MANY} had their reply before the first went on`)
  assert.is(ended(), MANY)
})

test('callers who compute when they are answered do not keep the event loop from its other work: it has turns between them', async () => {
  const MANY = 100
  let computed = 0
  const world: World = { ...realWorld, now: () => realWorld.now() + computed }
  const peer = await answersTogether(MANY)
  const pool = await keep(
    createPoolIn(world)({ endpoint: peer.endpoint, protocol: lengthPrefixed(), shards: 1, maxConnections: 1, pipelining: MANY }),
  )
  const turns = { of: 0, answered: new Map<number, number>() }
  const turn = (): void => {
    turns.of++
    next = setImmediate(turn)
  }
  let next = setImmediate(turn)
  await Promise.all(
    Array.from({ length: MANY }, async (_, id) => {
      await pool.request(ask(id, 12, 5))
      computed++ // a millisecond of work
      turns.answered.set(turns.of, (turns.answered.get(turns.of) ?? 0) + 1)
    }),
  )
  clearImmediate(next)
  const most = Math.max(...turns.answered.values())
  assert.ok(most <= 16, `${most} of ${MANY} went on in one turn`)
})

test.run()
