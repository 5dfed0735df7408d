/** A program that is no Node: started, asked line by line, ended by the end of its input. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

const GRACE_MS = 2_000
const KEPT_ERRORS = 2_000

/** The parent's end of one program. */
export interface Program {
  readonly pid: number
  /** The next line that it prints. Rejects with what it said on standard error when it ends instead. */
  line(): Promise<string>
  /** Writes a line and waits for the one that answers. */
  ask(line: string): Promise<string>
  /** Ends it; resolves when it has ended. */
  stop(): Promise<void>
}

/** Starts a compiled program. `name` is what errors call it. */
export function startProgram(path: string, args: readonly string[], name: string): Program {
  const child = spawn(path, args, { stdio: 'pipe', detached: true }) // Ctrl-C is the parent's business
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-KEPT_ERRORS)
  })
  child.stdin.on('error', () => undefined) // it has ended, which whoever waits for a line is told
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`${name}: ${error.message}`))
    child.once('close', (code, signal) => resolve(`${name} ended (${signal ?? `exit code ${code}`}) ${errors}`.trim()))
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async (): Promise<string> => {
    const next = await Promise.race([lines.next(), ended])
    if (typeof next === 'object' && !next.done) return next.value
    throw new Error(await ended)
  }
  return {
    pid: child.pid ?? 0,
    line,
    ask(question) {
      child.stdin.write(`${question}\n`)
      return line()
    },
    async stop() {
      child.stdin.end()
      const hard = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
      await ended
      clearTimeout(hard)
    },
  }
}
