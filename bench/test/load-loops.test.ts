import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import * as assert from 'uvu/assert'
import { suite, until } from '../../packages/pool-worker/test/kit/kit.ts'
import { closedLoop, openLoop, type Sender } from '../src/load/loops.ts'
import { Metronome, type Pacer } from '../src/load/metronome.ts'
import { Recorder } from '../src/load/recorder.ts'

const test = suite('the loops of the load generator')
const METRONOME = new URL('../dist/metronome.js', import.meta.url)
const forEver = () => new AbortController().signal

/** A clock that jumps to whenever it is asked to wake somebody, or beyond: as if this thread had been busy. */
class Jumps implements Pacer {
  nowMs = 0
  wakes = 0
  readonly #busyUntil: (at: number) => number

  constructor(busyUntil: (at: number) => number = (at) => at) {
    this.#busyUntil = busyUntil
  }

  wakeAt(atMs: number, wake: () => void): void {
    this.wakes++
    this.nowMs = Math.max(this.nowMs, this.#busyUntil(atMs))
    wake()
  }

  async close(): Promise<void> {}
}

/** Requests that end as `send` says. */
const sending = (send: (due: number) => Promise<unknown>, now: () => number = () => 0): Sender => ({ send, succeeded: now, failed: now })

function every(ms: number, count: number): Iterator<number, void> {
  return Array.from({ length: count }, (_, index) => index * ms).values() as Iterator<number, void> // its end has no value
}

test('a request begins when it is due, though none before it has been answered', async () => {
  const time = new Jumps()
  const begun: number[][] = []
  const call = (due: number): Promise<unknown> => {
    begun.push([due, time.nowMs])
    return new Promise(() => undefined) // a server that never answers
  }
  await openLoop(sending(call), every(2, 50), 10, () => time.nowMs, time, { signal: forEver() })
  assert.equal(
    begun,
    Array.from({ length: 50 }, (_, index) => [10 + index * 2, 10 + index * 2]).map(([due, now]) => [due, now]),
  )
})

test('what came due while the thread was busy begins at once, and counts from when it was due', async () => {
  const time = new Jumps((at) => (at >= 100 && at < 1_100 ? 1_100 : at)) // stands still for a second
  const recorder = new Recorder()
  recorder.measureFrom(0)
  const call = async (due: number): Promise<boolean> => {
    recorder.begin(due, time.nowMs)
    recorder.succeed(due, time.nowMs, 0, 0) // the server answers in no time
    return true
  }
  await openLoop(sending(call), every(1, 2_000), 0, () => time.nowMs, time, { signal: forEver() })
  const { requests, late, response } = recorder.tally()
  assert.is(requests, 2_000)
  assert.is(late.count, 999) // due from 100 to 1,098: the last two were at most 1 ms late
  assert.is(late.maxMs, 1_000)
  assert.ok(response.p75Ms > 490 && response.p75Ms < 510, `half of all requests met the second: ${response.p75Ms}`)
  assert.ok(response.p50Ms > 0 && response.p50Ms <= 1.01, `and half did not: ${response.p50Ms}`)
})

test('requests that are due at nearly the same time wake the thread once', async () => {
  const time = new Jumps()
  const all: number[] = []
  const call = async (due: number): Promise<boolean> => all.push(due) > 0
  await openLoop(sending(call), every(0.01, 1_000), 0, () => time.nowMs, time, { signal: forEver() })
  assert.is(all.length, 1_000)
  assert.ok(time.wakes <= 101, `${time.wakes} wakes for 10 ms`)
})

test('an open loop that is stopped sends nothing more, and ends', async () => {
  const stop = new AbortController()
  let wake: () => void = () => undefined
  const pacer: Pacer = {
    wakeAt: (_, next) => {
      wake = next
    },
    close: async () => undefined,
  }
  let [now, sent] = [0, 0]
  const call = async () => ++sent > 0
  const loop = openLoop(sending(call), every(1, 100), 0, () => now, pacer, stop)
  now = 10
  wake()
  assert.is(sent, 11)
  stop.abort()
  await loop
  now = 50
  wake()
  assert.is(sent, 11)
})

test('in a closed loop each caller has one request in flight', async () => {
  let [now, inFlight, most, sent] = [0, 0, 0, 0]
  const call = async (): Promise<void> => {
    most = Math.max(most, ++inFlight)
    await new Promise((resolve) => setImmediate(resolve))
    inFlight--
    now++
    sent++
  }
  const clock = () => now
  await closedLoop(sending(call, clock), 7, 0, 100, clock, { signal: forEver() })
  assert.is(most, 7)
  assert.ok(sent >= 100 && sent < 107, `${sent}`)
})

test('a caller that is refused at once does not keep the thread for itself', async () => {
  const stop = new AbortController()
  let refused = 0
  const refusing = sending(async () => {
    refused++
    throw new Error('refused')
  })
  const loop = closedLoop(refusing, 1, 0, Number.POSITIVE_INFINITY, () => 0, stop)
  await until(() => refused > 3, 'the caller has tried again') // it never would, for its timer could not come
  stop.abort()
  await loop
})

test('a request that fails, or whose reply is no answer, ends once, and the loops go on', async () => {
  const ends: string[] = []
  const sender: Sender = {
    send: async (due) => {
      if (due === 1) throw new Error('refused')
      return due
    },
    succeeded: (due, reply) => {
      if (reply === 2) throw new Error('no answer')
      ends.push(`${due} succeeded`)
      return 0
    },
    failed: (due, error) => {
      ends.push(`${due} failed: ${error instanceof Error ? error.message : ''}`)
      return 0
    },
  }
  const time = new Jumps()
  await openLoop(sender, every(1, 4), 0, () => time.nowMs, time, { signal: forEver() })
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(ends.toSorted(), ['0 succeeded', '1 failed: refused', '2 failed: no answer', '3 succeeded'])
})

test('a caller who thinks sends nothing till then', async () => {
  const stop = new AbortController()
  let sent = 0
  const answered = sending(async () => ++sent)
  const loop = closedLoop(answered, 3, 3_600_000, Number.POSITIVE_INFINITY, () => 0, stop)
  await new Promise((resolve) => setImmediate(resolve))
  assert.is(sent, 3)
  stop.abort()
  await loop
  assert.is(sent, 3)
})

test('the metronome never rings before it should, and once each time', async () => {
  const metronome = new Metronome(METRONOME)
  try {
    for (const after of [0.2, 1.3, 0.05, 4, 0, -5]) {
      const at = performance.now() + after
      await new Promise<void>((resolve) => metronome.wakeAt(at, resolve))
      assert.ok(performance.now() >= at - 0.01, `rang ${at - performance.now()} ms early`)
    }
  } finally {
    await metronome.close()
  }
})

test('a metronome that is notified while it sleeps, as it may be of what it has seen already, rings all the same', async () => {
  const memory = new SharedArrayBuffer(16)
  const [sequence, deadline] = [new Int32Array(memory), new Float64Array(memory)]
  const thread = new Worker(METRONOME, { workerData: memory })
  try {
    const rang = once(thread, 'message')
    await once(thread, 'online')
    const [seconds, nanoseconds] = process.hrtime()
    deadline[1] = seconds * 1_000 + nanoseconds / 1e6 + 300
    Atomics.store(sequence, 0, 1)
    let woken = 0
    await until(() => {
      woken += Atomics.notify(sequence, 0)
      return woken >= 3 // the first may have found it waiting for a deadline, the others have not
    }, 'it has been woken in its sleep')
    await rang
  } finally {
    Atomics.store(sequence, 0, -1)
    Atomics.notify(sequence, 0)
    await once(thread, 'exit')
  }
})

test('a metronome that is closed does not ring any more', async () => {
  const metronome = new Metronome(METRONOME)
  let rang = false
  metronome.wakeAt(performance.now() + 3_600_000, () => {
    rang = true
  })
  await metronome.close()
  assert.is(rang, false)
})

test.run()
