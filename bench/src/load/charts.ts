/** The charts of `load`, as SVG: latency by percentile, and the run over time. */
import { init } from 'echarts'
import type { Quantile } from './latency.ts'
import { rateOf } from './report.ts'
import type { LoadResult } from './result.ts'

const WIDTH = 960
const COLORS = ['#0f766e', '#b45309', '#64748b', '#b91c1c']
const MIB = 1_024 ** 2

type Point = readonly [x: number, y: number]

/** Response, wait and service time by percentile; both axes logarithmic, so that 99.9 is as far from 99 as 99 from 90. */
export function latencyChart(result: LoadResult): string {
  const { response, wait, service } = result
  const series = [
    { name: 'response', curve: response.curve },
    { name: 'wait', curve: wait.curve },
    { name: 'service', curve: service.curve },
  ]
  return draw(480, {
    ...frame('Latency by percentile', result),
    legend: { data: series.map(({ name }) => name), right: 24, top: 60 },
    grid: { left: 72, right: 32, top: 88, bottom: 56 },
    xAxis: {
      type: 'log',
      min: 1,
      name: 'percentile',
      nameLocation: 'middle',
      nameGap: 32,
      axisLabel: { formatter: (value: number) => percentileLabel(value) },
    },
    yAxis: { type: 'log', name: 'ms', axisLabel: { formatter: (value: number) => `${value}` } },
    series: series.map(({ name, curve }, index) => ({ name, ...lineOf(curve.map(pointOf), index) })),
  })
}

/** Throughput and failures, latency, busy loops and memory, one below the other, over the same seconds. */
export function timelineChart(result: LoadResult): string {
  const { timeline } = result
  const at = (value: (row: (typeof timeline)[number]) => number): Point[] => timeline.map((row) => [row.atMs / 1_000, value(row)])
  const shards = timeline[0]?.shardUtilization.map((_, shard) => ({
    name: `shard ${shard} busy`,
    data: at((row) => (row.shardUtilization[shard] ?? 0) * 100),
  }))
  const panels = [
    {
      unit: 'requests/s',
      type: 'value',
      lines: [
        { name: 'succeeded', data: at(rateOf) },
        { name: 'failed', data: at(({ failed, elapsedMs }) => (elapsedMs > 0 ? (failed / elapsedMs) * 1_000 : 0)) },
      ],
    },
    {
      unit: 'ms',
      type: 'log',
      lines: [
        { name: 'p50', data: positive(at(({ p50Ms }) => p50Ms)) },
        { name: 'p99', data: positive(at(({ p99Ms }) => p99Ms)) },
        { name: 'max', data: positive(at(({ maxMs }) => maxMs)) },
      ],
    },
    { unit: '% busy', type: 'value', lines: [{ name: 'main busy', data: at((row) => row.mainUtilization * 100) }, ...(shards ?? [])] },
    { unit: 'MiB', type: 'value', lines: [{ name: 'resident memory', data: at(({ rssBytes }) => rssBytes / MIB) }] },
  ]
  const height = 150
  const top = (panel: number) => 100 + panel * (height + 36)
  const last = panels.length - 1
  return draw(top(last) + height + 56, {
    ...frame('Over time', result),
    legend: panels.map(({ lines }, panel) => ({
      data: lines.map(({ name }) => name),
      right: 24,
      top: top(panel) - 28,
      itemWidth: 16,
      textStyle: { fontSize: 11 },
    })),
    grid: panels.map((_, panel) => ({ left: 88, right: 32, top: top(panel), height })),
    xAxis: panels.map((_, panel) => ({
      type: 'value',
      gridIndex: panel,
      min: 0,
      max: Math.max(0.001, ...timeline.map(({ atMs }) => atMs / 1_000)),
      axisLabel: { show: panel === last, formatter: (value: number) => `${Number(value.toFixed(3))} s` },
    })),
    yAxis: panels.map(({ unit, type }, panel) => ({
      type,
      gridIndex: panel,
      name: unit,
      nameGap: 8,
      axisLabel: { formatter: (value: number) => value.toLocaleString('en-US') },
    })),
    series: panels.flatMap(({ lines }, panel) =>
      lines.map(({ name, data }, index) => ({ name, xAxisIndex: panel, yAxisIndex: panel, ...lineOf(data, index) })),
    ),
  })
}

/** A percentile's place: 90 at 10, 99 at 100, 99.9 at 1,000; the maximum one half beyond the last. */
function pointOf([percentile, ms]: Quantile, index: number, curve: readonly Quantile[]): Point {
  const before = curve[index - 1]?.[0] ?? 0
  return [percentile === 100 ? 2 / (1 - before / 100) : 1 / (1 - percentile / 100), Math.max(ms, 0.001)]
}

function percentileLabel(value: number): string {
  return `p${Number((100 - 100 / value).toFixed(6))}`
}

/** A logarithmic axis has no zero. */
function positive(points: readonly Point[]): Point[] {
  return points.filter(([, value]) => value > 0)
}

function lineOf(data: readonly Point[], index: number): Readonly<Record<string, unknown>> {
  return { type: 'line', showSymbol: data.length < 40, symbolSize: 4, color: COLORS[index % COLORS.length], data }
}

function frame(title: string, { server, about, environment, measuredMs }: LoadResult): Readonly<Record<string, unknown>> {
  const subtext = `${server.address}: ${about}; ${(measuredMs / 1_000).toFixed(1)} s; Node ${environment.node}, ${environment.cores} × ${environment.cpu}`
  return { animation: false, backgroundColor: '#ffffff', title: { text: title, subtext, left: 16, top: 8, textStyle: { fontSize: 16 } } }
}

function draw(height: number, option: Readonly<Record<string, unknown>>): string {
  const drawing = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height })
  drawing.setOption(option)
  const svg = drawing.renderToSVGString()
  drawing.dispose()
  return svg
}
