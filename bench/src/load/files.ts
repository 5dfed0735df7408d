/** Where the result goes: JSON, and two charts beside it. */
import { basename, dirname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { UsageError } from '../process/command.ts'
import { writeResults } from '../report/output.ts'
import type { LoadResult } from './result.ts'

/**
 * Writes the files; their paths as people read them. The charts' library is loaded only now: while the load ran it would have been in the way.
 *
 * @param file - Where the JSON is to go; default: `load-<time>.json` in `folder`.
 * @throws UsageError when that cannot be written.
 */
export async function writeFiles(result: LoadResult, file: string | undefined, folder: URL): Promise<string[]> {
  const { latencyChart, timelineChart } = await import('./charts.ts')
  const into = file === undefined ? folder : pathToFileURL(`${dirname(resolve(file))}/`)
  const name =
    file === undefined ? `load-${result.environment.date.slice(0, 19).replaceAll(':', '-')}` : basename(file).replace(/\.json$/, '')
  const charts = { [`${name}.latency`]: latencyChart(result), [`${name}.timeline`]: timelineChart(result) }
  try {
    return await writeResults(into, name, result, charts)
  } catch (error) {
    throw new UsageError(`the result cannot be written: ${error instanceof Error ? error.message : String(error)}`)
  }
}
