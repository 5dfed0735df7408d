/** The bare socket of the comparisons: it must put replies together as carefully as those that it is compared with. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import * as assert from 'uvu/assert'
import { suite, until } from '../../packages/pool-worker/test/kit/kit.ts'
import { framed } from '../src/compare/contenders/framed-work.ts'
import { openClient as openBare } from '../src/framed/bare.ts'
import { checkBody, patterned } from '../src/framed/bodies.ts'
import type { FramedClient } from '../src/framed/client.ts'
import { openClient as openGenericPool } from '../src/framed/generic-pool.ts'
import { openSocket } from '../src/framed/socket.ts'
import { failure } from './support/failure.ts'
import { servingIn } from './support/serving.ts'

const test = suite('bare sockets with framing')

const { serving } = servingIn(test)

function frame(body: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length)
  return Buffer.concat([length, body])
}

const echo = (socket: Socket): void => void socket.pipe(socket)

/** The socket without its server: what comes is fed by hand. */
async function fed(): Promise<{ readonly reply: Promise<Buffer>; feed(chunk: Buffer): void; close(): void }> {
  const opened = await openSocket({ port: await serving((socket) => void socket.resume()) })
  return {
    reply: opened.request(Buffer.of(1)),
    feed: (chunk) => void opened.socket.emit('data', chunk),
    close: () => void opened.socket.destroy(),
  }
}

test('a reply is whole wherever it is cut', async () => {
  const body = patterned(9, 5)
  const bytes = frame(body)
  for (let first = 1; first < bytes.length; first++) {
    for (let second = first; second < bytes.length; second++) {
      const { reply, feed, close } = await fed()
      feed(bytes.subarray(0, first))
      if (second > first) feed(bytes.subarray(first, second))
      feed(bytes.subarray(second))
      assert.equal(await reply, body, `cut at ${first} and ${second}`)
      close()
    }
  }
})

test('a megabyte comes back as it went', async () => {
  const opened = await openSocket({ port: await serving(echo) })
  const body = patterned(2 ** 20, 7)
  assert.ok(body.equals(await opened.request(body)))
  assert.is((await opened.request(Buffer.alloc(0))).length, 0)
  opened.socket.destroy()
})

test('bytes beyond a reply, and replies that nobody asked for, end the connection', async () => {
  const beyond = await openSocket({
    port: await serving((socket) => socket.once('data', () => socket.write(Buffer.concat([frame(Buffer.of(1)), Buffer.of(0)])))),
  })
  assert.match(await failure(beyond.request(Buffer.of(1))), /bytes that nobody asked for/)
  const unasked = await openSocket({ port: await serving((socket) => socket.write(frame(Buffer.of(1)))) })
  await until(() => unasked.socket.destroyed, 'it is closed')
  assert.match(await failure(unasked.request(Buffer.of(1))), /closed/)
})

test('a connection that ends rejects the request on it, and the next one at once', async () => {
  const opened = await openSocket({ port: await serving((socket) => socket.once('data', () => socket.destroy())) })
  assert.match(await failure(opened.request(Buffer.of(1))), /closed|ECONNRESET/)
  assert.match(await failure(opened.request(Buffer.of(1))), /closed/)
})

for (const [name, openClient] of [
  ['the stack', openBare],
  ['generic-pool', openGenericPool],
] as const) {
  test(`${name} serves more callers than it has connections, each with its own reply`, async () => {
    let connections = 0
    const port = await serving((socket) => {
      connections++
      echo(socket)
    })
    const client = await openClient({ port, connections: 2 })
    const bodies = Array.from({ length: 20 }, (_, index) => patterned(100, index))
    const replies = await Promise.all(bodies.map((body) => client.request(body)))
    for (const [index, reply] of replies.entries()) assert.equal(Buffer.from(reply), bodies[index])
    assert.is(connections, 2)
    await client.close()
  })
}

for (const [scheduling, order] of [
  ['lifo', [1, 1, 1]],
  ['fifo', [0, 1, 0]],
] as const) {
  test(`${scheduling} decides which of the idle bare sockets is taken`, async () => {
    const used: number[] = []
    let connections = 0
    const port = await serving((socket) => {
      const own = connections++
      socket.on('data', () => used.push(own))
      echo(socket)
    })
    const client = await openBare({ port, connections: 2, scheduling })
    for (let request = 0; request < 3; request++) await client.request(patterned(10, request))
    assert.equal(used, order)
    await client.close()
  })
}

for (const pollFirst of [true, false]) {
  test(`a bare socket that is ${pollFirst ? '' : 'not '}polled first ${pollFirst ? 'notices' : 'overlooks'} an end that the kernel has known before the request`, async () => {
    let peer: Socket | undefined
    let received = 0
    const port = await serving((socket) => {
      peer = socket.on('data', ({ length }) => {
        received += length
      })
    }, true)
    const client = await openBare({ port, connections: 1, pollFirst })
    await until(() => peer !== undefined, 'it is accepted')
    const ended = peer && once(peer, 'end')
    peer?.end() // its FIN is with the kernel before anybody polls again
    assert.match(await failure(client.request(Buffer.of(1))), /closed|ended|after end/)
    await ended
    assert.is(received, pollFirst ? 0 : 5)
    await client.close()
  })
}

test('of a reply the length, every byte of a short one, and a byte in each page of a long one are looked at', () => {
  const [short, long] = [patterned(64, 1), patterned(20_000, 1)]
  checkBody(Buffer.from(short), short)
  checkBody(Buffer.from(long), long)
  assert.throws(() => checkBody(short.subarray(1), short), /63 bytes arrived, 64/)
  assert.throws(() => checkBody(patterned(64, 2), short), /wrong reply/)
  assert.throws(() => checkBody(patterned(20_000, 2), long), /byte 19999 is/)
  const swapped = Buffer.concat([long.subarray(8_192, 16_384), long.subarray(0, 8_192), long.subarray(16_384)])
  assert.throws(() => checkBody(swapped, long), /wrong reply/)
})

test('a round counts requests and MiB, and a reply that belongs to another caller ends it', async () => {
  const setup = { port: 0, connections: 1, callers: 2, loopDelay: false }
  const turn = (body: Uint8Array): Promise<Uint8Array> => new Promise((resolve) => setImmediate(() => resolve(Buffer.from(body))))
  const good: FramedClient = { request: turn, close: async () => undefined }
  const figures = await framed(good, { ...setup, work: { echo: 2 ** 10 } }).round(5)
  assert.ok((figures.requests ?? 0) > 0)
  assert.is(figures.mibPerSecond, (figures.requestsPerSecond ?? 0) / 2 ** 10)
  const first = new Map<number, Uint8Array>()
  const mixed: FramedClient = {
    ...good,
    request: (body) => turn(first.get(body.length) ?? first.set(body.length, body).get(body.length) ?? body),
  }
  assert.match(await failure(framed(mixed, { ...setup, work: { echo: 16 } }).round(60_000)), /wrong reply/)
})

test.run()
