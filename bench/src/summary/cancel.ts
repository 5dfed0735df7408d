/** The result of `cancel` as the report shows it. */
import { readable, spread } from '../measure/numbers.ts'
import { counted, partOf, type Section } from './model.ts'
import type { ResultFile } from './read.ts'

/** The part of `cancel.json` that is shown. */
interface CancelFile extends ResultFile {
  readonly rounds: number
  readonly callers: number
  /** Milliseconds of each round, by the way to give up. */
  readonly figures: Readonly<Record<string, readonly number[]>>
  readonly checks: readonly { readonly name: string; readonly ms: number; readonly most: number; readonly kept: boolean }[]
}

/** One section with one part: a row for each way to give up. */
export function cancelSection(id: string, result: ResultFile): Section {
  const { environment, rounds, callers, figures, checks } = result as CancelFile // of this kind and schema version
  const many = callers.toLocaleString('en-US')
  const part = partOf({
    title: `${many} callers wait for one connection, and all give up at once`,
    columns: [{ title: 'until each was told', unit: 'ms', better: 'less' }],
    rows: Object.entries(figures).map(([name, times]) => ({ name, cells: [spread(times)] })),
    aims: checks.map(({ name, ms, most, kept }) => ({ text: name, value: `${readable(ms)} ms`, reach: `< ${most} ms`, reached: kept })),
  })
  return {
    id,
    title: 'cancel',
    about: `${many} callers who wait give up at once`,
    environment,
    settings: `medians of ${counted(rounds, 'round')}`,
    parts: [part],
  }
}
