/** Writes results: JSON for programs, a chart for people. */
import { mkdir, writeFile } from 'node:fs/promises'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Writes `<name>.json` and `<name>.svg` into a folder; their paths from where the user stands. */
export async function writeResults(folder: URL, name: string, result: object, svg: string): Promise<string[]> {
  await mkdir(folder, { recursive: true })
  const [json, chart] = [new URL(`${name}.json`, folder), new URL(`${name}.svg`, folder)]
  await writeFile(json, `${JSON.stringify(result, undefined, 2)}\n`)
  await writeFile(chart, svg)
  return [json, chart].map(readablePath)
}

/** A file's path from the current folder, or the whole one if that is shorter. */
export function readablePath(url: URL): string {
  const path = fileURLToPath(url)
  const near = relative(process.cwd(), path)
  return near.length < path.length ? near : path
}
