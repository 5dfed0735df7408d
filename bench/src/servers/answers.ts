/** The server of prepared answers: in a process of its own, in C where it can be compiled. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compileC } from '../native/compile.ts'
import { startProgram } from '../native/program.ts'
import { type Child, startChild } from '../process/child.ts'
import type { Cleanup } from '../process/cleanup.ts'
import type { EchoServer } from './echo.ts'
import { LENGTH_BYTES } from './prepared-answers.ts'

const NODE_ENTRY = new URL('../dist/answer-server.js', import.meta.url) // the same from bench/dist and from bench/dist-test

/**
 * Starts a server that answers the request for number `n` with `answers[n]`: see `documentRequest`. It ends with `cleanup`, and with this
 * process.
 */
export async function startAnswerServer(
  cleanup: Cleanup,
  answers: readonly Buffer[],
  { prefer = 'c' }: { readonly prefer?: 'c' | 'node' } = {},
): Promise<EchoServer> {
  const folder = await mkdtemp(join(tmpdir(), 'cenote-bench-'))
  cleanup.add(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'answers')
  await writeFile(file, Buffer.concat(answers.flatMap((answer) => [lengthOf(answer), answer])))
  const compiled = prefer === 'c' ? await compileC('epoll', 'answer-server') : undefined
  if (compiled !== undefined && 'path' in compiled) {
    const name = 'C epoll server of prepared answers'
    const program = startProgram(compiled.path, [file], name)
    cleanup.add(program.stop)
    return { port: Number(await program.line()), pid: program.pid, name }
  }
  const name = 'Node server of prepared answers'
  const child: Child<{ readonly ask: 'listen'; readonly file: string }, number> = startChild(NODE_ENTRY, name)
  cleanup.add(child.stop)
  const port = await child.ask({ ask: 'listen', file })
  return { port, pid: child.pid, name, ...(compiled === undefined ? {} : { why: compiled.why }) }
}

function lengthOf(answer: Buffer): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeUInt32BE(answer.length)
  return length
}
