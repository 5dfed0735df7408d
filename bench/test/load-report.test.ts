import * as assert from 'uvu/assert'
import { suite } from '../../packages/pool-worker/test/kit/kit.ts'
import { bar, edges, sparkline } from '../src/load/characters.ts'
import { latencyChart, timelineChart } from '../src/load/charts.ts'
import { readOrder } from '../src/load/options.ts'
import { Recorder } from '../src/load/recorder.ts'
import { distribution, headline, latencyTable, liveLine, overTime, sentences } from '../src/load/report.ts'
import { type LoadResult, resultOf } from '../src/load/result.ts'
import { type Row, rowMs } from '../src/load/timeline.ts'

const test = suite('the report of load')

test('a sparkline is as high as its values, and keeps the peaks when it is too narrow', () => {
  assert.is(sparkline([0, 1, 2, 3, 4, 5, 6, 7, 8], 60), '▁▂▃▄▅▆▇██')
  assert.is(sparkline([0, 0, 9, 0, 0, 0], 3), '▁█▁')
  assert.is(sparkline([0, 0], 60), '▁▁')
  assert.is(sparkline([], 60), '')
})

test('a bar is as long as its share, to an eighth of a character', () => {
  assert.equal(
    [0, 0.125, 0.5, 1, 7].map((share) => bar(share, 2)),
    ['', '▎', '█', '██', '██'],
  )
})

test('edges go round all values in steps of 1, 2 and 5', () => {
  assert.equal(edges(0.3, 4), [0.2, 0.5, 1, 2, 5])
  assert.equal(edges(1, 1), [1])
  assert.equal(edges(0.07, 20), [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20])
})

test('a long run has a row for each second, a short one some, a very long one not too many', () => {
  assert.equal([150, 1_000, 10_000, 20_000, 600_000].map(rowMs), [50, 50, 500, 1_000, 1_000])
  assert.is(rowMs(24 * 3_600_000), 86_400)
})

test('the headline says what was done', () => {
  const text = headline(resultWith(['redis://u:s3cret@h/2', '--rate', '1000..5000', '--arrivals', 'poisson', '--shards', '2']))
  assert.is(
    text,
    `redis://h:6379/2: what was sent
open loop, 1,000 to 5,000 requests/s, poisson arrivals; 16 connections in 2 shards; measured for 2.00 s after 1s of warm-up`,
  )
  const closed = headline(
    resultWith([
      'tcp://h:1',
      '--protocol',
      'line',
      '--connections',
      '1',
      '--shards',
      '0',
      '--pipelining',
      '8',
      '--think',
      '5ms',
      '--warmup',
      '0',
    ]),
  )
  assert.match(
    closed,
    /closed loop, 1 caller, 5ms to think; 1 connection in the calling thread, up to 8 requests on each; measured for 2\.00 s without warm-up$/,
  )
})

test('times have three figures, whatever their size', () => {
  const rows = latencyTable(resultWith(['tcp://h:1'], [0.012_345, 0.5, 1, 12.3, 123.4, 1_234])).split('\n')
  assert.match(rows[0] ?? '', /^milliseconds +p50 +p75 +p90 +p99 +p99.9 +p99.99 +max +mean +requests$/)
  assert.match(rows[2] ?? '', /^response +1\.00 +123 +123 +1,23\d +1,23\d +1,23\d +1,23\d +229 +6$/)
  assert.is(rows.length, 6) // and that wait and service are those of a part
  assert.match(rows[5] ?? '', /a random part of the requests/)
})

test('what failed, was late or had no answer is told', () => {
  const result = { ...resultWith(['tcp://h:1', '--rate', '5'], [1, 1, 1]), requests: 10, failed: 3, unfinished: 4 }
  const troubled: LoadResult = { ...result, errors: { TIMEOUT: 2, 'reply ERR': 1 }, late: { count: 5, meanMs: 9, maxMs: 77.7 } }
  const text = sentences(troubled, new Map([['TIMEOUT', 'it took too long']])).join('\n')
  assert.match(text, /^10 requests: 3 succeeded, 3 \(30 %\) failed, 4 \(40 %\) had no answer when waiting for it ended$/m)
  assert.match(text, /^ {2}TIMEOUT: 2, first: it took too long\n {2}reply ERR: 1$/m)
  assert.match(text, /^5 \(50 %\) late arrivals: begun more than 1 ms after they were due, at most 77\.7 ms; the time counts as waiting$/m)
  assert.match(text, /^busy event loops: main thread 50 % \(1\.00 s of CPU\); shard 0 25 %$/m)
  const calm = sentences(resultWith(['tcp://h:1', '--rate', '5'], [1]), new Map()).join('\n')
  assert.match(calm, /none failed\nno late arrivals: each request began within 1 ms/)
  assert.not.match(sentences(resultWith(['tcp://h:1'], [1]), new Map()).join('\n'), /late/) // a closed loop has none
})

