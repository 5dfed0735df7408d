/** `report`: what was measured, on one page. */
import { mkdir, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { SCENARIOS } from '../compare/scenarios/index.ts'
import { parsed, UsageError } from '../process/command.ts'
import { readablePath } from '../report/output.ts'
import { headline } from './facts.ts'
import { htmlReport } from './html.ts'
import { markdownReport } from './markdown.ts'
import { readResults } from './read.ts'

const COMMAND = 'npm run bench -- report'

const HELP = `Usage: ${COMMAND} [options]

Puts all results of earlier measurements on one page: tables with medians, least and greatest, ratios with
what was to be reached and whether it was, who was missing, charts, machine, versions and commits.
Written are report.html, which needs no other file, and report.md.

  --from <folder>   where the results are, and where the report goes (default bench/out)
  --record          write bench/RESULTS.md as well, which is kept with the source
  --help            this text

Results come from npm run bench -- compare, load and cancel, and from npm start. One that is of another
schema version, or is none, is named and left out.
`

/** Where the command reads and writes. */
export interface Places {
  readonly out: URL
  /** The file that keeps the last run for the record. */
  readonly record: URL
}

/** Runs the command; its exit code. */
export async function report(args: readonly string[], { out, record }: Places): Promise<number> {
  const { values } = parsed(COMMAND, () =>
    parseArgs({
      args: [...args],
      options: {
        from: { type: 'string' },
        record: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }),
  )
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  const folder = values.from === undefined ? out : pathToFileURL(`${resolve(values.from)}/`)
  const order = SCENARIOS.map(({ name }) => name)
  const results = await readResults(folder, order)
  for (const { file, why } of results.leftOut) process.stdout.write(`left out: ${file}: ${why}\n`)
  if (results.sections.length === 0)
    throw new UsageError(`there is nothing to report in ${readablePath(folder)}: first run npm run bench -- compare, for example`)
  const markdown = markdownReport(results)
  await mkdir(folder, { recursive: true })
  const files: [URL, string][] = [
    [new URL('report.html', folder), htmlReport(results)],
    [new URL('report.md', folder), markdown],
    ...(values.record ? [[record, markdown] satisfies [URL, string]] : []),
  ]
  for (const [url, text] of files) await writeFile(url, text)
  process.stdout.write(`${headline(results.sections)}\nReport: ${files.map(([url]) => readablePath(url)).join(', ')}\n`)
  return 0
}
