/** What the comparisons `stall`, `scale` and `hop` reckon with, without their servers' loads. */
import * as assert from 'uvu/assert'
import { suite } from '../../packages/pool-worker/test/kit/kit.ts'
import { memoryOf } from '../src/compare/contenders/memory-work.ts'
import { type Stalled, stalls } from '../src/compare/contenders/stall-work.ts'
import { connections } from '../src/compare/contenders/tls-work.ts'
import { descriptorLimit } from '../src/measure/descriptors.ts'
import { spin } from '../src/measure/spin.ts'
import { threadMemory } from '../src/measure/thread-memory.ts'
import { serveClosing } from '../src/servers/closing-server.ts'

const test = suite('compare: stalls, memory, connections')

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('after a stall every request is made once, those that fail are counted, and so are waits and connects since then', async () => {
  const { port, server } = await serveClosing()
  const said = { requests: 0, connects: [7, 2], waits: [7, 3], filled: 0, underWay: 0, most: 0 }
  const pool: Stalled = {
    async fill() {
      said.filled++
    },
    async request(body) {
      said.most = Math.max(said.most, ++said.underWay)
      const failing = ++said.requests % 5 === 0
      await turn()
      said.underWay--
      if (failing) throw new Error('the connection was closed')
      return body
    },
    connects: () => said.connects.shift() ?? 0,
    waits: () => said.waits.shift() ?? 0,
    close: async () => undefined,
  }
  const setup = { port, connections: 1, closed: 0, stallMs: 2, requests: 50, callers: 4 }
  const { failures, connects, waits } = await stalls(pool, setup).round(0)
  assert.equal({ failures, connects, waits }, { failures: 10, connects: 2, waits: 3 })
  assert.equal([said.requests, said.filled, said.most], [50, 1, 4])
  await new Promise((resolve) => server.close(resolve))
})

test('memory is told for each connection that was opened, in KiB', async () => {
  const bytes = [1_000, 1_000 + 9 * 2_048]
  const contender = memoryOf(
    async () => bytes.shift() ?? 0,
    async () => undefined,
    { port: 0, connections: 10 },
    async () => undefined,
  )
  assert.is((await contender.round(0)).kibPerConnection, 2)
})

test('new connections are all asked for at once, and a wrong reply on one of them ends the round', async () => {
  let [underWay, most] = [0, 0]
  const once = async (body: Buffer): Promise<Uint8Array> => {
    most = Math.max(most, ++underWay)
    await turn()
    underWay--
    return body
  }
  const setup = { port: 0, count: 20 }
  assert.is((await connections(once, setup, async () => undefined).round(0)).requests, 20)
  assert.is(most, 20)
  const wrong = connections(
    async () => Buffer.alloc(64),
    setup,
    async () => undefined,
  )
  assert.match(
    await wrong.round(0).then(
      () => 'it passed',
      (error: unknown) => String(error),
    ),
    /wrong reply/,
  )
})

test('the heap of a thread has in it what hangs on it outside, and is read only where garbage can be collected before', async () => {
  const before = await threadMemory() // tests are run with --expose-gc
  const held = Buffer.alloc(8 * 2 ** 20)
  assert.ok((await threadMemory()) - before > 7 * 2 ** 20)
  assert.is(held.length, 8 * 2 ** 20)
  const { gc } = globalThis
  globalThis.gc = undefined
  try {
    assert.match(await threadMemory().then(String, String), /--expose-gc/)
  } finally {
    globalThis.gc = gc
  }
})

test('a limit of descriptors is a number, and work takes its time', () => {
  assert.ok(descriptorLimit() > 0)
  const begun = performance.now()
  spin(200)
  assert.ok(performance.now() - begun >= 0.2)
})

test.run()
