/** A process of the bench: forked, asked one thing at a time, ended by its pid. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const GRACE_MS = 2_000

/** What a child sends: how far it is, what it answers, or why it failed. */
export type FromChild = { readonly progress: number } | { readonly reply: unknown } | { readonly failure: string }

/** The parent's end of one process. `Request` and `Reply` map a question's `ask` to its shape and to its answer's. */
export interface Child<Request, Reply> {
  readonly pid: number
  /** Asks and waits. Rejects when the child says that it failed, or ends. */
  ask(request: Request, onProgress?: (done: number) => void): Promise<Reply>
  /** Ends the process; resolves when it has. */
  stop(): Promise<void>
}

/** Starts an entry of the bench as a process of its own. */
export function startChild<Request extends object, Reply>(
  entry: URL,
  name: string,
  execArgv: readonly string[] = [],
): Child<Request, Reply> {
  const child = fork(fileURLToPath(entry), {
    execArgv: [...execArgv],
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  if (child.pid === undefined) throw new Error(`${name}: the process did not start`)
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(`${name}: its process ended (${signal ?? `exit code ${code}`})`))
    child.once('error', (error) => resolve(`${name}: ${error.message}`))
  })
  return {
    pid: child.pid,
    ask: (request, onProgress) => ask<Reply>(child, request, ended, onProgress),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      const hard = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
      await ended
      clearTimeout(hard)
    },
  }
}

async function ask<Reply>(
  child: ChildProcess,
  request: object,
  ended: Promise<string>,
  onProgress?: (done: number) => void,
): Promise<Reply> {
  let listener: ((message: unknown) => void) | undefined
  const answer = new Promise<Reply>((resolve, reject) => {
    listener = (raw) => {
      const message = raw as FromChild // only `serveParent` writes to this channel
      if ('progress' in message) onProgress?.(message.progress)
      else if ('failure' in message) reject(new Error(message.failure))
      else resolve(message.reply as Reply) // the child's functions are typed with the same Reply
    }
    child.on('message', listener)
    child.send(request, (error) => error && reject(error))
  })
  try {
    return await Promise.race([
      answer,
      ended.then((why): never => {
        throw new Error(why)
      }),
    ])
  } finally {
    if (listener) child.off('message', listener)
  }
}

/** The child's end: answers each request in turn. Ctrl-C is the parent's business; when the parent is gone, so is this process. */
export function serveParent<Request, Reply>(answer: (request: Request, progress: (done: number) => void) => Promise<Reply>): void {
  process.on('SIGINT', () => undefined)
  process.on('disconnect', () => process.exit())
  const tell = (message: FromChild) => void process.send?.(message)
  process.on('message', (raw) => {
    const request = raw as Request // only `startChild` writes to this channel
    answer(request, (progress) => tell({ progress })).then(
      (reply) => tell({ reply }),
      (error: unknown) => tell({ failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    )
  })
}
