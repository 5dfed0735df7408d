/** `npm run bench`: comparisons, by name. */
import { compareRedis } from './compare/redis.ts'
import { compareStream } from './compare/stream.ts'
import type { Cleanup } from './process/cleanup.ts'
import { runCommand, UsageError } from './process/command.ts'

const HELP = `Usage: npm run bench -- <command> [options]

  compare redis   pipelined small GETs: Cenote, ioredis and @redis/client
  compare stream  64 KiB writes and reads: lease.stream() and a bare socket

npm run bench -- compare redis --help tells its options. The main job is npm start.
`

const CONTENDER = new URL('./contender.js', import.meta.url)
const STREAM = { contender: new URL('./stream.js', import.meta.url), peer: new URL('./stream-peer.js', import.meta.url) }
const OUT = new URL('../out/', import.meta.url)

/** Commands of two words. Each gets what stands behind its name and gives the exit code. */
const COMMANDS: ReadonlyMap<string, (args: readonly string[], cleanup: Cleanup) => Promise<number>> = new Map([
  ['compare redis', (args: readonly string[], cleanup: Cleanup) => compareRedis(args, CONTENDER, OUT, cleanup)],
  ['compare stream', (args: readonly string[], cleanup: Cleanup) => compareStream(args, STREAM, OUT, cleanup)],
])

await runCommand('npm run bench', async (cleanup) => {
  const [first, second, ...rest] = process.argv.slice(2)
  if (first === undefined || first === '--help' || first === '-h') {
    process.stdout.write(HELP)
    return first === undefined ? 2 : 0
  }
  const command = COMMANDS.get(`${first} ${second ?? ''}`)
  if (command === undefined)
    throw new UsageError(`unknown command ${JSON.stringify([first, second].filter(Boolean).join(' '))}. See npm run bench -- --help`)
  return await command(rest, cleanup)
})
