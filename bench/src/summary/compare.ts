/** Results of `compare` as the report shows them. */
import type { StageResult } from '../compare/run.ts'
import { limitNames, nameOf, type RatioResult } from '../compare/verdict.ts'
import { readable } from '../measure/numbers.ts'
import { type Aim, counted, type Part, partOf, rangeOf, type Section } from './model.ts'
import type { ResultFile } from './read.ts'

/** The part of `compare-<scenario>.json` that is shown. */
interface CompareFile extends ResultFile {
  readonly scenario: string
  readonly about: string
  readonly options: { readonly rounds: number; readonly roundMs: number }
  readonly stages: readonly StageResult[]
}

/** One section with a part for each stage. */
export function compareSection(id: string, file: ResultFile): Section {
  const { scenario, about, environment, options, stages } = file as CompareFile // of this kind and schema version
  const settings = `medians of ${counted(options.rounds, 'round')} of ${options.roundMs} ms each, ratios pair by pair`
  return {
    id,
    title: scenario,
    about,
    environment,
    settings,
    parts: stages.map((stage) => ({ ...(stages.length === 1 ? {} : { name: stage.name }), ...stagePart(stage) })),
  }
}

function stagePart({ title, server, measures, entrants, missing, ratios }: StageResult): Part {
  return partOf({
    title,
    columns: measures,
    rows: entrants.map(({ name, spreads }) => ({ name, cells: measures.map(({ key }) => spreads[key]) })),
    aims: ratios.map((ratio) => aimOf(ratio, entrants, measures)),
    missing,
    notes: [`Server: ${server}.`, ...limitNames(ratios, entrants).map((name) => `Limit: what comes of ${name}.`)],
  })
}

function aimOf(ratio: RatioResult, entrants: StageResult['entrants'], measures: StageResult['measures']): Aim {
  const bounds = {
    text: `${nameOf(ratio.of, entrants)}: ${ratio.text}`,
    ...(ratio.reach === undefined ? {} : { reach: boundOf(ratio, ratio.reach) }),
    ...(ratio.goal === undefined ? {} : { goal: boundOf(ratio, ratio.goal) }),
  }
  const { median, min, max, reached, goalReached, limitMedian, beyondLimit, unmeasured } = ratio
  if (median === undefined || min === undefined || max === undefined) return { ...bounds, unmeasured: unmeasured ?? 'no figures' }
  const isRatio = ratio.over !== undefined && ratio.by !== 'difference'
  const unit = isRatio ? '×' : (measures.find(({ key }) => key === ratio.measure)?.unit ?? '')
  return {
    ...bounds,
    value: `${readable(median)} ${unit}`.trim(),
    range: rangeOf({ median, min, max }),
    ...(reached === undefined ? {} : { reached }),
    ...(goalReached === undefined ? {} : { goalReached }),
    ...(limitMedian === undefined ? {} : { limit: `${readable(limitMedian)}${isRatio ? '' : ` ${unit}`}`.trim() }),
    ...(beyondLimit === true ? { beyond: true } : {}),
  }
}

function boundOf({ bound }: RatioResult, value: number): string {
  return `${bound === 'least' ? '≥' : '≤'} ${value}`
}
