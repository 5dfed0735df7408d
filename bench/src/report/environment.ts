/** Where a result was measured: machine, versions, commit. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** Raised when a field of a result file changes its meaning. */
export const SCHEMA_VERSION = 1

/** What a result depends on besides the code. */
export interface Environment {
  readonly date: string
  readonly node: string
  readonly platform: string
  readonly cpu: string
  readonly cores: number
  readonly memoryBytes: number
  readonly packages: Readonly<Record<string, string>>
  /** The commit of the source, with `+` if files were changed since; absent without git. */
  readonly commit?: string
}

/** Describes this machine and the named packages. */
export async function describeEnvironment(packages: readonly string[]): Promise<Environment> {
  const versions: [string, string][] = []
  for (const name of packages) versions.push([name, await versionOf(name)])
  const commit = await currentCommit()
  return {
    date: new Date().toISOString(),
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    packages: Object.fromEntries(versions),
    ...(commit === undefined ? {} : { commit }),
  }
}

async function versionOf(name: string): Promise<string> {
  let folder = dirname(fileURLToPath(import.meta.resolve(name)))
  while (folder !== dirname(folder)) {
    try {
      const found = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { name?: string; version?: string } // npm's format
      if (found.name === name) return found.version ?? 'unknown'
    } catch {} // no package.json in this folder: look above it
    folder = dirname(folder)
  }
  return 'unknown'
}

async function currentCommit(): Promise<string | undefined> {
  try {
    const git = async (...args: string[]) =>
      (await promisify(execFile)('git', args, { cwd: fileURLToPath(new URL('.', import.meta.url)) })).stdout.trim()
    const changed = await git('status', '--porcelain', '--untracked-files=no')
    return (await git('rev-parse', '--short=12', 'HEAD')) + (changed === '' ? '' : '+')
  } catch {
    return undefined // no git, or not a working copy
  }
}
