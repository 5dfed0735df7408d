/** `compare`: Cenote beside its peers. */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { nearest } from '../../../packages/pool-core/src/nearest.ts'
import type { Cleanup } from '../process/cleanup.ts'
import { parsed, UsageError, wholeNumber } from '../process/command.ts'
import { Progress } from '../report/terminal.ts'
import { printStage, writeScenario } from './report.ts'
import { type RunOptions, runScenario, type StageResult } from './run.ts'
import type { Scenario } from './scenario.ts'
import { SCENARIOS } from './scenarios/index.ts'

const COMMAND = 'npm run bench -- compare'

const HELP = `Usage: ${COMMAND} [scenario …] [options]

Cenote beside its peers: each contender in a process of its own, a warm-up round, then rounds that are
interleaved, their order turned round after each. Printed are medians, and ratios pair by pair with what
is to be reached. Without a scenario all of them run, one after the other.

${SCENARIOS.map(({ name, about }) => `  ${name.padEnd(13)}${about}`).join('\n')}

  --rounds <n>      rounds of each contender (default 5)
  --round-ms <n>    length of a round in milliseconds (default 1000)
  --out <folder>    where the results go (default bench/out)
  --assert          exit with 1 unless every ratio that was measured is reached
  --help            this text

A peer that is missing here is named, with how to get it; so are ratios that need it, which fail nothing.
Exit codes: 0 done, 1 a ratio missed (with --assert), 2 cannot run, 130 interrupted.
`

/** What the arguments ask for. */
export interface CompareOptions extends RunOptions {
  readonly scenarios: readonly Scenario[]
  /** Whether they were asked for by name. */
  readonly named: boolean
  readonly assert: boolean
  /** Undefined: the default folder. */
  readonly out: string | undefined
}

/** Runs the comparisons; the exit code. `entry` is the entry of the contenders' processes, `out` the folder for the results. */
export async function compare(args: readonly string[], entry: URL, out: URL, cleanup: Cleanup): Promise<number> {
  const options = readOptions(args)
  if (options === undefined) {
    process.stdout.write(HELP)
    return 0
  }
  const folder = options.out === undefined ? out : pathToFileURL(`${resolve(options.out)}/`)
  return await runAll(options, { entry, out: folder }, new Progress(), cleanup)
}

/** Where the contenders' entry is, and where the results go. */
export interface Places {
  readonly entry: URL
  readonly out: URL
}

/** Runs the scenarios that were chosen, one after the other, and tells the results of each; the exit code. */
export async function runAll(options: CompareOptions, { entry, out }: Places, progress: Progress, cleanup: Cleanup): Promise<number> {
  let missed = 0
  for (const scenario of options.scenarios) {
    const results = await resultsOf(scenario, options, entry, progress, cleanup)
    if (results === undefined) continue
    for (const result of results) printStage(result, options, progress)
    await writeScenario(scenario, results, options, out, progress)
    missed += results.flatMap(({ ratios }) => ratios).filter(({ reached }) => reached === false).length
  }
  if (!options.assert || missed === 0) return 0
  progress.print(`${missed} ${missed === 1 ? 'ratio' : 'ratios'} missed`)
  return 1
}

/** One scenario that cannot run here ends the command if it was asked for; among all it is named, and the others run. */
async function resultsOf(
  scenario: Scenario,
  options: CompareOptions,
  entry: URL,
  progress: Progress,
  cleanup: Cleanup,
): Promise<StageResult[] | undefined> {
  try {
    return await runScenario(scenario, options, entry, progress, cleanup)
  } catch (error) {
    if (options.named || !(error instanceof UsageError)) throw error
    progress.print(`${scenario.name}: not measured: ${error.message}\n`)
    return undefined
  }
}

/** Reads the arguments. Undefined: help is asked for. */
export function readOptions(args: readonly string[]): CompareOptions | undefined {
  const { values, positionals } = parsed(COMMAND, () =>
    parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        rounds: { type: 'string', default: '5' },
        'round-ms': { type: 'string', default: '1000' },
        out: { type: 'string' },
        assert: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }),
  )
  if (values.help) return undefined
  return {
    scenarios: positionals.length === 0 ? SCENARIOS : [...new Set(positionals)].map(scenarioOf),
    named: positionals.length > 0,
    rounds: wholeNumber('rounds', values.rounds),
    roundMs: wholeNumber('round-ms', values['round-ms']),
    assert: values.assert,
    out: values.out,
  }
}

function scenarioOf(name: string): Scenario {
  const found = SCENARIOS.find((scenario) => scenario.name === name)
  if (found !== undefined) return found
  const names = SCENARIOS.map((scenario) => scenario.name)
  const near = nearest(name, names)
  const hint = near === undefined ? '' : ` Did you mean ${near}?`
  throw new UsageError(`no scenario ${JSON.stringify(name)}.${hint} There are: ${names.join(', ')}. See ${COMMAND} --help`)
}
