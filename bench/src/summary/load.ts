/** Results of `load` as the report shows them. Without the address: a report may go further than the server's name should. */
import type { LatencyResult } from '../load/recorder.ts'
import type { LoadResult } from '../load/result.ts'
import { readable, spread } from '../measure/numbers.ts'
import { type Column, counted, type Drawing, partOf, type Row, type Section } from './model.ts'
import type { ResultFile, Siblings } from './read.ts'

const MIB = 2 ** 20
const PERCENTILES = {
  p50Ms: 'p50',
  p90Ms: 'p90',
  p99Ms: 'p99',
  p999Ms: 'p99.9',
  p9999Ms: 'p99.99',
  maxMs: 'max',
} as const

const COLUMNS = Object.values(PERCENTILES).map((title): Column => ({ title, unit: 'ms', better: 'less' }))

/** One section with one part: a row for each kind of time, and the charts that `load` has drawn. */
export async function loadSection(id: string, result: ResultFile, siblings: Siblings): Promise<Section> {
  const file = result as ResultFile & LoadResult // of this kind and schema version
  const { connections, shards, callers } = file.options
  const from = callers === undefined ? 'an open loop' : `a closed loop of ${counted(callers, 'caller')}`
  const part = partOf({
    title: `${readable(file.requestsPerSecond)} requests/s`,
    columns: COLUMNS,
    rows: [
      rowOf('response: due until answered', file.response),
      rowOf('wait: due until it had a connection', file.wait),
      rowOf('service: from then until answered', file.service),
      ...(file.failed === 0 ? [] : [rowOf('failure: due until failed', file.failure)]),
    ],
    notes: notesOf(file),
    drawings: await drawingsOf(id, siblings),
  })
  return {
    id,
    title: `load, ${file.loop} loop`,
    about: file.about,
    environment: file.environment,
    settings: `${from} over ${file.server.transport}, at most ${counted(connections, 'connection')} in ${counted(shards, 'shard')}, ${readable(file.measuredMs / 1_000)} s measured`,
    parts: [part],
  }
}

function rowOf(name: string, times: LatencyResult): Row {
  const keys = Object.keys(PERCENTILES) as (keyof typeof PERCENTILES)[] // its own keys
  return { name, cells: keys.map((key) => (times.count === 0 ? undefined : spread([times[key]]))) }
}

function notesOf(file: LoadResult): string[] {
  const errors = Object.entries(file.errors).map(([code, count]) => `${code} ${count.toLocaleString('en-US')}`)
  const failed = file.failed === 0 ? 'none failed' : `${file.failed.toLocaleString('en-US')} failed (${errors.join(', ')})`
  const late = file.late.count === 0 ? 'none' : file.late.count.toLocaleString('en-US')
  const by = file.late.count === 0 ? '' : `, by ${readable(file.late.maxMs)} ms at most`
  const share = ({ utilization }: { readonly utilization: number }) => `${Math.round(utilization * 100)} %`
  return [
    ...(file.interrupted ? ['Interrupted: the run was to be longer.'] : []),
    `Of ${file.requests.toLocaleString('en-US')} requests ${failed}, ${file.unfinished.toLocaleString('en-US')} unanswered at the end; ${late} began late${by}.`,
    `Sent ${readable(file.bytesSentPerSecond / MIB)} and received ${readable(file.bytesReceivedPerSecond / MIB)} MiB/s.`,
    `Busy: main thread ${share(file.usage.main)}${file.usage.shards.map((shard, index) => `, shard ${index} ${share(shard)}`).join('')}; at most ${readable(file.peakRssBytes / MIB)} MiB of memory.`,
  ]
}

async function drawingsOf(id: string, siblings: Siblings): Promise<Drawing[]> {
  const drawings: Drawing[] = []
  for (const [ending, title] of [
    ['latency', 'Latency by percentile'],
    ['timeline', 'The run over time'],
  ] as const) {
    const svg = await siblings(`${id}.${ending}.svg`)
    if (svg !== undefined) drawings.push({ title, svg })
  }
  return drawings
}
