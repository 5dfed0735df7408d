/** Writes results: JSON for programs, a chart for people. */
import { mkdir, writeFile } from 'node:fs/promises'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Writes `<name>.json` and the charts, by name, as SVG into a folder; their paths from where the user stands. */
export async function writeResults(folder: URL, name: string, result: object, charts: Readonly<Record<string, string>>): Promise<string[]> {
  await mkdir(folder, { recursive: true })
  const json = new URL(`${name}.json`, folder)
  await writeFile(json, `${JSON.stringify(result, undefined, 2)}\n`)
  const written = [json]
  for (const [chart, svg] of Object.entries(charts)) {
    const url = new URL(`${chart}.svg`, folder)
    await writeFile(url, svg)
    written.push(url)
  }
  return written.map(readablePath)
}

/** A file's path from the current folder, or the whole one if that is shorter. */
export function readablePath(url: URL): string {
  const path = fileURLToPath(url)
  const near = relative(process.cwd(), path)
  return near.length < path.length ? near : path
}
