/**
 * The first step of `npm test`, `npm start` and `npm run bench`: node_modules as the lockfile says, with Node and npm
 * alone. `install.mjs start …` and `install.mjs bench …` then build and run the benchmarks' programs; without a word it
 * installs and no more.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** The repository's root. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '../../../..')

const lockfile = join(root, 'package-lock.json')
const stamp = join(root, 'node_modules/.cenote-lock')

/** Runs `npm ci` unless node_modules is what the lockfile says. */
export function install() {
  const hash = createHash('sha256').update(readFileSync(lockfile)).digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return
  if (!upToDate()) {
    console.log('installing the dependencies (npm ci)')
    const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error']
    const { status } = spawnSync('npm', args, { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' })
    if (status !== 0) {
      console.error('npm ci failed')
      process.exit(1)
    }
  }
  writeFileSync(stamp, hash)
}

/** Whether npm's own record of what it installed has every version that the lockfile asks for. */
function upToDate() {
  const record = join(root, 'node_modules/.package-lock.json')
  if (!existsSync(record)) return false
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages
  const wanted = JSON.parse(readFileSync(lockfile, 'utf8')).packages
  return Object.entries(wanted).every(([path, { version, optional, link }]) => {
    if (!path.startsWith('node_modules/') || link) return true
    return installed[path] === undefined ? optional === true : installed[path].version === version
  })
}

/** Builds, then runs a program of the benchmarks with the rest of the arguments. */
async function main([command, ...args]) {
  install()
  if (command === undefined) return
  const { buildPackages } = await import(pathToFileURL(join(root, 'esbuild.mjs')).href)
  const failed = await buildPackages()
  if (failed.length > 0) {
    console.error(`did not build: ${failed.join(', ')}`)
    process.exit(1)
  }
  const program = join(root, 'bench/dist', command === 'start' ? 'start.js' : 'main.js')
  const child = spawn(process.execPath, ['--enable-source-maps', program, ...args], { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1)
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2))