test('all response times are in the distribution, once', () => {
  const times = Array.from({ length: 1_000 }, (_, index) => 0.11 + (index % 100) / 50)
  const { result, recorder } = measured(['tcp://h:1'], times)
  const [title, ...rows] = distribution(result, (ms) => recorder.shareWithin(ms))
  assert.is(title, 'Response times')
  assert.equal(
    rows.map((row) => /up to +(\S+) ms/.exec(row)?.[1]),
    ['0.2', '0.5', '1', '2', '5'],
  )
  const sum = rows.reduce((total, row) => total + Number(/([\d.]+) %/.exec(row)?.[1]), 0)
  assert.ok(Math.abs(sum - 100) < 0.1, `${sum} %`)
  assert.is(rows.filter((row) => row.endsWith('█'.repeat(40))).length, 1)
})

test('a run without any answer is a report too', () => {
  const { result, recorder } = measured(['tcp://h:1'], [])
  assert.equal(
    distribution(result, (ms) => recorder.shareWithin(ms)),
    [],
  )
  assert.match(latencyTable(result), /response +0\.000/)
  assert.match(sentences(result, new Map()).join('\n'), /^0 requests: 0 succeeded, none failed$/m)
  for (const chart of [latencyChart, timelineChart]) assert.match(chart(result), /^<svg /)
})

test('over time there are throughput and percentiles, and failures if there are any', () => {
  const rows = [row({ atMs: 1_000, succeeded: 100 }), row({ atMs: 2_000, succeeded: 50 })]
  const calm = overTime({ ...resultWith(['tcp://h:1']), timeline: rows }).join('\n')
  assert.match(calm, /^Over 2\.00 s\n {2}requests\/s +█▅ {2}at most 100\n {2}p50 .*\n {2}p99 .* ms$/)
  const failing = overTime({ ...resultWith(['tcp://h:1']), timeline: [...rows, row({ atMs: 3_000, failed: 3 })] }).join('\n')
  assert.match(failing, /\n {2}failed +▁▁█ {2}at most 3$/)
})

test('the live line tells what is going on now', () => {
  assert.is(liveLine(undefined, 10_000), 'warming up')
  assert.is(
    liveLine(row({ atMs: 2_000, succeeded: 1_500, inFlight: 7 }), 10_000),
    '2.00/10.0 s  1,500/s  p50 0.250 p99 4.00 ms  7 in flight  busy: main 50 %, shards 25 %',
  )
  assert.match(liveLine(row({ failed: 2, late: 1 }), 10_000), / {2}0 in flight, 2 failed, 1 late {2}busy/)
})

test('charts show all series, and what was measured', () => {
  const { result } = measured(['tcp://h:1'], [1, 2, 3])
  const latency = latencyChart(result)
  for (const text of ['response', 'wait', 'service', 'tcp://h:1: what was sent', 'percentile']) assert.ok(latency.includes(text), text)
  const timeline = timelineChart({ ...result, timeline: [row({ atMs: 1_000 }), row({ atMs: 2_000 })] })
  for (const text of ['succeeded', 'failed', 'p50', 'p99', 'max', 'main busy', 'shard 0 busy', 'resident memory'])
    assert.ok(timeline.includes(text), text)
})

test.run()

function row(part: Partial<Row>): Row {
  const times = { p50Ms: 0.25, p99Ms: 4, maxMs: 9 }
  const counts = { succeeded: 0, failed: 0, late: 0, inFlight: 0 }
  return { atMs: 1_000, elapsedMs: 1_000, rssBytes: 1e8, mainUtilization: 0.5, shardUtilization: [0.25], ...counts, ...times, ...part }
}

/** A result of two seconds with these response times; every other request was looked at closely. */
function measured(args: readonly string[], times: readonly number[] = []): { result: LoadResult; recorder: Recorder } {
  const order = readOrder(args, () => 0)
  if (order === undefined) throw new Error('taken for --help')
  const recorder = new Recorder()
  recorder.measureFrom(0)
  for (const [index, ms] of times.entries()) {
    recorder.begin(0, 0)
    recorder.succeed(0, ms, 10, 10)
    if (index % 2 === 0) recorder.parts(0, ms / 2, ms / 2)
  }
  const usage = { elapsedMs: 2_000, main: { utilization: 0.5, cpuMs: 1_000 }, shards: [{ utilization: 0.25 }], processCpuMs: 1_500 }
  const environment = { date: '', node: '20', platform: '', cpu: 'a processor', cores: 2, memoryBytes: 1, packages: {} }
  const result = resultOf(
    order,
    'what was sent',
    {
      ...{ measuredMs: 2_000, drainMs: 0, interrupted: false, tally: recorder.tally(), messages: recorder.messages, timeline: [], usage },
      collections: { count: 1, totalMs: 2, maxMs: 2 },
      poolCounters: undefined as never, // no test looks at them
      shareWithin: (ms) => recorder.shareWithin(ms),
    },
    environment,
  )
  return { result, recorder }
}

function resultWith(args: readonly string[], times?: readonly number[]): LoadResult {
  return measured(args, times).result
}
