/** The result of the main job as the report shows it. */
import { NAMES } from '../main-job/report.ts'
import type { RunReport } from '../main-job/run.ts'
import { type Check, figuresOf, type WayFigures } from '../main-job/verdict.ts'
import { readable, spread } from '../measure/numbers.ts'
import { type Column, counted, partOf, type Section } from './model.ts'
import type { ResultFile } from './read.ts'

const MIB = 2 ** 20

/** The part of `main-job.json` that is shown. */
interface MainJobFile extends ResultFile {
  readonly data: string
  readonly server: string
  readonly rounds: number
  readonly inFlight: number
  readonly equal: boolean
  readonly figures: readonly WayFigures[]
  readonly checks: readonly Check[]
  readonly runs: readonly RunReport[]
}

const COLUMNS: readonly (Column & { readonly read: (figures: WayFigures) => number })[] = [
  { title: 'jobs/s', unit: 'jobs/s', better: 'more', read: ({ jobsPerSecond }) => jobsPerSecond },
  { title: 'main-thread CPU/job', unit: 'ms', better: 'less', read: ({ mainCpuMsPerJob }) => mainCpuMsPerJob },
  { title: 'loop delay p50', unit: 'ms', better: 'less', read: ({ delayP50Ms }) => delayP50Ms },
  { title: 'loop delay p99', unit: 'ms', better: 'less', read: ({ delayP99Ms }) => delayP99Ms },
  { title: 'loop delay max', unit: 'ms', better: 'less', read: ({ delayMaxMs }) => delayMaxMs },
  { title: 'peak RSS', unit: 'MiB', better: 'less', read: ({ peakRssBytes }) => peakRssBytes / MIB },
]

/** One section with one part: a row for each way. */
export function mainJobSection(id: string, result: ResultFile): Section {
  const file = result as MainJobFile // of this kind and schema version
  const runs = file.runs.map((run) => figuresOf([run]))
  const part = partOf({
    title: 'For each of 246 countries: fetch, parse, nearest neighbours',
    columns: COLUMNS,
    rows: file.figures.map(({ way }, index) => ({
      name: NAMES[way],
      cells: COLUMNS.map(({ read }) => spread(runs.flatMap((run) => run.slice(index, index + 1).map(read)))),
    })),
    aims: file.checks.map(({ name, ratio, bound, kept }) => ({
      text: name,
      value: `${readable(ratio)} ×`,
      reach: bound.replace('at least', '≥').replace('at most', '≤'),
      reached: kept,
    })),
    notes: [
      file.equal ? 'All answers of all ways are equal.' : 'The answers of the ways differ: these figures compare nothing.',
      `Server: ${file.server === 'own' ? 'a small one in JavaScript, in a process of its own' : 'one that was given by its address'}.`,
      file.data,
    ],
  })
  return {
    id,
    title: 'main job',
    about: 'a CPU-bound request pipeline over real data, in three ways',
    environment: file.environment,
    settings: `${file.runs.length === 1 ? 'one run' : `medians of ${file.runs.length} runs`} of ${counted(file.rounds, 'round')}, ${file.inFlight} jobs in flight`,
    parts: [part],
  }
}
