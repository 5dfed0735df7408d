import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import * as assert from 'uvu/assert'
import { createRecorder, RECORDED, Recorder, readRecorder } from '../src/recorder.ts'
import { suite, until } from './kit/kit.ts'

const test = suite('recorder')

test('what was noted is read oldest first, with the time since the epoch', () => {
  const memory = createRecorder(false)
  const recorder = new Recorder(memory, 1_000_000)
  assert.equal(readRecorder(memory), [])
  recorder.note(1.5, 3, 2, 7, -5)
  recorder.note(2.25, 0, -1, 0, 2 ** 31 - 1)
  assert.equal(readRecorder(memory), [
    { time: 1_000_001.5, event: 3, slot: 2, serial: 7, detail: -5 },
    { time: 1_000_002.25, event: 0, slot: -1, serial: 0, detail: 2 ** 31 - 1 },
  ])
})

for (const start of [0, 2 ** 31 - 40, -40]) {
  test(`only the last ${RECORDED} are read, from a count of ${start} on`, () => {
    const memory = createRecorder(false)
    new Int32Array(memory)[0] = start
    const recorder = new Recorder(memory, 0)
    for (let n = 1; n <= 3 * RECORDED; n++) {
      recorder.note(n, 1, 0, 0, n)
      const first = Math.max(1, n - RECORDED + 1)
      assert.equal(
        readRecorder(memory).map(({ detail }) => detail),
        Array.from({ length: n - first + 1 }, (_, index) => first + index),
      )
    }
  })
}

test('what another thread wrote is read while it writes, each record whole and in order, and after it has died', async () => {
  const memory = createRecorder(true)
  const worker = new Worker(new URL('./fixtures/recording.js', import.meta.url), { workerData: memory })
  let looks = 0
  const look = (): number => {
    const all = readRecorder(memory)
    for (const [index, { time, event, slot, serial, detail }] of all.entries()) {
      assert.equal([time, event, slot, serial], [detail, detail % 7, detail & 0xffff, detail])
      assert.is(detail, (all[0]?.detail ?? 0) + index)
    }
    looks++
    return all.length
  }
  await until(() => look() === RECORDED && looks > 200, 'much was read')
  const gone = once(worker, 'exit')
  await worker.terminate()
  await gone
  assert.is(look(), RECORDED)
})

test.run()
