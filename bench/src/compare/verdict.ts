/** What the rounds say: medians, ratios pair by pair, what is reached. Pure. */
import { type Spread, spread } from '../measure/numbers.ts'
import type { Figures, Missing, RatioAim, Stage } from './scenario.ts'

/** The rounds of each entrant, in the order of `Stage.entrants`. */
export type Rounds = readonly (readonly Figures[])[]

/** One entrant's figures over all rounds. */
export interface EntrantResult {
  readonly id: string
  readonly name: string
  /** By the key of the measure; those that the entrant does not have are left out. */
  readonly spreads: Readonly<Record<string, Spread>>
  readonly rounds: readonly Figures[]
}

/** An aim and what came of it. `unmeasured` instead of the figures: why there are none. */
export type RatioResult = RatioAim &
  Partial<Spread> & {
    readonly reached?: boolean
    readonly goalReached?: boolean
    /** The median of the entrant that is the limit. */
    readonly limitMedian?: number
    /** It was missed, and the limit misses it too; one that is worse than all that was measured is none. */
    readonly beyondLimit?: boolean
    readonly unmeasured?: string
  }

/** Medians with least and greatest of every measure that an entrant has. */
export function entrantResults({ entrants, measures }: Pick<Stage, 'entrants' | 'measures'>, rounds: Rounds): EntrantResult[] {
  return entrants.map(({ id, name }, index) => {
    const own = rounds[index] ?? []
    const spreads = measures.flatMap(({ key }): [string, Spread][] => {
      const values = own.map((figures) => figures[key]).filter((value) => value !== undefined)
      return values.length === 0 ? [] : [[key, spread(values)]]
    })
    return { id, name, spreads: Object.fromEntries(spreads), rounds: own }
  })
}

/** Each aim with its median, pair by pair, and whether that is enough. */
export function ratioResults({ ratios, missing }: Pick<Stage, 'ratios' | 'missing'>, entrants: readonly EntrantResult[]): RatioResult[] {
  return ratios.map((aim) => {
    const values = pairs(aim, entrants)
    if (values.length === 0) return { ...aim, unmeasured: whyNot(aim, missing) }
    const { median, min, max } = spread(values)
    return {
      ...aim,
      ...{ median, min, max },
      ...(aim.reach === undefined ? {} : { reached: keeps(median, aim.bound, aim.reach) }),
      ...(aim.goal === undefined ? {} : { goalReached: keeps(median, aim.bound, aim.goal) }),
      ...limitOf(aim, entrants, { median, min, max }),
    }
  })
}

function keeps(value: number, bound: RatioAim['bound'], reach: number): boolean {
  return bound === 'least' ? value >= reach : value <= reach
}

function limitOf(
  { limit, reach, bound, ...aim }: RatioAim,
  entrants: readonly EntrantResult[],
  { median, min, max }: Spread,
): Pick<RatioResult, 'limitMedian' | 'beyondLimit'> {
  if (limit === undefined) return {}
  const values = pairs({ ...aim, bound, of: limit }, entrants)
  if (values.length === 0) return {}
  const limitMedian = spread(values).median
  if (reach === undefined) return { limitMedian }
  const holds = keeps(limitMedian, bound, bound === 'least' ? min : max)
  return { limitMedian, beyondLimit: holds && !keeps(median, bound, reach) && !keeps(limitMedian, bound, reach) }
}

/** What an entrant is called. */
export function nameOf(id: string, entrants: readonly EntrantResult[]): string {
  return entrants.find((entrant) => entrant.id === id)?.name ?? id
}

/** Whose figures are the limits: mostly one. */
export function limitNames(ratios: readonly RatioResult[], entrants: readonly EntrantResult[]): string[] {
  const ids = ratios.flatMap(({ limit, limitMedian }) => (limit === undefined || limitMedian === undefined ? [] : [limit]))
  return [...new Set(ids)].map((id) => nameOf(id, entrants))
}

/** The value of each round in which both have the figure. */
function pairs({ measure, of, over, by = 'ratio' }: RatioAim, entrants: readonly EntrantResult[]): number[] {
  const figuresOf = (id: string) => entrants.find((entrant) => entrant.id === id)?.rounds.map((round) => round[measure]) ?? []
  const divisors = over === undefined ? undefined : figuresOf(over)
  return figuresOf(of).flatMap((value, round) => {
    if (value === undefined) return []
    if (divisors === undefined) return [value]
    const divisor = divisors[round]
    if (divisor === undefined) return []
    return [by === 'ratio' ? value / divisor : value - divisor]
  })
}

function whyNot({ of, over, measure }: RatioAim, missing: readonly Missing[]): string {
  const absent = missing.find(({ id }) => id === of || id === over)
  return absent === undefined ? `${measure} was not measured of both` : `${absent.name}: ${absent.why}`
}

/** Who goes when in a round: the order is turned round after each, so that nobody always comes after the same one. */
export function orderOf(round: number, count: number): number[] {
  const order = Array.from({ length: count }, (_, index) => index)
  return round % 2 === 0 ? order : order.reverse()
}
