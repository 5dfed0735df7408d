/** What the report shows: a section for each result file, whatever kind of measurement it holds. */
import { readable, type Spread } from '../measure/numbers.ts'
import type { Environment } from '../report/environment.ts'

/** One result file. */
export interface Section {
  /** The file's name without its ending: what links point to. */
  readonly id: string
  readonly title: string
  /** One line, what it is about. */
  readonly about: string
  readonly environment: Environment
  /** 'medians of 5 rounds of 1000 ms' */
  readonly settings: string
  /** What was measured one after the other; most files have one. */
  readonly parts: readonly Part[]
}

/** One table of figures, with what is to be reached. */
export interface Part {
  /** Short, what tells it from the other parts of its section; absent if there are none. */
  readonly name?: string
  readonly title: string
  readonly columns: readonly Column[]
  readonly rows: readonly Row[]
  readonly aims: readonly Aim[]
  /** Who could not take part, and why. */
  readonly missing: readonly Missing[]
  /** What else must be known to read the figures. */
  readonly notes: readonly string[]
  /** Drawings besides the bars of the figures. */
  readonly drawings: readonly Drawing[]
}

export interface Column {
  readonly title: string
  readonly unit: string
  readonly better: 'more' | 'less'
}

export interface Row {
  readonly name: string
  /** One for each column; undefined: it has no such figure. */
  readonly cells: readonly (Spread | undefined)[]
}

/** What is to be reached and what came of it, in words. */
export interface Aim {
  readonly text: string
  /** '3.42 ×'; undefined: not measured. */
  readonly value?: string
  /** '3.10 – 3.80'; absent when it was measured once. */
  readonly range?: string
  /** '≥ 3'; absent: there is a goal only. */
  readonly reach?: string
  readonly reached?: boolean
  readonly goal?: string
  readonly goalReached?: boolean
  /** '1.02': what comes of an entrant that does less than Cenote must. */
  readonly limit?: string
  /** It was missed, and the limit misses it too. */
  readonly beyond?: boolean
  /** Why there is no value. */
  readonly unmeasured?: string
}

export interface Missing {
  readonly name: string
  readonly why: string
}

export interface Drawing {
  readonly title: string
  /** A whole SVG file. */
  readonly svg: string
}

/** A part of figures alone; what it has besides is added. */
export function partOf(figures: Pick<Part, 'title' | 'columns' | 'rows'> & Partial<Part>): Part {
  return { aims: [], missing: [], notes: [], drawings: [], ...figures }
}

/** 'loop delay p99, ms'; a title that says the unit stands alone. */
export function headingOf({ title, unit }: Column): string {
  return title.includes(unit) ? title : `${title}, ${unit}`
}

/** '1 round', '5 rounds'. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** '3.10 – 3.80', or nothing if all were the same. */
export function rangeOf({ min, max }: Spread): string {
  const [low, high] = [readable(min), readable(max)]
  return low === high ? '' : `${low} – ${high}`
}

/** How an aim ended. A goal without anything to reach is neither kept nor missed: only its own column says. */
export function verdictOf({ value, reached, reach }: Aim): 'reached' | 'missed' | 'not measured' | 'goal only' {
  if (value === undefined) return 'not measured'
  if (reach === undefined || reached === undefined) return 'goal only'
  return reached ? 'reached' : 'missed'
}

/** All aims, each with where it stands: 'echo, 64'. */
export function allAims(sections: readonly Section[]): { readonly section: Section; readonly place: string; readonly aim: Aim }[] {
  return sections.flatMap((section) =>
    section.parts.flatMap(({ name, aims }) => {
      const place = name === undefined ? section.title : `${section.title}, ${name}`
      return aims.map((aim) => ({ section, place, aim }))
    }),
  )
}

/** '≥ 4, not reached'; '–' without a goal. */
export function goalOf({ goal, goalReached }: Aim): string {
  if (goal === undefined) return '–'
  return goal + (goalReached === undefined ? '' : goalReached ? ', reached' : ', not reached')
}

/** Whether a row is Cenote's own, which charts make stand out. */
export function isOwn({ name }: Pick<Row, 'name'>): boolean {
  return name.includes('Cenote')
}
