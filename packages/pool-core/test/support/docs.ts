/** The code in the docs: found in Markdown and in docstrings, written to a folder, compiled as a user would, and run. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, stop } from 'esbuild'
import { guard } from '../../../pool-worker/test/kit/children.ts'

/** The repository's root, seen from this file and from the bundle of a test. */
export const root: string = (() => {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!readdirSync(folder).includes('package-lock.json')) folder = dirname(folder)
  return folder
})()

/** A piece of code in the docs. */
export interface Block {
  /** Where it stands, from the root: `README.md`. */
  readonly file: string
  /** Of its first line of code. */
  readonly line: number
  readonly code: string
  /** Its file below the folder of `writeBlocks`, without an ending. Others import one that begins with `// name.ts` by that name. */
  readonly path: string
  /** Whether it has a name. Such a block is a module for others, not a program. */
  readonly named: boolean
}

const FENCE = /^```ts\n(.*?)^```$/gms
const DOCSTRING = /^ *\/\*\*.*?\*\//gms
const EXAMPLE = /@example\n(.*?)(?=^ *\* @|^ *\*\/)/gms

/** A file's text, given from the root. */
export function read(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

/** The files of a folder and those below it whose names end so, from the root; none if the folder is absent. */
export function filesBelow(folder: string, ending: string): string[] {
  try {
    const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    return names
      .filter((name) => name.endsWith(ending))
      .map((name) => join(folder, name))
      .sort()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

/** The sources of both packages. */
export function sources(): string[] {
  return packages().flatMap((folder) => filesBelow(join(folder, 'src'), '.ts'))
}

/** The folders of both packages. */
export function packages(): string[] {
  return readdirSync(join(root, 'packages')).map((name) => join('packages', name))
}

/** The project's Markdown files, from the root. */
export function markdownFiles(): string[] {
  const top = readdirSync(root).filter((name) => name.endsWith('.md'))
  return [...top, ...packages().map((folder) => join(folder, 'README.md')), ...filesBelow('docs', '.md')]
}

/** The `ts` blocks of a Markdown file. */
export function blocksOf(file: string): Block[] {
  const text = read(file)
  return [...text.matchAll(FENCE)].map((found) => block(file, lineOf(text, found.index + '```ts\n'.length), found[1] ?? ''))
}

/** The examples in a source's docstrings. */
export function examplesOf(file: string): Block[] {
  const text = read(file)
  return [...text.matchAll(DOCSTRING)].flatMap((docstring) =>
    [...docstring[0].matchAll(EXAMPLE)].map((found) => {
      const code = (found[1] ?? '').replace(/^ *\* ?/gm, '')
      return block(file, lineOf(text, docstring.index + found.index) + 1, code)
    }),
  )
}

function block(file: string, line: number, code: string): Block {
  const name = /^\/\/ ([\w-]+)\.ts\n/.exec(code)?.[1]
  return { file, line, code, path: join(file.replaceAll(/[/.]/g, '-'), name ?? `line-${line}`), named: name !== undefined }
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}

/** A new folder, out of git and where the packages are found; it is gone when this process ends. */
export function newFolder(name: string): string {
  const parent = join(root, 'packages/pool-core/dist-test')
  mkdirSync(parent, { recursive: true })
  const folder = mkdtempSync(join(parent, `${name}-`))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Writes blocks into a new folder. */
export function writeBlocks(blocks: readonly Block[]): string {
  const folder = newFolder('docs')
  for (const { path, code, file } of blocks) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, `${path}.ts`), code, { flag: 'wx' }) // two of one name in a file would hide one another
    if (code.trim() === '') throw new Error(`an empty block in ${file}`)
  }
  return folder
}

/**
 * Compiles what `writeBlocks` wrote, under the strict settings of the packages and against their sources: the test needs no declarations.
 * @returns The compiler's complaints, each with the place in the docs.
 */
export function compile(folder: string, blocks: readonly Block[]): string[] {
  const options = {
    ...{ composite: false, incremental: false, declaration: false, declarationMap: false, emitDeclarationOnly: false, noEmit: true },
    ...{ isolatedDeclarations: false, rewriteRelativeImportExtensions: false, allowImportingTsExtensions: true },
    ...{ noUnusedLocals: false, noUnusedParameters: false },
    paths: {
      '@cenote/pool-core': [join(root, 'packages/pool-core/src/index.ts')],
      '@cenote/pool-core/*': [join(root, 'packages/pool-core/src/*.ts')],
      '@cenote/pool-worker': [join(root, 'packages/pool-worker/src/index.ts')],
    },
  }
  const config = { extends: join(root, 'tsconfig.base.json'), compilerOptions: options, include: ['.'] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  const args = [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder, '--pretty', 'false']
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
  const output = `${stdout}${stderr}`.trim()
  if (status === 0) return []
  return output.split('\n').map((text) => {
    const [, path, line, message] = /^(.*)\.ts\((\d+),\d+\): (.*)$/.exec(text) ?? []
    const found = blocks.find((each) => each.path === path)
    return found === undefined ? text : `${found.file}:${found.line + Number(line) - 1}: ${message}`
  })
}

/** Turns what `writeBlocks` wrote into JavaScript next to it, with the ports of the docs replaced. */
export async function transpile(folder: string, blocks: readonly Block[], ports: ReadonlyMap<number, number>): Promise<void> {
  const entryPoints = blocks.map(({ path }) => join(folder, `${path}.ts`))
  const common = { format: 'esm', platform: 'node', target: 'node20', logLevel: 'silent' } as const
  const { outputFiles } = await build({ ...common, entryPoints, outdir: folder, outbase: folder, write: false })
  await stop() // its service would stay, and hold two pipes
  for (const { path, text } of outputFiles) {
    writeFileSync(
      path,
      text.replaceAll(/(?<=(?:127\.0\.0\.1|localhost):)\d+/g, (port) => String(ports.get(Number(port)) ?? port)),
    )
  }
}

/** What became of a program. */
export interface Run {
  readonly code: number | null
  /** Lines that it printed. */
  readonly printed: string[]
  readonly errors: string
}

/** Runs a program in a process of its own until that ends by itself. */
export async function run(args: readonly string[]): Promise<Run> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  guard(child)
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, printed: output.split('\n').slice(0, -1), errors }
}

/** What a block says that it prints: `console.log(…) // this; and why`. A call that does not say is an empty text. */
export function promised({ code }: Block): string[] {
  return code
    .split('\n')
    .filter((line) => line.includes('console.log('))
    .map((line) => /\) \/\/ ([^;]+)/.exec(line)?.[1] ?? '')
}
