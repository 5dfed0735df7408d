/** Servers that say who they are: what comes to which of several endpoints. */
import { createServer, type Socket } from 'node:net'
import type { EndpointList } from '@cenote/pool-core'
import { listen } from './peers.ts'

export interface NamedServer {
  readonly name: string
  readonly endpoint: string
  readonly port: number
  /** Lines that came, those without an answer among them. */
  readonly lines: readonly string[]
  /** Open at the moment, oldest first. */
  readonly sockets: ReadonlySet<Socket>
  /** How many it has taken in all. */
  readonly accepted: number
  /** Whether lines are answered. Those that came meanwhile never are. */
  mute: boolean
  /** Milliseconds before each answer. Default 0: at once. */
  delayMs: number
  /** Resets its sockets and stops listening. */
  stop(): Promise<void>
  /** Listens again, at the same port. */
  start(): Promise<void>
  close(): Promise<void>
}

/** Starts a server of lines on the loopback: it answers each with its name, and ends a connection that says 'bye'. */
export async function startNamed(name: string): Promise<NamedServer> {
  const sockets = new Set<Socket>()
  const lines: string[] = []
  let accepted = 0
  const take = (socket: Socket, line: string): void => {
    lines.push(line)
    if (line === 'bye') reset(socket)
    else if (named.mute) return
    else if (named.delayMs === 0) socket.write(`${name}\n`)
    else setTimeout(() => socket.write(`${name}\n`), named.delayMs)
  }
  const server = createServer((socket) => {
    accepted++
    sockets.add(socket)
    socket.on('error', () => undefined) // a peer may go as it likes
    socket.once('close', () => sockets.delete(socket))
    let rest = ''
    socket.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n')
      rest = parts.pop() ?? ''
      for (const line of parts) take(socket, line)
    })
  })
  const port = await listen(server)
  const named: NamedServer = {
    name,
    endpoint: `tcp://127.0.0.1:${port}`,
    port,
    lines,
    sockets,
    get accepted() {
      return accepted
    },
    mute: false,
    delayMs: 0,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) reset(socket)
      }),
    start: () => new Promise((resolve) => void server.listen(port, '127.0.0.1', resolve)),
    async close() {
      if (server.listening) await named.stop()
    },
  }
  return named
}

/** Node loses the handle of a socket that is reset while it ends. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}

/** Lists that a test gives one after the other. */
export interface Lists extends AsyncIterable<EndpointList> {
  /** Gives the next. */
  push(list: EndpointList): void
  /** The next one fails. */
  fail(error: Error): void
  /** There are no more. */
  end(): void
  /** How often somebody has begun to ask, and has ended. */
  readonly begun: number
  readonly returned: number
}

/** Whoever asks gets those that nobody has had yet, and waits for more. */
export function lists(): Lists {
  const ready: (() => IteratorResult<EndpointList, undefined>)[] = []
  let waiting: (() => void) | undefined
  let begun = 0
  let returned = 0
  const add = (answer: () => IteratorResult<EndpointList, undefined>): void => {
    ready.push(answer)
    waiting?.()
  }
  const iterator: AsyncIterator<EndpointList, undefined> = {
    async next() {
      while (ready.length === 0) await new Promise<void>((resolve) => (waiting = resolve))
      return (ready.shift() as () => IteratorResult<EndpointList, undefined>)() // there is one
    },
    async return() {
      returned++
      add(() => ({ done: true, value: undefined }))
      return { done: true, value: undefined }
    },
  }
  return {
    push: (list) => add(() => ({ done: false, value: list })),
    fail: (error) =>
      add(() => {
        throw error
      }),
    end: () => add(() => ({ done: true, value: undefined })),
    get begun() {
      return begun
    },
    get returned() {
      return returned
    },
    [Symbol.asyncIterator]() {
      begun++
      return iterator
    },
  }
}
