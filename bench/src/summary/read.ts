/** Reads the results of earlier measurements. */
import { readdir, readFile } from 'node:fs/promises'
import { type Environment, SCHEMA_VERSION } from '../report/environment.ts'
import { cancelSection } from './cancel.ts'
import { compareSection } from './compare.ts'
import { loadSection } from './load.ts'
import { mainJobSection } from './main-job.ts'
import type { Section } from './model.ts'

/** What every result file has. */
export interface ResultFile {
  readonly schemaVersion: number
  readonly kind: string
  readonly environment: Environment
}

/** A file that is not shown. */
export interface LeftOut {
  readonly file: string
  readonly why: string
}

export interface Results {
  readonly sections: readonly Section[]
  readonly leftOut: readonly LeftOut[]
}

/** Reads a text file beside a result; undefined if there is none of this name. */
export type Siblings = (name: string) => Promise<string | undefined>

type Show = (id: string, file: ResultFile, siblings: Siblings) => Section | Promise<Section>

/** By kind, in the order of the report. */
const KINDS: ReadonlyMap<string, Show> = new Map<string, Show>([
  ['main-job', mainJobSection],
  ['compare', compareSection],
  ['cancel', cancelSection],
  ['load', loadSection],
])

/**
 * Reads every `.json` file of a folder; none if there is no such folder. A file that cannot be shown is left out by name.
 *
 * @param scenarios - Names of scenarios in the order of the report; others come after them.
 */
export async function readResults(folder: URL, scenarios: readonly string[]): Promise<Results> {
  const read: { readonly section: Section; readonly kind: string }[] = []
  const leftOut: LeftOut[] = []
  const names = await namesIn(folder)
  const textOf = (name: string) => readFile(new URL(encodeURIComponent(name), folder), 'utf8')
  const siblings: Siblings = async (name) => (names.includes(name) ? await textOf(name) : undefined)
  for (const file of names.filter((name) => name.endsWith('.json')).sort()) {
    try {
      const result = parseResult(await textOf(file))
      const show = KINDS.get(result.kind)
      if (show === undefined) throw new Error(`of an unknown kind: ${JSON.stringify(result.kind)}`)
      read.push({ section: await show(file.replace(/\.json$/, ''), result, siblings), kind: result.kind })
    } catch (error) {
      leftOut.push({ file, why: error instanceof Error ? error.message : String(error) })
    }
  }
  const kinds = [...KINDS.keys()]
  const place = ({ section, kind }: (typeof read)[number]) => {
    const scenario = scenarios.indexOf(section.title)
    return kinds.indexOf(kind) * 1_000 + (scenario === -1 ? 999 : scenario)
  }
  return { sections: read.sort((a, b) => place(a) - place(b)).map(({ section }) => section), leftOut }
}

async function namesIn(folder: URL): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [] // nothing was measured yet
    throw error
  }
}

/** @throws Error when it is no result of this schema version, in words that follow the file's name. */
function parseResult(text: string): ResultFile {
  const result: unknown = JSON.parse(text)
  if (typeof result !== 'object' || result === null || !('schemaVersion' in result)) throw new Error('no result of a measurement')
  if (result.schemaVersion !== SCHEMA_VERSION)
    throw new Error(`of schema version ${JSON.stringify(result.schemaVersion)}, and this report reads ${SCHEMA_VERSION}: measure it again`)
  return result as ResultFile // what this version of the bench wrote
}
