/** Runs of the load generator: in this process, and as the command in one of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { guard } from '../../../packages/pool-worker/test/kit/children.ts'
import { openWork, tryOut } from '../../src/load/open.ts'
import { readOrder } from '../../src/load/options.ts'
import type { LoadResult } from '../../src/load/result.ts'
import { type Measured, run } from '../../src/load/run.ts'
import { ShardThreads } from '../../src/measure/shard-threads.ts'

const DIST = new URL('../dist/', import.meta.url) // from the bundle of a test
const MAIN = fileURLToPath(new URL('main.js', DIST))

/** Runs the load against an address, and leaves nothing open. The server is left as it was. */
export async function loadOnce(...args: readonly string[]): Promise<Measured> {
  const order = readOrder(args, () => 0.5)
  if (order === undefined) throw new Error('taken for --help')
  const { address, options } = order
  const threads = new ShardThreads()
  const work = await openWork(address, options, new URL('shard-thread.js', DIST))
  try {
    await tryOut(work, address, options)
    const signal = new AbortController().signal
    return await run(work, options, { metronome: new URL('metronome.js', DIST), threads, signal, onRow: () => undefined })
  } finally {
    await work.remove()
    await work.pool.close()
    threads.close()
  }
}

/** What a command has said. */
export interface Said {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Starts `npm run bench -- load …`; `said` resolves when it has ended. */
export function startLoad(...args: readonly string[]): { readonly child: ChildProcess; readonly said: Promise<Said> } {
  const child = spawn(process.execPath, [MAIN, 'load', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  guard(child)
  const [stdout, stderr]: string[][] = [[], []]
  child.stdout.setEncoding('utf8').on('data', (text: string) => stdout?.push(text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => stderr?.push(text))
  const said = new Promise<Said>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exitCode) => resolve({ exitCode, stdout: stdout?.join('') ?? '', stderr: stderr?.join('') ?? '' }))
  })
  return { child, said }
}

/** Runs the command to its end. */
export const loadCommand = (...args: readonly string[]): Promise<Said> => startLoad(...args).said

/** What `--json` has printed. */
export const resultIn = ({ stdout }: Said): LoadResult => JSON.parse(stdout) as LoadResult // the tests look at its fields
