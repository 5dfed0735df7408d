/** `npm run bench`: comparisons and other measurements, by name. */
import type { Cleanup } from './process/cleanup.ts'
import { runCommand, UsageError } from './process/command.ts'

const HELP = `Usage: npm run bench -- <command> [options]

  load <address>        puts load on a server of yours, and says how fast it answers
  compare [scenario …]  Cenote beside its peers
  cancel                100,000 callers who wait give up at once
  report                what was measured, on one page

npm run bench -- compare --help lists the scenarios and tells the options, load --help its own. The main job is npm start.
`

const CONTENDER = new URL('./contender.js', import.meta.url)
const LOAD = { metronome: new URL('./metronome.js', import.meta.url), shardThread: new URL('./shard-thread.js', import.meta.url) }
const OUT = new URL('../out/', import.meta.url)
const RECORD = new URL('../RESULTS.md', import.meta.url)

/** What a command does with what stands behind its name; its exit code. */
type Command = (args: readonly string[], cleanup: Cleanup) => Promise<number>

/** Each is loaded when it is asked for: the libraries of one are no burden to another. */
const COMMANDS: Readonly<Record<string, Command>> = {
  load: async (args, cleanup) => (await import('./load/command.ts')).load(args, LOAD, OUT, cleanup),
  compare: async (args, cleanup) => (await import('./compare/command.ts')).compare(args, CONTENDER, OUT, cleanup),
  report: async (args) => (await import('./summary/command.ts')).report(args, { out: OUT, record: RECORD }),
  cancel: async (args, cleanup) => (await import('./cancel.ts')).cancel(args, OUT, cleanup),
}

await runCommand('npm run bench', async (cleanup) => {
  const [name, ...args] = process.argv.slice(2)
  if (name === undefined || name === '--help' || name === '-h') {
    process.stdout.write(HELP)
    return name === undefined ? 2 : 0
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined) throw new UsageError(`unknown command ${JSON.stringify(name)}. See npm run bench -- --help`)
  return await command(args, cleanup)
})
