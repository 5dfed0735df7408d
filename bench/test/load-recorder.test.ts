import { PoolError, ReplyError } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { suite } from '../../packages/pool-worker/test/kit/kit.ts'
import { Latency } from '../src/load/latency.ts'
import { Recorder, WrongReply } from '../src/load/recorder.ts'
import { Sampling } from '../src/load/sampling.ts'
import { seededRandom } from '../src/load/schedule.ts'

const test = suite('what the load generator counts')

const near = (actual: number, wanted: number) =>
  assert.ok(Math.abs(actual - wanted) <= wanted / 1_000 + 1e-6, `${actual} is not ${wanted} to three figures`)

test('times are kept to three figures, from a microsecond to an hour', () => {
  for (const ms of [0.001_23, 0.045_6, 0.789, 12.3, 4_560, 3_600_000]) {
    const latency = new Latency()
    latency.record(ms)
    const { count, meanMs, minMs, p50Ms, p9999Ms, maxMs } = latency.summary
    assert.is(count, 1)
    for (const value of [meanMs, minMs, p50Ms, p9999Ms, maxMs]) near(value, ms)
  }
})

test('percentiles are those of the times that were recorded', () => {
  const latency = new Latency()
  for (let each = 1; each <= 10_000; each++) latency.record(each / 100)
  const { p50Ms, p75Ms, p90Ms, p99Ms, p999Ms, p9999Ms, maxMs, meanMs } = latency.summary
  for (const [actual, wanted] of [
    [p50Ms, 50],
    [p75Ms, 75],
    [p90Ms, 90],
    [p99Ms, 99],
    [p999Ms, 99.9],
    [p9999Ms, 99.99],
    [maxMs, 100],
    [meanMs, 50.005],
  ] as const)
    near(actual, wanted)
  assert.ok(Math.abs(latency.shareWithin(20) - 0.2) < 0.001)
  assert.is(latency.shareWithin(100.1), 1)
})

test('a curve has no percentile that so few times cannot tell', () => {
  const latency = new Latency()
  assert.equal(latency.curve(), [])
  for (let each = 1; each <= 100; each++) latency.record(each)
  assert.equal(
    latency.curve().map(([percentile]) => percentile),
    [0, 10, 25, 50, 75, 90, 95, 99, 100],
  )
})

test('no times at all are zeros, and no error', () => {
  assert.equal(new Set(Object.values(new Latency().summary)), new Set([0]))
})

test('a request counts from when it was due, not from when it began', () => {
  const recorder = recording()
  recorder.begin(100, 600)
  recorder.succeed(100, 601, 10, 20)
  const { response, late, bytesSent, bytesReceived, completed } = recorder.tally()
  near(response.p50Ms, 501)
  assert.equal([late, bytesSent, bytesReceived, completed], [{ count: 1, meanMs: 500, maxMs: 500 }, 10, 20, 1])
})

test('one that begins within a millisecond of when it was due is not late', () => {
  const recorder = recording()
  recorder.begin(100, 100.9)
  recorder.begin(200, 201.1)
  assert.is(recorder.tally().late.count, 1)
})

test('the warm-up is no part of it, though its last replies come later', () => {
  const recorder = new Recorder()
  recorder.measureFrom(1_000)
  recorder.begin(900, 905)
  recorder.begin(990, 990)
  recorder.succeed(900, 950, 1, 1)
  recorder.begin(1_000, 1_000)
  recorder.succeed(990, 1_010, 1, 1)
  recorder.fail(1_000, 1_020, new Error('x'))
  const { requests, succeeded, failed, unfinished, completed, late, response } = recorder.tally()
  assert.equal([requests, succeeded, failed, unfinished, late.count, response.count], [1, 0, 1, 0, 0, 0])
  assert.is(completed, 1) // the server did that work in the measured time
})

test('a reply after the end counts with its time, and not in the throughput', () => {
  const recorder = recording()
  recorder.begin(100, 100)
  recorder.measureTo(500)
  recorder.succeed(100, 900, 7, 7)
  const { succeeded, completed, bytesSent, response } = recorder.tally()
  assert.equal([succeeded, completed, bytesSent], [1, 0, 0])
  near(response.maxMs, 800)
})

test('what is never answered is told, and in flight till then', () => {
  const recorder = recording()
  recorder.begin(1, 1)
  recorder.begin(2, 2)
  recorder.succeed(1, 3, 0, 0)
  assert.is(recorder.inFlight, 1)
  const { requests, succeeded, failed, unfinished } = recorder.tally()
  assert.equal([requests, succeeded, failed, unfinished], [2, 1, 0, 1])
})

test('errors are counted by code, the most frequent first, and never quoted if the server wrote them', () => {
  const recorder = recording()
  const errors = [
    new ReplyError('WRONGTYPE', 'secret'),
    new PoolError('CONNECTION_LOST', 'it is gone'),
    new PoolError('CONNECTION_LOST', 'another'),
    new WrongReply('secret'),
    new TypeError('secret'),
    'secret',
  ]
  for (const error of errors) {
    recorder.begin(1, 1)
    recorder.fail(1, 2, error)
  }
  const { errors: counted, failure, response } = recorder.tally()
  assert.equal(Object.entries(counted)[0], ['CONNECTION_LOST', 2])
  assert.equal(counted, { CONNECTION_LOST: 2, 'reply WRONGTYPE': 1, 'wrong reply': 1, TypeError: 1, unknown: 1 })
  assert.equal([failure.count, response.count], [6, 0])
  assert.equal([...recorder.messages], [['CONNECTION_LOST', 'it is gone']])
})

test('an interval has what happened since the last one', () => {
  const recorder = recording()
  recorder.begin(0, 5)
  recorder.begin(10, 10)
  recorder.succeed(0, 20, 1, 1)
  const first = recorder.interval()
  assert.equal([first.succeeded, first.failed, first.late, first.inFlight], [1, 0, 1, 1])
  near(first.maxMs, 20)
  recorder.fail(10, 30, new Error('x'))
  assert.equal(recorder.interval(), { succeeded: 0, failed: 1, late: 0, inFlight: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 })
})

test('all requests are looked at while they are few, then an even part of them, at random distances', () => {
  const all = new Sampling(seededRandom(1), 5_000)
  assert.ok(Array.from({ length: 100 }, () => all.next()).every(Boolean))
  const some = new Sampling(seededRandom(1), 0)
  some.adapt(500_000)
  const looks = Array.from({ length: 100_000 }, () => some.next())
  const seen = looks.filter(Boolean).length
  assert.ok(seen > 900 && seen < 1_110, `${seen} of 100,000 instead of 1,000`)
  const places = looks.flatMap((look, index) => (look ? [index] : []))
  const distances = new Set(places.slice(1).map((place, index) => place - (places[index] ?? 0)))
  assert.ok(distances.size > 50)
})

test.run()

function recording(): Recorder {
  const recorder = new Recorder()
  recorder.measureFrom(0)
  return recorder
}
