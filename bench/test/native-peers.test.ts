import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import * as assert from 'uvu/assert'
import { suite } from '../../packages/pool-worker/test/kit/kit.ts'
import { cEpollClient, goChannelPool, isMissing } from '../src/compare/native.ts'
import type { Entrant, Missing } from '../src/compare/scenario.ts'
import { compileC, compileGo } from '../src/native/compile.ts'
import { Cleanup } from '../src/process/cleanup.ts'
import { optional } from './support/optional.ts'

const test = suite('peers that are no Node')

const testWithC = optional(test, await compileC('epoll', 'echo-client'))
const testWithGo = optional(test, await compileGo('channel-pool'))

/** An echo server in this process, which a test can have misbehave. */
interface Echo {
  readonly port: number
  readonly sockets: Set<Socket>
  /** What becomes of bytes on their way back. */
  change: (bytes: Buffer) => Buffer
}

/** Runs a test with a server and with whatever it starts; both are ended. */
function withEcho(work: (echo: Echo, cleanup: Cleanup) => Promise<void>): () => Promise<void> {
  return async () => {
    const cleanup = new Cleanup()
    const echo = { port: 0, sockets: new Set<Socket>(), change: (bytes: Buffer) => bytes }
    const server: Server = createServer({ noDelay: true }, (socket) => {
      echo.sockets.add(socket)
      socket.on('close', () => echo.sockets.delete(socket))
      socket.on('error', () => socket.destroy())
      socket.on('data', (bytes: Buffer) => socket.write(echo.change(bytes)))
    })
    try {
      await once(server.listen(0, '127.0.0.1'), 'listening')
      echo.port = (server.address() as { port: number }).port // it listens
      await work(echo, cleanup)
    } finally {
      await cleanup.run()
      for (const socket of echo.sockets) socket.destroy()
      server.close()
    }
  }
}

function taking(peer: Entrant | Missing): Entrant {
  if (isMissing(peer)) throw new Error(peer.why)
  return peer
}

const SMALL = { connections: 4, callers: 8, payloadBytes: 64 }
const goPool = (echo: Echo, cleanup: Cleanup, probe: boolean) => goChannelPool(cleanup, { port: echo.port, ...SMALL }, { probe })
const cClient = (echo: Echo, cleanup: Cleanup, payloadBytes = 64) =>
  cEpollClient(cleanup, { port: echo.port, connections: SMALL.connections, payloadBytes })

for (const [name, testWith, start] of [
  ['the Go pool', testWithGo, (echo: Echo, cleanup: Cleanup) => goPool(echo, cleanup, false)],
  ['the C client', testWithC, (echo: Echo, cleanup: Cleanup) => cClient(echo, cleanup)],
] as const) {
  testWith(
    `${name} gives the figures of each round, and keeps its connections from one to the next`,
    withEcho(async (echo, cleanup) => {
      const peer = taking(await start(echo, cleanup))
      const [first, second] = [await peer.round(30), await peer.round(30)]
      assert.is(echo.sockets.size, SMALL.connections)
      for (const figures of [first, second]) {
        const { requests = 0, requestsPerSecond = 0, cpuMicrosecondsPerRequest = 0 } = figures
        const { latencyP50Microseconds: p50 = 0, latencyP99Microseconds: p99 = 0, latencyMaxMicroseconds: max = 0 } = figures
        assert.ok(requests >= SMALL.connections && requestsPerSecond > 0 && cpuMicrosecondsPerRequest > 0, JSON.stringify(figures))
        assert.ok(p50 > 0 && p50 <= p99 && p99 <= max, JSON.stringify(figures))
      }
    }),
  )

  testWith(
    `${name} tells a reply that is not what was sent`,
    withEcho(async (echo, cleanup) => {
      const peer = taking(await start(echo, cleanup))
      await peer.round(10)
      echo.change = (bytes) => Buffer.from(bytes).fill(0xff, 0, 1)
      const error = await peer.round(10).catch((thrown: unknown) => thrown)
      assert.match(String(error), /exit code 1.*another reply arrived than was sent/)
    }),
  )

  testWith(`${name} says so when nobody listens`, async () => {
    const cleanup = new Cleanup()
    try {
      const closed = createServer()
      await once(closed.listen(0, '127.0.0.1'), 'listening')
      const { port } = closed.address() as { port: number } // it listens
      await new Promise((resolve) => closed.close(resolve))
      const peer = taking(await start({ port, sockets: new Set(), change: (bytes) => bytes }, cleanup))
      const error = await peer.round(10).catch((thrown: unknown) => thrown)
      assert.match(String(error), /exit code 1.*refused/)
    } finally {
      await cleanup.run()
    }
  })
}

testWithC(
  'the C client takes replies of a mebibyte, whose beginning comes back before all is sent',
  withEcho(async (echo, cleanup) => {
    const { requests = 0 } = await taking(await cClient(echo, cleanup, 2 ** 20)).round(10)
    assert.ok(requests >= SMALL.connections)
  }),
)

testWithGo(
  'the read probe of the Go pool finds idle connections that the peer has ended; without it a caller gets one',
  withEcho(async (echo, cleanup) => {
    const [probing, trusting] = [taking(await goPool(echo, cleanup, true)), taking(await goPool(echo, cleanup, false))]
    for (const peer of [probing, trusting]) await peer.round(10)
    const sockets = [...echo.sockets]
    for (const socket of sockets) socket.end()
    await Promise.all(sockets.map((socket) => once(socket, 'finish')))
    assert.ok(((await probing.round(10)).requests ?? 0) > 0)
    const error = await trusting.round(10).catch((thrown: unknown) => thrown)
    assert.match(String(error), /exit code 1/)
  }),
)

test('a peer that cannot be compiled is known as missing by its reason', () => {
  assert.ok(isMissing({ id: 'go', name: 'Go', why: 'go was not found' }))
  assert.not(isMissing({ id: 'go', name: 'Go', round: async () => ({}) }))
})

test.run()
