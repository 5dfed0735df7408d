/** What contenders share: the closed loop, what is measured, and that no wrong reply passes. */
import * as assert from 'uvu/assert'
import { suite } from '../../packages/pool-worker/test/kit/kit.ts'
import { echo } from '../src/compare/contenders/echo.ts'
import { EchoSocket } from '../src/compare/contenders/echo-socket.ts'
import { open as idle } from '../src/compare/contenders/idle.ts'
import { closedLoop, Latency, measured } from '../src/compare/contenders/measured.ts'
import { gets, keyAt, valueAt } from '../src/compare/contenders/resp-gets.ts'
import { failure } from './support/failure.ts'
import { servingIn } from './support/serving.ts'

const test = suite('what contenders share')
const none = async (): Promise<void> => undefined

const { serving } = servingIn(test)

test('each caller of a closed loop has one call at a time, and all calls are counted', async () => {
  const [busy, turns] = [new Set<number>(), new Map<number, number>()]
  const call = async (caller: number, turn: number): Promise<number> => {
    assert.is(busy.has(caller), false)
    assert.is(turn, (turns.get(caller) ?? -1) + 1)
    busy.add(caller)
    turns.set(caller, turn)
    await new Promise((resolve) => setImmediate(resolve))
    busy.delete(caller)
    return caller * turn
  }
  const calls = await closedLoop(3, 5, call, (reply, caller, turn) => assert.is(reply, caller * turn))
  assert.is(busy.size, 0)
  assert.is(
    calls,
    [...turns.values()].reduce((sum, turn) => sum + turn + 1, 0),
  )
  assert.is(turns.size, 3)
})

test('a call that fails ends the round with its error, and so does a wrong reply', async () => {
  let calls = 0
  const call = async (caller: number): Promise<number> => {
    calls++
    await new Promise((resolve) => setImmediate(resolve))
    if (caller === 1) throw new Error('refused')
    return caller
  }
  assert.is(await failure(closedLoop(2, 60_000, call, none)), 'refused')
  const wrong = (): never => {
    throw new Error('wrong')
  }
  assert.is(await failure(closedLoop(1, 60_000, call, wrong)), 'wrong')
  const before = calls
  await new Promise((resolve) => setImmediate(resolve))
  assert.ok(calls - before <= 1, 'nobody goes on')
})

test('what is measured is divided by the requests, and the loop delay can be left out', async () => {
  const figures = await measured(async () => 10, { loopDelay: false })
  assert.is(figures.requests, 10)
  assert.is(figures.requestsPerSecond, (10 / figures.elapsedMs) * 1_000)
  assert.is('loopDelayP99Ms' in figures, false)
  assert.is('loopDelayP99Ms' in (await measured(async () => 10)), true)
})

test('latencies are told in microseconds', () => {
  const latency = new Latency()
  for (const ms of [1, 1, 1, 2]) latency.record(ms)
  const { latencyP50Microseconds: p50, latencyMaxMicroseconds: max } = latency.read()
  assert.ok(Math.abs(p50 - 1_000) < 2 && Math.abs(max - 2_000) < 4, `${p50} and ${max}`) // three digits
})

test("another caller's echo, and one of an earlier turn, end the round", async () => {
  const setup = { port: 0, connections: 1, callers: 2, payloadBytes: 16 }
  const kept: Buffer[] = []
  const earlier = echo(
    async (payload) => {
      kept.push(Buffer.from(payload))
      return kept[0] ?? payload
    },
    setup,
    none,
  )
  assert.match(await failure(earlier.round(1_000)), /caller \d got the wrong reply/)
  const good = echo(
    async (payload) => {
      await new Promise((resolve) => setImmediate(resolve))
      return Buffer.from(payload)
    },
    setup,
    none,
  )
  assert.ok(((await good.round(5)).requests ?? 0) >= 2)
})

test('a wrong value from Redis ends the round, and names its key', async () => {
  const values = new Map(Array.from({ length: 1024 }, (_, index) => [keyAt(index), valueAt(index)]))
  values.set(keyAt(3), valueAt(4))
  const get = async (key: string) => {
    await new Promise((resolve) => setImmediate(resolve))
    return values.get(key)
  }
  assert.match(await failure(gets(get, { port: 0, callers: 4 }, none).round(60_000)), /cenote-bench:000000000003: a wrong value arrived/)
})

test('beside busy threads only the loop delay is told, and one that ends or fails ends the round', async () => {
  const beside = async (code: string) => (await idle({ thread: `data:text/javascript,${code}`, threads: 2 })).round(20)
  assert.equal(Object.keys(await beside('for (;;);')), ['loopDelayP50Ms', 'loopDelayP99Ms'])
  assert.match(await failure(beside('process.exit(0)')), /has ended/)
  assert.match(await failure(beside('setTimeout(() => { throw new Error("broken") })')), /broken|has ended/)
})

test('callers of Redis who compute do so after each reply, and their latencies are told', async () => {
  const get = async (key: string) => {
    await new Promise((resolve) => setImmediate(resolve))
    return valueAt(Number(key.slice(-12)))
  }
  const plain = await gets(get, { port: 0, callers: 2 }, none).round(5)
  assert.is(plain.latencyP50Microseconds, undefined)
  const busy = await gets(get, { port: 0, callers: 2, computeMicroseconds: 200 }, none).round(5)
  assert.ok((busy.requests ?? 0) * 0.2 <= (busy.elapsedMs ?? 0), `${busy.requests} in ${busy.elapsedMs} ms`)
  assert.ok((busy.latencyP50Microseconds ?? 0) > 0)
})

test('an echo that comes in pieces is put together, and the next one is its own', async () => {
  const port = await serving((socket) => {
    socket.on('data', async (chunk: Buffer) => {
      for (const at of [0, 5, 7]) {
        socket.write(chunk.subarray(at, at === 0 ? 5 : at === 5 ? 7 : undefined))
        await new Promise((resolve) => setTimeout(resolve, 1)) // a segment each, or not: both must do
      }
    })
  })
  const socket = await EchoSocket.open({ port, payloadBytes: 16 })
  assert.is(String(await socket.request(Buffer.from('0123456789abcdef'))), '0123456789abcdef')
  assert.is(String(await socket.request(Buffer.from('fedcba9876543210'))), 'fedcba9876543210')
  socket.destroy()
})

test('a connection that ends rejects the request on it', async () => {
  const port = await serving((socket) => socket.once('data', () => socket.destroy()))
  const socket = await EchoSocket.open({ port, payloadBytes: 16 })
  assert.match(await failure(socket.request(Buffer.alloc(16))), /the connection was closed|ECONNRESET/)
})

test.run()
