/** The result of `load` for people: tables, sentences and small charts in characters. Pure. */
import { readable } from '../measure/numbers.ts'
import { table } from '../report/table.ts'
import { bar, edges, sparkline } from './characters.ts'
import type { LatencySummary } from './latency.ts'
import { LATE_MS } from './recorder.ts'
import type { ThreadUse } from './resources.ts'
import type { LoadResult } from './result.ts'
import type { Row } from './timeline.ts'
import { printTime } from './values.ts'

const SPARK_WIDTH = 60
const BAR_WIDTH = 40
const MIB = 1_024 ** 2

/** A time in milliseconds, to three figures. */
function milliseconds(ms: number): string {
  if (ms >= 99.95) return Math.round(ms).toLocaleString('en-US')
  return ms.toFixed(ms >= 9.995 ? 1 : ms >= 0.9995 ? 2 : 3)
}

const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`
const whole = (count: number): string => count.toLocaleString('en-US')

/** What was done, in two lines. */
export function headline({ server, about, loop, options, measuredMs, interrupted }: LoadResult): string {
  const { rate, callers, thinkMs, arrivals, connections, shards, pipelining, warmupMs } = options
  const rates = rate?.rates.map((each) => each.toLocaleString('en-US')).join(rate.shape === 'ramp' ? ' to ' : ', then ')
  const how =
    loop === 'closed'
      ? `closed loop, ${callers} ${callers === 1 ? 'caller' : 'callers'}${thinkMs > 0 ? `, ${printTime(thinkMs)} to think` : ''}`
      : `open loop, ${rates} requests/s, ${arrivals} arrivals`
  const threads = shards === 0 ? 'the calling thread' : shards === 1 ? '1 shard' : `${shards} shards`
  const pipelined = pipelining === undefined ? '' : `, up to ${pipelining} requests on each`
  const warmup = warmupMs === 0 ? 'without warm-up' : `after ${printTime(warmupMs)} of warm-up`
  const time = `measured for ${readable(measuredMs / 1_000)} s ${warmup}${interrupted ? ', interrupted' : ''}`
  return `${server.address}: ${about}\n${how}; ${connections} ${connections === 1 ? 'connection' : 'connections'} in ${threads}${pipelined}; ${time}`
}

/** The percentiles; heading first. */
export function latencyTable({ response, wait, service, failure, succeeded }: LoadResult): string {
  const row = (name: string, { count, p50Ms, p75Ms, p90Ms, p99Ms, p999Ms, p9999Ms, maxMs, meanMs }: LatencySummary) => [
    name,
    ...[p50Ms, p75Ms, p90Ms, p99Ms, p999Ms, p9999Ms, maxMs, meanMs].map(milliseconds),
    whole(count),
  ]
  const rows = [row('response', response), row('  wait', wait), row('  service', service)]
  if (failure.count > 0) rows.push(row('failed after', failure))
  const heading = ['milliseconds', 'p50', 'p75', 'p90', 'p99', 'p99.9', 'p99.99', 'max', 'mean', 'requests']
  const sampled = wait.count < succeeded ? '\nWait and service are those of a random part of the requests.' : ''
  return table(heading, rows) + sampled
}

/** What was counted: throughput, failures, late arrivals, and what it has cost here. */
export function sentences(result: LoadResult, messages: ReadonlyMap<string, string>): string[] {
  const { requests, succeeded, failed, unfinished, late, errors, usage, mainThreadCollections: gc } = result
  const share = (count: number) => `${whole(count)} (${percent(requests === 0 ? 0 : count / requests)})`
  const lines = [
    `${readable(result.requestsPerSecond)} requests/s; ${megabytes(result.bytesSentPerSecond)} sent, ${megabytes(result.bytesReceivedPerSecond)} received, without what the protocol adds`,
    `${whole(requests)} requests: ${whole(succeeded)} succeeded, ${failed === 0 ? 'none failed' : `${share(failed)} failed`}${unfinished === 0 ? '' : `, ${share(unfinished)} had no answer when waiting for it ended`}`,
    ...Object.entries(errors).map(
      ([code, count]) => `  ${code}: ${whole(count)}${messages.has(code) ? `, first: ${messages.get(code)}` : ''}`,
    ),
  ]
  if (result.loop === 'open')
    lines.push(
      late.count === 0
        ? `no late arrivals: each request began within ${LATE_MS} ms of when it was due, ${milliseconds(late.meanMs)} ms in the mean`
        : `${share(late.count)} late arrivals: begun more than ${LATE_MS} ms after they were due, at most ${milliseconds(late.maxMs)} ms; the time counts as waiting`,
    )
  const threads = [`main thread ${threadUse(usage.main)}`, ...usage.shards.map((use, index) => `shard ${index} ${threadUse(use)}`)]
  lines.push(`busy event loops: ${threads.join('; ')}`)
  lines.push(
    `${readable(result.peakRssBytes / MIB)} MiB of memory at most; ${gc.count} garbage collections on the main thread, ${readable(gc.totalMs)} ms in all, the longest ${readable(gc.maxMs)} ms`,
  )
  return lines
}

/** How the response times are spread; nothing when there are none. */
export function distribution({ response }: LoadResult, shareWithin: (ms: number) => number): string[] {
  if (response.count === 0) return []
  const bounds = edges(response.minMs, response.maxMs).slice(1)
  const within = bounds.map(shareWithin)
  const shares = within.map((share, index) => Math.max(0, share - (within[index - 1] ?? 0)))
  const most = Math.max(...shares)
  const width = Math.max(...bounds.map((bound) => `${bound}`.length))
  return [
    'Response times',
    ...shares.map(
      (share, index) => `  up to ${`${bounds[index]}`.padStart(width)} ms ${shareText(share).padStart(8)}  ${bar(share / most, BAR_WIDTH)}`,
    ),
  ]
}

/** Small shares still show that there are some. */
function shareText(share: number): string {
  return share > 0 && share < 0.00005 ? '<0.01 %' : `${(share * 100).toFixed(2)} %`
}

/** The run over time. */
export function overTime({ timeline, measuredMs }: LoadResult): string[] {
  if (timeline.length < 2) return []
  const line = (name: string, values: readonly number[], print: (value: number) => string) =>
    `  ${name.padEnd(12)} ${sparkline(values, SPARK_WIDTH)}  at most ${print(Math.max(...values))}`
  const failed = timeline.map(({ failed }) => failed)
  return [
    `Over ${readable(measuredMs / 1_000)} s`,
    line('requests/s', timeline.map(rateOf), readable),
    line(
      'p50',
      timeline.map(({ p50Ms }) => p50Ms),
      (ms) => `${milliseconds(ms)} ms`,
    ),
    line(
      'p99',
      timeline.map(({ p99Ms }) => p99Ms),
      (ms) => `${milliseconds(ms)} ms`,
    ),
    ...(failed.some((count) => count > 0) ? [line('failed', failed, whole)] : []),
  ]
}

/** The passing state of a run; without a row it is still warming up. */
export function liveLine(row: Row | undefined, durationMs: number): string {
  if (row === undefined) return 'warming up'
  const { atMs, p50Ms, p99Ms, inFlight, failed, late, mainUtilization, shardUtilization } = row
  const shards = shardUtilization.length === 0 ? '' : `, shards ${shardUtilization.map(percent).join(' ')}`
  const troubles = `${failed === 0 ? '' : `, ${whole(failed)} failed`}${late === 0 ? '' : `, ${whole(late)} late`}`
  return `${readable(atMs / 1_000)}/${readable(durationMs / 1_000)} s  ${readable(rateOf(row))}/s  p50 ${milliseconds(p50Ms)} p99 ${milliseconds(p99Ms)} ms  ${whole(inFlight)} in flight${troubles}  busy: main ${percent(mainUtilization)}${shards}`
}

/** Requests a second that have succeeded. */
export function rateOf({ succeeded, elapsedMs }: Row): number {
  return elapsedMs > 0 ? (succeeded / elapsedMs) * 1_000 : 0
}

function threadUse({ utilization, cpuMs }: ThreadUse): string {
  return `${percent(utilization)}${cpuMs === undefined ? '' : ` (${readable(cpuMs / 1_000)} s of CPU)`}`
}

function megabytes(bytesPerSecond: number): string {
  return `${readable(bytesPerSecond / 1e6)} MB/s`
}
