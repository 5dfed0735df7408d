/** The echo server that all contenders talk to: in a process of its own, in C where it can be compiled. */
import { compileC } from '../native/compile.ts'
import { startProgram } from '../native/program.ts'
import { type Child, startChild } from '../process/child.ts'
import type { Cleanup } from '../process/cleanup.ts'

const NODE_ENTRY = new URL('../dist/echo-server.js', import.meta.url) // the same from bench/dist and from bench/dist-test

/** A running echo server. */
export interface EchoServer {
  readonly port: number
  readonly pid: number
  /** Which one it is: 'C epoll echo server' or 'Node echo server'. */
  readonly name: string
  /** Why it is not the one in C; absent if it is, or if Node was asked for. */
  readonly why?: string
}

/** Starts the server and waits until it listens on the loopback device. It ends with `cleanup`, and with this process. */
export async function startEchoServer(cleanup: Cleanup, { prefer = 'c' }: { readonly prefer?: 'c' | 'node' } = {}): Promise<EchoServer> {
  const compiled = prefer === 'c' ? await compileC('epoll', 'echo-server') : undefined
  if (compiled !== undefined && 'path' in compiled) {
    const name = 'C epoll echo server'
    const program = startProgram(compiled.path, [], name)
    cleanup.add(program.stop)
    return { port: Number(await program.line()), pid: program.pid, name }
  }
  const name = 'Node echo server'
  const child: Child<{ readonly ask: 'listen' }, number> = startChild(NODE_ENTRY, name)
  cleanup.add(child.stop)
  const port = await child.ask({ ask: 'listen' })
  return { port, pid: child.pid, name, ...(compiled === undefined ? {} : { why: compiled.why }) }
}
