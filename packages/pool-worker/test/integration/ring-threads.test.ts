import { MessageChannel, Worker } from 'node:worker_threads'
import * as assert from 'uvu/assert'
import { createRing } from '../../src/ring.ts'
import type { FloodPlan, FloodResult } from '../fixtures/flooder.ts'
import { suite } from '../kit/kit.ts'

const test = suite('ring between threads', { timeoutMs: 60_000 })

interface Settings {
  readonly ringBytes: readonly [number, number]
  readonly origin?: number
  readonly count: number
  /** How many come back; `count` unless given. */
  readonly backCount?: number
  readonly maxLength: number
  readonly mode?: 'flood' | 'answer'
  readonly stopEvery?: number
  readonly stopMs?: number
}

/** Lets two threads talk to each other until both have got all messages, or one is 30 s late: a lost wake-up. */
async function talk(settings: Settings): Promise<[FloodResult, FloodResult]> {
  const { ringBytes, origin = 0, count, backCount = count, maxLength, mode = 'flood', stopEvery = 0, stopMs = 0 } = settings
  const there = createRing(ringBytes[0], true, origin)
  const back = createRing(ringBytes[1], true, origin)
  const { port1, port2 } = new MessageChannel()
  const shared = { maxLength, mode, stopMs }
  const plans: [FloodPlan, FloodPlan] = [
    { ...shared, count, expected: backCount, out: there, in: back, port: port1, first: true, stopEvery: 0 },
    { ...shared, count: backCount, expected: count, out: back, in: there, port: port2, first: false, stopEvery },
  ]
  const workers = plans.map((plan) => {
    return new Worker(new URL('../fixtures/flooder.js', import.meta.url), { workerData: plan, transferList: [plan.port] })
  })
  try {
    const [one, two] = await Promise.all(workers.map(result))
    assert.ok(one !== undefined && two !== undefined)
    return [one, two]
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}

function result(worker: Worker): Promise<FloodResult> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('a wake-up was lost')), 30_000)
    worker.once('error', reject)
    worker.once('message', (message: FloodResult) => {
      clearTimeout(timer)
      resolve(message)
    })
  })
}

function complete(results: readonly FloodResult[], count: number): void {
  for (const { error, received } of results) {
    assert.is(error, undefined)
    assert.is(received, count)
  }
  assert.is(results[0]?.bytes, results[1]?.bytes)
}

test('200,000 short messages each way arrive whole and in order', async () => {
  const results = await talk({ ringBytes: [16_384, 16_384], count: 200_000, maxLength: 60 })
  complete(results, 200_000)
})

test('both flood each other through rings of a few frames, spilling, and neither waits for ever', async () => {
  const results = await talk({ ringBytes: [128, 128], origin: 2 ** 31 - 4096, count: 20_000, maxLength: 40 })
  complete(results, 20_000)
  for (const { spilled } of results) assert.ok(spilled > 0)
})

test('a producer that waits for room is woken, with nothing coming back that would wake it by chance', async () => {
  const [one, two] = await talk({ ringBytes: [128, 128], count: 200_000, backCount: 0, maxLength: 16 })
  assert.equal([one.error, two.error], [undefined, undefined])
  assert.is(two.received, 200_000)
})

test('messages many times longer than the ring pass through it, both ways', async () => {
  const results = await talk({ ringBytes: [512, 1024], origin: 2 ** 32 - 4096, count: 1_500, maxLength: 4_000 })
  complete(results, 1_500)
})

test('a reader that stops for a while and goes on has lost nothing', async () => {
  const results = await talk({ ringBytes: [1024, 1024], count: 20_000, maxLength: 100, stopEvery: 2_000, stopMs: 20 })
  complete(results, 20_000)
})

test('20,000 messages one at a time: each finds the other side asleep, and wakes it', async () => {
  const results = await talk({ ringBytes: [1024, 1024], count: 20_000, maxLength: 60, mode: 'answer' })
  complete(results, 20_000)
  for (const { wakeUps } of results) assert.ok(wakeUps > 1_000)
})

test.run()
