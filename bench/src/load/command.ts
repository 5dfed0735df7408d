/** `load`: from arguments to a report. */
import { ShardThreads } from '../measure/shard-threads.ts'
import type { Cleanup } from '../process/cleanup.ts'
import { describeEnvironment } from '../report/environment.ts'
import { bold, Progress } from '../report/terminal.ts'
import { writeFiles } from './files.ts'
import { HELP } from './help.ts'
import { openWork, tryOut } from './open.ts'
import { type LoadOptions, type LoadOrder, readOrder } from './options.ts'
import { distribution, headline, latencyTable, liveLine, overTime, sentences } from './report.ts'
import { type LoadResult, resultOf } from './result.ts'
import { type Measured, run } from './run.ts'
import type { Work } from './work.ts'

const CLOSE_MS = 2_000

/** Files of the threads. */
export interface LoadEntries {
  readonly metronome: URL
  /** What each shard loads first. */
  readonly shardThread: URL
}

/** Runs the command; its exit code. `out` is the folder for results. */
export async function load(args: readonly string[], entries: LoadEntries, out: URL, cleanup: Cleanup): Promise<number> {
  const order = readOrder(args, Math.random)
  if (order === undefined) {
    process.stdout.write(HELP)
    return 0
  }
  const { address, options } = order
  const progress = new Progress(order.json ? process.stderr : process.stdout)
  if (options.insecure) process.stderr.write('warning: --insecure trusts any certificate, that of a stranger in the middle too\n')
  const threads = new ShardThreads()
  cleanup.add(async () => threads.close())
  progress.update(`connecting to ${address.text}`)
  const work = await openWork(address, options, entries.shardThread)
  cleanup.add(() => work.pool.close({ timeoutMs: CLOSE_MS }))
  cleanup.add(work.remove)
  progress.update('preparing')
  await tryOut(work, address, options)
  if (cleanup.interrupted) return 0 // its exit code is that of the signal
  const measured = await runOrStop(work, options, entries, threads, cleanup, progress)
  const versions = ['@cenote/pool-core', '@cenote/pool-worker', 'piscina', 'echarts']
  const result = resultOf(order, work.about, measured, await describeEnvironment(versions))
  progress.clear()
  if (order.json) process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`)
  else await report(result, measured, order, out, progress)
  return order.assert && result.failed + result.unfinished > 0 ? 1 : 0
}

/** Ctrl-C ends the run, and what was measured is still told. */
async function runOrStop(
  work: Work,
  options: LoadOptions,
  { metronome }: LoadEntries,
  threads: ShardThreads,
  cleanup: Cleanup,
  progress: Progress,
): Promise<Measured> {
  const stop = new AbortController()
  cleanup.endEarly(() => stop.abort())
  return await run(work, options, {
    metronome,
    threads,
    signal: stop.signal,
    onRow: (row) => progress.update(liveLine(row, options.durationMs)),
  })
}

async function report(result: LoadResult, measured: Measured, order: LoadOrder, out: URL, progress: Progress): Promise<void> {
  const [heading = '', ...rows] = latencyTable(result).split('\n')
  const parts = [
    headline(result),
    [bold(heading), ...rows].join('\n'),
    sentences(result, measured.messages).join('\n'),
    distribution(result, measured.shareWithin).join('\n'),
    overTime(result).join('\n'),
  ]
  progress.print(`${parts.filter(Boolean).join('\n\n')}\n`)
  progress.print(`Results: ${(await writeFiles(result, order.out, out)).join(', ')}`)
}
