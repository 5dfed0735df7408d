/** A real redis-server: started on a free port with a folder of its own, and stopped again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { UsageError } from '../process/command.ts'

const START_MS = 5_000
const GRACE_MS = 3_000
const MISSING = `redis-server was not found. It comes with the package redis-server (Debian, Ubuntu: apt-get install redis-server;
Fedora: dnf install redis; macOS: brew install redis), or set REDIS_SERVER to its path.`

/** A running server. */
export interface RedisServer {
  readonly port: number
  readonly version: string
  /** How many GETs the server itself has counted. */
  countGets(): Promise<number>
  stop(): Promise<void>
}

/**
 * Starts the server without persistence and waits until it listens.
 *
 * @throws UsageError when there is no redis-server here, or it does not start.
 */
export async function startRedis(): Promise<RedisServer> {
  const program = process.env.REDIS_SERVER ?? 'redis-server'
  const version = await versionOf(program)
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'cenote-bench-'))
  const child = spawn(program, ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    detached: true,
  })
  const stop = async () => {
    await end(child)
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await untilListening(port, child)
  } catch (error) {
    await stop()
    throw error
  }
  return { port, version, countGets: () => countGets(port), stop }
}

/** Asks the program for its version: that shows also whether it is there. */
async function versionOf(program: string): Promise<string> {
  const child = spawn(program, ['--version'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  await new Promise<void>((resolve, reject) => {
    child.once('error', () => reject(new UsageError(MISSING)))
    child.once('close', () => resolve())
  })
  return /v=(\S+)/.exec(Buffer.concat(chunks).toString())?.[1] ?? 'unknown'
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}

async function untilListening(port: number, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + START_MS
  while (performance.now() < deadline) {
    if (child.exitCode !== null) throw new UsageError(`redis-server ended with exit code ${child.exitCode}`)
    if (await accepts(port)) return
    await sleep(20)
  }
  throw new UsageError(`redis-server did not listen on port ${port} within ${START_MS} ms`)
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const settle = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => settle(true))
    socket.once('error', () => settle(false))
  })
}

async function countGets(port: number): Promise<number> {
  const client = new Redis({ host: '127.0.0.1', port })
  try {
    return Number(/cmdstat_get:calls=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0)
  } finally {
    client.disconnect()
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const hard = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
  await ended
  clearTimeout(hard)
}
