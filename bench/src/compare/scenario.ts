/** What a comparison is made of. `run.ts` runs them, `scenarios/` holds them, one file each. */
import type { Cleanup } from '../process/cleanup.ts'

/** One comparison: `npm run bench -- compare <name>`. */
export interface Scenario {
  readonly name: string
  /** One line for `--help`. */
  readonly about: string
  /** What is measured one after the other: most have one stage, `echo` one for 16 and one for 64 connections. */
  readonly stages: readonly StageMaker[]
  /** Packages besides Cenote's whose versions the result depends on. */
  readonly packages: readonly string[]
}

export interface StageMaker {
  /** Within the scenario: 'main' if it is the only one. */
  readonly name: string
  /**
   * Starts servers and contenders. What must be stopped is added to `context.cleanup` as soon as it runs.
   *
   * @throws UsageError when the stage cannot be measured here at all: without the server, say.
   */
  open(context: Context): Promise<Stage>
}

/** What a stage has at hand. */
export interface Context {
  /** Run when the stage is done, whatever ended it: the last step first. */
  readonly cleanup: Cleanup
  /** Entry of the processes that run contenders: see `startContender`. */
  readonly entry: URL
  /** How long a round of each entrant takes, in milliseconds. */
  readonly roundMs: number
}

/** Everything is up: rounds can be measured. */
export interface Stage {
  /** 'Echo of 64 bytes, 16 connections, 2 callers each' */
  readonly title: string
  /** Which server all of them talk to: 'redis-server 7.0.15'. */
  readonly server: string
  /** Who takes part, Cenote first. */
  readonly entrants: readonly Entrant[]
  /** Who could not take part: named, never left out in silence. */
  readonly missing: readonly Missing[]
  /** The columns of the table; the first is what the scenario is about. */
  readonly measures: readonly Measure[]
  readonly ratios: readonly RatioAim[]
  /** How many times as long as a round each warms up. Default 1. */
  readonly warmUp?: number
}

/** One that takes part, whatever it is written in. */
export interface Entrant {
  /** Within the stage: what `RatioAim` says. */
  readonly id: string
  readonly name: string
  /**
   * Works for so many milliseconds.
   *
   * @throws Error when a reply was wrong, or was counted that was none: the comparison ends.
   */
  round(roundMs: number): Promise<Figures>
  /** Ends its work in good order, after the last round. Whatever it has started is stopped in any case, by the stage's clean-up. */
  close?(): Promise<void>
}

/** One round's figures. Those that are no `Measure` of the stage stand in the JSON only. */
export type Figures = Readonly<Record<string, number>>

export interface Missing {
  readonly id: string
  readonly name: string
  /** In one line, with what to do about it. */
  readonly why: string
}

/** A figure that is shown. An entrant need not have it: a process that is no Node has no main thread. */
export interface Measure {
  readonly key: string
  readonly title: string
  readonly unit: string
  readonly better: 'more' | 'less'
}

/**
 * What is to be reached: entrant `of` beside entrant `over` in each round, pair by pair, and of these the median. Or, without
 * `over`, the figure itself.
 */
export interface RatioAim {
  /** 'Requests: times those of ioredis, auto-pipelining' */
  readonly text: string
  /** Key of the figure. */
  readonly measure: string
  readonly of: string
  readonly over?: string
  /** 'ratio' by default; 'difference' is in the figure's unit. */
  readonly by?: 'ratio' | 'difference'
  readonly bound: 'least' | 'most'
  /** What `--assert` demands. Absent: nothing, there is a goal only. */
  readonly reach?: number
  /** What is aimed at beyond it. */
  readonly goal?: number
  /** An entrant that does less than `of` must: what comes of it in the same rounds stands beside, as the limit. */
  readonly limit?: string
}
