/** One run of the main job: the three ways side by side, a process each, their rounds taken in turn. */
import { type Child, startChild } from '../process/child.ts'
import type { Cleanup } from '../process/cleanup.ts'
import type { Progress } from '../report/terminal.ts'
import type { Target } from './target.ts'
import type { WayName } from './ways.ts'
import type { WayReport, WayRequest } from './worker.ts'

/** (a), (b) and (c), in this order everywhere. */
export const WAYS: readonly WayName[] = ['cenote', 'piscina', 'main']

/** The ways' reports, in the order of `WAYS`. */
export type RunReport = readonly WayReport[]

/** What a run needs to know. */
export interface RunOptions {
  readonly entry: URL
  readonly target: Target
  readonly keys: readonly string[]
  readonly rounds: number
  readonly inFlight: number
  /** Stands before each line of progress. */
  readonly title: string
}

type WayChild = Child<WayRequest, WayReport | undefined>

/** Does a warm-up round and the measured rounds in each way, the order turned round after each. */
export async function runOnce(options: RunOptions, progress: Progress, cleanup: Cleanup): Promise<RunReport> {
  const children: WayChild[] = []
  try {
    for (const way of WAYS) {
      const child: WayChild = startChild(options.entry, way)
      children.push(child)
      cleanup.add(child.stop)
      await child.ask({ ask: 'open', way, target: options.target, keys: options.keys, inFlight: options.inFlight })
    }
    for (let round = 0; round <= options.rounds; round++) await takeTurns(children, round, options, progress)
    const reports: WayReport[] = []
    for (const child of children) {
      const report = await child.ask({ ask: 'report' })
      if (report === undefined) throw new Error('a way did not report')
      reports.push(report)
    }
    return reports
  } finally {
    for (const child of children) await child.stop()
  }
}

async function takeTurns(children: readonly WayChild[], round: number, options: RunOptions, progress: Progress): Promise<void> {
  const name = round === 0 ? 'warm-up' : `round ${round}/${options.rounds}`
  const order = round % 2 === 0 ? [...children.keys()] : [...children.keys()].reverse()
  for (const index of order) {
    const line = `${options.title}${name}: ${WAYS[index]}`
    progress.update(line)
    await children[index]?.ask({ ask: 'round', measured: round > 0 }, (done) =>
      progress.update(`${line}, ${done} of ${options.keys.length} countries`),
    )
  }
  progress.step(`${options.title}${name} done`)
}
