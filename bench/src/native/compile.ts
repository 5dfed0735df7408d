/** Compiles the programs of `bench/native` where there is a compiler for them, once for each state of their sources. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

// The same from bench/dist and from bench/dist-test.
const SOURCES = fileURLToPath(new URL('../native/', import.meta.url))
const PROGRAMS = fileURLToPath(new URL('../out/native/', import.meta.url))

const NO_C = 'no C compiler was found. Debian, Ubuntu: apt-get install gcc libc6-dev; Fedora: dnf install gcc; or set CC to one'
const NO_GO = 'go was not found. Debian, Ubuntu: apt-get install golang-go; Fedora: dnf install golang; macOS: brew install go'
const NO_EPOLL = 'it needs epoll, which only Linux has'
const SHOWN_LINES = 3

/** A program that can be started, or why there is none, in one line with what to do about it. */
export type Compiled = { readonly path: string } | { readonly why: string }

/** What the compiling depends on. Tests replace it. */
export interface Surroundings {
  readonly platform: NodeJS.Platform
  readonly env: NodeJS.ProcessEnv
  /** The folder of the compiled programs. */
  readonly programs: string
}

const HERE: Surroundings = { platform: process.platform, env: process.env, programs: PROGRAMS }

/** Compiles `bench/native/<folder>/<name>.c`; the headers it uses stand in the same folder. */
export async function compileC(folder: string, name: string, here: Surroundings = HERE): Promise<Compiled> {
  if (here.platform !== 'linux') return { why: NO_EPOLL }
  const flags = ['-O2', '-std=gnu11', '-Wall', '-Wextra']
  const compile = async (output: string): Promise<string | undefined> => {
    const given = here.env.CC?.trim()
    for (const words of (given ? [given] : ['cc', 'gcc']).map((command) => command.split(/\s+/))) {
      // 'ccache gcc' is a compiler too
      const [compiler = '', ...first] = words
      const failed = await run(compiler, [...first, ...flags, '-o', output, `${folder}/${name}.c`], here.env)
      if (failed !== 'not found') return failed
    }
    return NO_C
  }
  return await upToDate(here, folder, name, (file) => file === `${name}.c` || file.endsWith('.h'), compile)
}

/** Compiles the Go program in `bench/native/<folder>`. It uses the standard library alone: nothing is fetched. */
export async function compileGo(folder: string, here: Surroundings = HERE): Promise<Compiled> {
  const compile = async (output: string): Promise<string | undefined> => {
    const cache = await mkdtemp(join(tmpdir(), 'cenote-go-'))
    const own = {
      GOCACHE: cache,
      GOPATH: cache,
      GOPROXY: 'off',
      GOFLAGS: '-mod=mod',
      GOTOOLCHAIN: 'local',
      GOWORK: 'off',
      CGO_ENABLED: '0',
    }
    try {
      const failed = await run('go', ['build', '-trimpath', '-buildvcs=false', '-o', output, `./${folder}`], { ...here.env, ...own })
      return failed === 'not found' ? NO_GO : failed
    } finally {
      await rm(cache, { recursive: true, force: true })
    }
  }
  return await upToDate(here, folder, folder, (file) => file.endsWith('.go'), compile)
}

/** The program made from these very sources; `compile` makes it if it is not there, or says why it cannot. */
async function upToDate(
  { programs }: Surroundings,
  folder: string,
  name: string,
  belongs: (file: string) => boolean,
  compile: (output: string) => Promise<string | undefined>,
): Promise<Compiled> {
  const hash = createHash('sha256').update(process.arch)
  for (const file of (await readdir(join(SOURCES, folder))).filter(belongs).sort()) hash.update(await readFile(join(SOURCES, folder, file)))
  const path = join(programs, `${name}-${hash.digest('hex').slice(0, 12)}`)
  if (existsSync(path)) return { path }
  await mkdir(programs, { recursive: true })
  const unfinished = `${path}.${process.pid}` // moved in one step: two who compile at once do not see each other's half
  const why = await compile(unfinished)
  if (why !== undefined) return { why }
  await rename(unfinished, path)
  return { path }
}

/** Runs a compiler in the folder of the sources; undefined if it succeeds. */
async function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<string | undefined> {
  try {
    await promisify(execFile)(program, args, { cwd: SOURCES, env })
    return undefined
  } catch (thrown) {
    const error = thrown as NodeJS.ErrnoException & { readonly stderr?: string } // what execFile rejects with
    if (error.code === 'ENOENT') return 'not found'
    const said = (error.stderr ?? '').trim().split('\n').slice(0, SHOWN_LINES).join(' | ')
    return `${program} could not compile it: ${said || error.message}`
  }
}
