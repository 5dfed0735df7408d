/** Real servers for integration tests, each a child of the test process, on the loopback alone. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import type { Certificate } from './certificates.ts'
import { guard, haveProgram } from './children.ts'

export interface RedisOptions {
  /** 'tcp' (default), 'unix', or 'tls', which needs `tls`. */
  readonly transport?: 'tcp' | 'unix' | 'tls'
  /** For 'tls': the server's certificate and the authority's. Clients need none. */
  readonly tls?: { readonly server: Certificate; readonly ca: Certificate }
  readonly password?: string
  /** More of redis-server's command line: `['--maxclients', '5']`. */
  readonly args?: readonly string[]
}

export interface RedisServer {
  /** `tcp://127.0.0.1:port`, `tls://localhost:port` or `unix:/path`. */
  readonly endpoint: string
  /** 0 for a unix socket. */
  readonly port: number
  /** '' unless on a unix socket. */
  readonly path: string
  /** The id of the server's process. */
  readonly pid: number
  /** Ends the server as SIGTERM does, and deletes its data. */
  stop(): Promise<void>
  /** Ends it as a crash does: SIGKILL. The data and the port are kept for `restart`. */
  kill(): Promise<void>
  /** Freezes (SIGSTOP) or thaws it: a peer that is there and does not answer. */
  freeze(on: boolean): void
  /** Starts it again at the same place, killing it first if it runs. */
  restart(): Promise<void>
}

/** Whether redis-server is installed. */
export function haveRedis(): boolean {
  return haveProgram('redis-server')
}

/** Starts Debian's redis-server with nothing persisted, and waits until it takes connections. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const { transport = 'tcp' } = options
  const folder = mkdtempSync(join(tmpdir(), 'cenote-redis-'))
  const removeFolder = (): void => rmSync(folder, { recursive: true, force: true })
  process.once('exit', removeFolder)
  const port = transport === 'unix' ? 0 : await freePort()
  const path = transport === 'unix' ? join(folder, 'redis.sock') : ''
  const args = redisArguments(options, folder, port, path)
  let child = await launch(args, transport, port, path)

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.ref()
    child.kill('SIGCONT')
    child.kill(signal)
    await gone
  }
  return {
    endpoint: transport === 'unix' ? `unix:${path}` : transport === 'tls' ? `tls://localhost:${port}` : `tcp://127.0.0.1:${port}`,
    port,
    path,
    get pid() {
      return child.pid ?? 0
    },
    async stop() {
      await end('SIGTERM')
      process.off('exit', removeFolder)
      removeFolder()
    },
    kill: () => end('SIGKILL'),
    freeze: (on) => void child.kill(on ? 'SIGSTOP' : 'SIGCONT'),
    async restart() {
      await end('SIGKILL')
      child = await launch(args, transport, port, path)
    },
  }
}

function redisArguments({ transport, tls, password, args = [] }: RedisOptions, folder: string, port: number, path: string): string[] {
  const common = ['--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no', '--daemonize', 'no', '--logfile', '']
  const secret = password === undefined ? [] : ['--requirepass', password]
  if (transport === 'unix') return [...common, '--port', '0', '--unixsocket', path, ...secret, ...args]
  if (transport !== 'tls') return [...common, '--port', String(port), ...secret, ...args]
  if (tls === undefined) throw new TypeError('a redis with TLS needs certificates')
  const files = ['--tls-cert-file', tls.server.certFile, '--tls-key-file', tls.server.keyFile, '--tls-ca-cert-file', tls.ca.certFile]
  return [...common, '--port', '0', '--tls-port', String(port), ...files, '--tls-auth-clients', 'no', ...secret, ...args]
}

async function launch(args: string[], transport: string, port: number, path: string): Promise<ChildProcess> {
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  guard(child)
  let log = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-4_000)
    })
    if ('unref' in stream) (stream as unknown as Socket).unref() // a pipe to a child is a socket
  }
  const deadline = performance.now() + 10_000
  while (!(await accepts(transport, port, path))) {
    if (child.exitCode !== null) throw new Error(`redis-server ended with code ${child.exitCode}:\n${log}`)
    if (performance.now() > deadline) {
      child.kill('SIGKILL')
      throw new Error(`redis-server took no connection within 10 s:\n${log}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return child
}

/** Whether a server takes connections, TLS hand-shake included. */
function accepts(transport: string, port: number, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (up: boolean) => (): void => {
      socket.destroy()
      resolve(up)
    }
    const socket: Socket =
      transport === 'unix'
        ? connect({ path }, done(true))
        : transport === 'tls'
          ? connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false }, done(true))
          : connect({ host: '127.0.0.1', port }, done(true))
    socket.once('error', done(false))
  })
}

/** A port of 127.0.0.1 that nobody listens on at the moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
