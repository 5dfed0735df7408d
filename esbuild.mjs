/**
 * The build. `node esbuild.mjs` bundles packages, tests and benchmarks and emits declarations; with `--check` it also
 * lints, type-checks the tests and inspects both packages as npm would pack them.
 *
 * No output is ever named worker.js: a piscina that someone bundles into CommonJS would start it as its own.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = dirname(fileURLToPath(import.meta.url))

const common = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  sourcemap: true,
  sourcesContent: false,
  logLevel: 'warning',
  absWorkingDir: root,
  write: false,
}

const packages = [
  { name: 'pool-worker', base: 'packages/pool-worker/src', out: 'packages/pool-worker/dist', entries: ['index.ts', 'entry.ts'] },
  {
    name: 'pool-core',
    base: 'packages/pool-core/src',
    out: 'packages/pool-core/dist',
    entries: ['index.ts', 'opentelemetry.ts', 'shard.ts', 'testing.ts'],
  },
  {
    name: 'bench',
    base: 'bench/src',
    out: 'bench/dist',
    entries: list('bench/src', (path) => path.endsWith('.ts') && !path.includes(sep)),
  },
]

/** Where tests live, and what of them is an entry of its own: test files, and fixtures, which tests load into threads by URL. */
const testRoots = ['packages/pool-worker/test', 'packages/pool-core/test', 'bench/test']

/** The files below a folder, relative to it, that fit. */
function list(folder, fits) {
  const absolute = join(root, folder)
  if (!existsSync(absolute)) return []
  return readdirSync(absolute, { recursive: true, encoding: 'utf8' }).filter(fits).sort()
}

/**
 * The test files whose path contains one of `filters`; all of them without filters.
 * @returns The source's path and the bundle's, from the root.
 */
export function findTests(filters = []) {
  return testRoots.flatMap((folder) =>
    list(folder, (path) => path.endsWith('.test.ts'))
      .map((path) => ({ source: join(folder, path), bundle: join(`${folder.slice(0, -5)}/dist-test`, path.replace(/\.ts$/, '.js')) }))
      .filter(({ source }) => filters.length === 0 || filters.some((filter) => source.includes(filter))),
  )
}

/**
 * Bundles the packages and the benchmarks.
 * @returns The names of those that did not build; the errors are printed.
 */
export async function buildPackages() {
  const failed = await Promise.all(
    packages.map(async ({ name, base, out, entries }) => {
      const entryPoints = entries.map((entry) => join(base, entry)).filter((entry) => existsSync(join(root, entry)))
      if (entryPoints.length === 0) return []
      return bundle(name, { entryPoints, outdir: out, outbase: base, splitting: true, chunkNames: 'chunk-[hash]' })
    }),
  )
  return failed.flat()
}

/**
 * Bundles test files, each by itself so that `import.meta.url` is where the source is, and all fixtures.
 * @returns The sources of those that did not build; the errors are printed.
 */
export async function buildTests(tests = findTests()) {
  const sources = [...tests.map((test) => test.source), ...findFixtures()]
  const failed = await Promise.all(
    testRoots.map((folder) => {
      const entryPoints = sources.filter((source) => source.startsWith(folder + sep))
      const options = { outdir: `${folder.slice(0, -5)}/dist-test`, outbase: folder }
      return entryPoints.length === 0 ? [] : bundleEach(entryPoints, options)
    }),
  )
  return failed.flat()
}

function findFixtures() {
  return testRoots.flatMap((folder) =>
    list(folder, (path) => /(^|\/)fixtures\/.*\.ts$/.test(path.split(sep).join('/'))).map((path) => join(folder, path)),
  )
}

/** All at once; one by one only to find out which of them fail. */
async function bundleEach(entryPoints, options) {
  const failed = await bundle('tests', { ...options, entryPoints, logLevel: entryPoints.length === 1 ? 'warning' : 'silent' })
  if (failed.length === 0) return []
  if (entryPoints.length === 1) return entryPoints
  const each = await Promise.all(entryPoints.map((entry) => bundleEach([entry], options)))
  return each.flat()
}

async function bundle(name, options) {
  try {
    const { outputFiles } = await build({ ...common, ...options })
    for (const { path, contents } of outputFiles) writeChanged(path, contents)
    if (options.splitting) prune(options, new Set(outputFiles.map(({ path }) => path)))
    return []
  } catch (error) {
    if (!Array.isArray(error.errors)) throw error
    return [name]
  }
}

/** Replaces a file in one step, and only if it differs: a test run that is going on never sees half of it. */
function writeChanged(path, contents) {
  if (existsSync(path) && readFileSync(path).equals(contents)) return
  mkdirSync(dirname(path), { recursive: true })
  const temporary = `${path}.${process.pid}`
  writeFileSync(temporary, contents)
  renameSync(temporary, path)
}

/** Removes what an earlier build left: chunks of another hash, declarations of a source that is gone. */
function prune({ outdir, outbase }, written) {
  for (const path of list(outdir, (name) => /\.(js|js\.map|d\.ts|d\.ts\.map)$/.test(name))) {
    const source = join(root, outbase, path.replace(/\.d\.ts(\.map)?$/, '.ts'))
    if (!written.has(join(root, outdir, path)) && !(source.endsWith('.ts') && existsSync(source))) rmSync(join(root, outdir, path))
  }
}

/** Runs a tool of node_modules; what it prints is shown. */
function run(tool, args, cwd = root) {
  const { status } = spawnSync(join(root, 'node_modules', '.bin', tool), args, {
    cwd,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  if (status !== 0) console.error(`${tool} ${args.join(' ')} (in ${relative(root, cwd) || '.'}): failed`)
  return status === 0
}

/** The projects that `tsc -b` builds, in the order of their references. */
function projects(withTests) {
  const all = ['packages/pool-worker', 'packages/pool-core']
  if (withTests) all.push('bench', ...testRoots, 'examples')
  return all.filter((project) => existsSync(join(root, project, 'tsconfig.json')))
}

function check() {
  const results = [run('biome', ['ci', '--colors=off']), run('tsc', ['-b', ...projects(true)]), run('knip', [])]
  for (const name of ['pool-worker', 'pool-core']) {
    const folder = join(root, 'packages', name)
    results.push(run('publint', ['--strict'], folder), run('attw', ['--profile', 'esm-only', '--pack', '.'], folder))
  }
  return results.every(Boolean)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const checking = process.argv.includes('--check')
  const failed = [...(await buildPackages()), ...(await buildTests())]
  if (failed.length > 0) console.error(`did not build: ${failed.join(', ')}`)
  const good = checking ? check() : run('tsc', ['-b', ...projects(false)])
  if (!good || failed.length > 0) process.exitCode = 1
}
