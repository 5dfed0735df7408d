/** What a comparison gives people and programs: tables, JSON, a chart for each stage. */
import { readable } from '../measure/numbers.ts'
import { chart } from '../report/chart.ts'
import { describeEnvironment, SCHEMA_VERSION } from '../report/environment.ts'
import { writeResults } from '../report/output.ts'
import { table } from '../report/table.ts'
import { bold, type Progress } from '../report/terminal.ts'
import type { RunOptions, StageResult } from './run.ts'
import type { Scenario } from './scenario.ts'
import { limitNames, nameOf, type RatioResult } from './verdict.ts'

const OWN_PACKAGES = ['@cenote/pool-core', '@cenote/pool-worker']

/** Prints a stage: each entrant's medians, then what is to be reached. */
export function printStage(result: StageResult, { rounds, roundMs }: RunOptions, progress: Progress): void {
  progress.print(`\n${bold(result.title)}\n${result.server}; medians of ${rounds} rounds of ${roundMs} ms\n`)
  progress.print(entrantTable(result))
  for (const { name, why } of result.missing) progress.print(`missing: ${name}: ${why}`)
  if (result.ratios.length > 0) progress.print(`\n${ratioTable(result)}`)
  progress.print('')
}

/** One line for each entrant; of the first measure least and greatest too. */
export function entrantTable({ entrants, measures }: StageResult): string {
  const heading = measures.flatMap(({ title, unit }, index) => {
    const name = title.includes(unit) ? title : `${title}, ${unit}`
    return index === 0 ? [name, 'min', 'max'] : [name]
  })
  const rows = entrants.map(({ name, spreads }) => [
    name,
    ...measures.flatMap(({ key }, index) => {
      const { median, min, max } = spreads[key] ?? { median: Number.NaN, min: Number.NaN, max: Number.NaN }
      return (index === 0 ? [median, min, max] : [median]).map(readable)
    }),
  ])
  return table(['', ...heading], rows)
}

/** One line for each aim. */
export function ratioTable({ ratios, measures, entrants }: Pick<StageResult, 'ratios' | 'measures' | 'entrants'>): string {
  const rows = ratios.map((ratio) => {
    const text = `${nameOf(ratio.of, entrants)}: ${ratio.text}`
    if (ratio.unmeasured !== undefined) return [text, '-', '', '', boundOf(ratio, ratio.reach), boundOf(ratio, ratio.goal), '']
    const unit = ratio.by === 'difference' || ratio.over === undefined ? measures.find(({ key }) => key === ratio.measure)?.unit : undefined
    const values = [ratio.median, ratio.min, ratio.max].map((value) => readable(value ?? Number.NaN))
    if (unit !== undefined) values[0] += ` ${unit}`
    const limit = ratio.limitMedian === undefined ? '' : `${readable(ratio.limitMedian)}${unit === undefined ? '' : ` ${unit}`}`
    return [text, ...values, boundOf(ratio, ratio.reach, ratio.reached), boundOf(ratio, ratio.goal, ratio.goalReached), limit]
  })
  const unmeasured = ratios.flatMap(({ text, unmeasured }) => (unmeasured === undefined ? [] : [`not measured: ${text}: ${unmeasured}`]))
  const limits = limitNames(ratios, entrants).map((name) => `limit: ${name}`)
  return [table(['', 'median', 'min', 'max', 'to reach', 'goal', 'limit'], rows), ...limits, ...unmeasured].join('\n')
}

function boundOf({ bound }: RatioResult, value: number | undefined, kept?: boolean): string {
  if (value === undefined) return ''
  return `${bound === 'least' ? '≥' : '≤'} ${value}${kept === undefined ? '' : kept ? ' reached' : ' missed'}`
}

/** Writes `compare-<scenario>.json` and a chart for each stage. */
export async function writeScenario(
  scenario: Scenario,
  stages: readonly StageResult[],
  { rounds, roundMs }: RunOptions,
  out: URL,
  progress: Progress,
): Promise<void> {
  const name = `compare-${scenario.name}`
  const environment = await describeEnvironment([...OWN_PACKAGES, ...scenario.packages])
  const result = {
    schemaVersion: SCHEMA_VERSION,
    kind: 'compare',
    scenario: scenario.name,
    about: scenario.about,
    environment,
    options: { rounds, roundMs },
    stages,
  }
  const subtitle = `Node ${process.versions.node}, medians of ${rounds} rounds`
  const charts = stages.map((stage) => [stages.length === 1 ? name : `${name}-${stage.name}`, draw(stage, subtitle)])
  const paths = await writeResults(out, name, result, Object.fromEntries(charts))
  progress.print(`Results: ${paths.join(', ')}\n`)
}

function draw({ title, server, entrants, measures }: StageResult, subtitle: string): string {
  return chart(
    title,
    `${server}, ${subtitle}`,
    entrants.map(({ name }) => name),
    measures.map(({ key, title, unit, better }) => ({
      title,
      unit: `${unit}, ${better} is better`,
      values: entrants.map(({ spreads }) => spreads[key]?.median ?? Number.NaN),
      print: readable,
    })),
  )
}
