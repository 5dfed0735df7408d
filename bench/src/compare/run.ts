/** Runs one scenario: stage after stage, its rounds interleaved. */
import { Cleanup } from '../process/cleanup.ts'
import type { Progress } from '../report/terminal.ts'
import type { Context, Figures, Scenario, Stage } from './scenario.ts'
import { type EntrantResult, entrantResults, orderOf, type RatioResult, type Rounds, ratioResults } from './verdict.ts'

export interface RunOptions {
  readonly rounds: number
  readonly roundMs: number
}

/** What was measured in one stage. */
export interface StageResult extends Pick<Stage, 'title' | 'server' | 'measures' | 'missing'> {
  readonly name: string
  readonly entrants: readonly EntrantResult[]
  readonly ratios: readonly RatioResult[]
}

/** Measures all stages of a scenario. `entry` is the entry of the contenders' processes. */
export async function runScenario(
  scenario: Scenario,
  options: RunOptions,
  entry: URL,
  progress: Progress,
  cleanup: Cleanup,
): Promise<StageResult[]> {
  const results: StageResult[] = []
  for (const { name, open } of scenario.stages) {
    const own = new Cleanup()
    cleanup.add(() => own.run())
    const label = scenario.stages.length === 1 ? scenario.name : `${scenario.name}, ${name}`
    progress.update(`${label}: starting`)
    try {
      const stage = await open({ cleanup: own, entry, roundMs: options.roundMs } satisfies Context)
      const entrants = entrantResults(stage, await measure(stage, options, label, progress))
      for (const entrant of stage.entrants) await entrant.close?.()
      const { title, server, measures, missing } = stage
      results.push({ name, title, server, measures, missing, entrants, ratios: ratioResults(stage, entrants) })
    } finally {
      await own.run()
    }
  }
  return results
}

/** The rounds of each entrant; a first one of each warms up and is not counted. */
async function measure(
  { entrants, warmUp = 1 }: Stage,
  { rounds, roundMs }: RunOptions,
  label: string,
  progress: Progress,
): Promise<Rounds> {
  const all: Figures[][] = entrants.map(() => [])
  for (let round = 0; round <= rounds; round++) {
    const name = `${label}: ${round === 0 ? 'warm-up' : `round ${round}/${rounds}`}`
    for (const index of orderOf(round, entrants.length)) {
      const entrant = entrants[index]
      if (entrant === undefined) continue
      progress.update(`${name}, ${entrant.name}`)
      const figures = await entrant.round(round === 0 ? warmUp * roundMs : roundMs)
      if (round > 0) all[index]?.push(figures)
    }
    progress.step(`${name} done`)
  }
  return all
}
