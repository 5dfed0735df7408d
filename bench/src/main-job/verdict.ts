/** What the runs say: medians, equality of the answers, the promised ratios. */
import { median } from '../measure/numbers.ts'
import { type RunReport, WAYS } from './run.ts'
import type { WayName } from './ways.ts'

/** One way's figures, medians over the runs. */
export interface WayFigures {
  readonly way: WayName
  readonly jobsPerSecond: number
  readonly mainCpuMsPerJob: number
  readonly delayP50Ms: number
  readonly delayP99Ms: number
  readonly delayMaxMs: number
  readonly peakRssBytes: number
}

/** A ratio and the bound that it should keep. */
export interface Check {
  readonly name: string
  readonly ratio: number
  readonly bound: string
  readonly kept: boolean
}

/** Medians of each way over the runs, in the order of `WAYS`. */
export function figuresOf(runs: readonly RunReport[]): WayFigures[] {
  return WAYS.map((way, index) => {
    const reports = runs.map((run) => run[index]).filter((report) => report !== undefined)
    const middle = (read: (report: RunReport[number]) => number) => median(reports.map(read))
    return {
      way,
      jobsPerSecond: middle(({ jobs, elapsedMs }) => (jobs / elapsedMs) * 1_000),
      mainCpuMsPerJob: middle(({ jobs, mainCpuMs }) => mainCpuMs / jobs),
      delayP50Ms: middle(({ loopDelay }) => loopDelay.p50Ms),
      delayP99Ms: middle(({ loopDelay }) => loopDelay.p99Ms),
      delayMaxMs: middle(({ loopDelay }) => loopDelay.maxMs),
      peakRssBytes: middle((report) => report.peakRssBytes),
    }
  })
}

/** The bounds that Cenote keeps against the other two ways. */
export function checksOf([cenote, piscina, main]: readonly WayFigures[]): Check[] {
  if (cenote === undefined || piscina === undefined || main === undefined) return []
  const least = (name: string, ratio: number, bound: number): Check => ({ name, ratio, bound: `at least ${bound}`, kept: ratio >= bound })
  const most = (name: string, ratio: number, bound: number): Check => ({ name, ratio, bound: `at most ${bound}`, kept: ratio <= bound })
  return [
    least('jobs/s: cenote / all on the main thread', cenote.jobsPerSecond / main.jobsPerSecond, 1.5),
    least('jobs/s: cenote / piscina', cenote.jobsPerSecond / piscina.jobsPerSecond, 1),
    most('event-loop delay p99: cenote / all on the main thread', cenote.delayP99Ms / main.delayP99Ms, 0.25),
    most('main-thread CPU per job: cenote / piscina', cenote.mainCpuMsPerJob / piscina.mainCpuMsPerJob, 1),
  ]
}

/** The first key for which two ways, in any run, gave different answers; undefined if all are equal. */
export function firstDifference(runs: readonly RunReport[], keys: readonly string[]): string | undefined {
  const all = runs.flatMap((run) => run.map(({ answers }) => answers))
  return keys.find((_, index) => new Set(all.map((answers) => JSON.stringify(answers[index]))).size !== 1)
}
