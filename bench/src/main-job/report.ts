/** The main job's results for people. */
import { readable } from '../measure/numbers.ts'
import { chart } from '../report/chart.ts'
import { table } from '../report/table.ts'
import { DATA_NOTICE } from './documents.ts'
import type { Check, WayFigures } from './verdict.ts'
import type { WayName } from './ways.ts'

/** The ways as people read them. */
export const NAMES: Readonly<Record<WayName, string>> = {
  cenote: '(a) Cenote, handlers in 2 shards',
  piscina: '(b) client on the main thread, 2 piscina workers',
  main: '(c) all on the main thread',
}
const HEADING = ['', 'jobs/s', 'main-thread CPU/job', 'delay p50', 'p99', 'max', 'peak RSS']
const MIB = 2 ** 20

/** The table: one line for each way. */
export function figuresTable(figures: readonly WayFigures[]): string {
  const rows = figures.map((each) => [
    NAMES[each.way],
    readable(each.jobsPerSecond),
    `${readable(each.mainCpuMsPerJob)} ms`,
    `${readable(each.delayP50Ms)} ms`,
    `${readable(each.delayP99Ms)} ms`,
    `${readable(each.delayMaxMs)} ms`,
    `${Math.round(each.peakRssBytes / MIB)} MiB`,
  ])
  return table(HEADING, rows)
}

/** Three sentences for someone who has never measured an event loop. */
export function sentences([cenote, piscina, main]: readonly WayFigures[]): string[] {
  if (cenote === undefined || piscina === undefined || main === undefined) return []
  const times = (value: number) => `${readable(value)} times`
  return [
    `Worst pause of your main thread: ${readable(main.delayMaxMs)} ms with everything on it, ${readable(piscina.delayMaxMs)} ms with piscina workers, ${readable(cenote.delayMaxMs)} ms with Cenote.`,
    `Work done in the same time: with Cenote ${times(cenote.jobsPerSecond / main.jobsPerSecond)} that of the main thread alone, ${times(cenote.jobsPerSecond / piscina.jobsPerSecond)} that of piscina workers.`,
    `What each job takes from your main thread: ${readable(main.mainCpuMsPerJob)} ms of CPU with everything on it, ${readable(piscina.mainCpuMsPerJob)} ms with piscina workers, ${readable(cenote.mainCpuMsPerJob)} ms with Cenote.`,
  ]
}

/** The promised ratios, one line each. */
export function checkLines(checks: readonly Check[]): string[] {
  return checks.map(({ name, ratio, bound, kept }) => `${kept ? 'kept  ' : 'missed'}  ${name}: ${ratio.toFixed(2)} (${bound})`)
}

/** The chart of the same figures. */
export function figuresChart(figures: readonly WayFigures[]): string {
  return chart(
    'One job per country: fetch, parse, nearest neighbours',
    DATA_NOTICE,
    ['Cenote', 'piscina', 'main thread'],
    [
      { title: 'Throughput', unit: 'jobs/s, more is better', values: figures.map(({ jobsPerSecond }) => jobsPerSecond), print: readable },
      { title: 'Event-loop delay p99', unit: 'ms, less is better', values: figures.map(({ delayP99Ms }) => delayP99Ms), print: readable },
      {
        title: 'Main-thread CPU per job',
        unit: 'ms, less is better',
        values: figures.map(({ mainCpuMsPerJob }) => mainCpuMsPerJob),
        print: readable,
      },
    ],
  )
}
