/** `npm run bench`: comparisons and other measurements, by name. */
import { cancel } from './cancel.ts'
import { compareRedis } from './compare/redis.ts'
import { compareStream } from './compare/stream.ts'
import type { Cleanup } from './process/cleanup.ts'
import { runCommand, UsageError } from './process/command.ts'

const HELP = `Usage: npm run bench -- <command> [options]

  compare redis   pipelined small GETs: Cenote, ioredis and @redis/client
  compare stream  64 KiB writes and reads: lease.stream() and a bare socket
  cancel          100,000 callers who wait give up at once

npm run bench -- compare redis --help tells its options. The main job is npm start.
`

const CONTENDER = new URL('./contender.js', import.meta.url)
const STREAM = { contender: new URL('./stream.js', import.meta.url), peer: new URL('./stream-peer.js', import.meta.url) }
const OUT = new URL('../out/', import.meta.url)

/** Commands of one word or two. Each gets what stands behind its name and gives the exit code. */
const COMMANDS: ReadonlyMap<string, (args: readonly string[], cleanup: Cleanup) => Promise<number>> = new Map([
  ['compare redis', (args: readonly string[], cleanup: Cleanup) => compareRedis(args, CONTENDER, OUT, cleanup)],
  ['cancel', (args: readonly string[], cleanup: Cleanup) => cancel(args, OUT, cleanup)],
  ['compare stream', (args: readonly string[], cleanup: Cleanup) => compareStream(args, STREAM, OUT, cleanup)],
])

await runCommand('npm run bench', async (cleanup) => {
  const args = process.argv.slice(2)
  const [first, second] = args
  if (first === undefined || first === '--help' || first === '-h') {
    process.stdout.write(HELP)
    return first === undefined ? 2 : 0
  }
  const one = COMMANDS.get(first)
  if (one !== undefined) return await one(args.slice(1), cleanup)
  const two = COMMANDS.get(`${first} ${second ?? ''}`)
  if (two === undefined)
    throw new UsageError(`unknown command ${JSON.stringify([first, second].filter(Boolean).join(' '))}. See npm run bench -- --help`)
  return await two(args.slice(2), cleanup)
})
