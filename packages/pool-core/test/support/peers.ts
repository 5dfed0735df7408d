/** Peers for integration tests: small servers in the test's own process, and what waits for a pool to come to rest. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import type { Pool } from '@cenote/pool-core'
import type { Test } from 'uvu'
import * as assert from 'uvu/assert'
import { until } from '../../../pool-worker/test/kit/kit.ts'

/** A server, and the sockets that it holds. */
export interface Peer {
  /** `tcp://127.0.0.1:port`, `tls://localhost:port` or `unix:/path`. */
  readonly endpoint: string
  readonly port: number
  /** Open at the moment, oldest first. */
  readonly sockets: ReadonlySet<Socket>
  /** How many it has taken in all. */
  readonly accepted: number
  /** Destroys its sockets and stops listening. */
  close(): Promise<void>
}

export interface PeerOptions {
  /** Default 'tcp'; `tls` makes it 'tls'. */
  readonly transport?: 'tcp' | 'unix'
  readonly tls?: TlsOptions
}

/** Starts a server that gives each socket, hand-shake done, to `serve`. Its sockets may be half-closed; their errors are no concern of it. */
export async function startPeer(serve: (socket: Socket) => void, { transport = 'tcp', tls }: PeerOptions = {}): Promise<Peer> {
  const sockets = new Set<Socket>()
  let accepted = 0
  const onSocket = (socket: Socket): void => {
    accepted++
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => sockets.delete(socket))
    serve(socket)
  }
  const folder = transport === 'unix' ? mkdtempSync(join(tmpdir(), 'cenote-peer-')) : undefined
  const path = folder === undefined ? '' : join(folder, 'peer.sock')
  const bare = new Set<Socket>() // those whose hand-shake is not done, too
  const server: Server =
    tls === undefined ? createServer({ allowHalfOpen: true }, onSocket) : createTlsServer({ allowHalfOpen: true, ...tls }, onSocket)
  server.on('connection', (socket: Socket) => {
    bare.add(socket)
    socket.once('close', () => bare.delete(socket))
  })
  server.on('tlsClientError', () => undefined)
  const port = folder === undefined ? await listen(server) : 0
  if (folder !== undefined) await once(server.listen(path), 'listening')
  return {
    endpoint: folder !== undefined ? `unix:${path}` : tls === undefined ? `tcp://127.0.0.1:${port}` : `tls://localhost:${port}`,
    port,
    sockets,
    get accepted() {
      return accepted
    },
    async close() {
      for (const socket of [...sockets, ...bare]) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Has a server listen on a free port of this machine, which is returned. */
export async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  return (server.address() as AddressInfo).port // of a TCP server that listens
}

/** Serves a socket by sending back what comes. */
export const echo = (socket: Socket): void => void socket.pipe(socket)

/** What is made in a test is closed after it, the youngest first. */
export function closing(test: Test): <T extends { close(): Promise<void> }>(made: T | Promise<T>) => Promise<T> {
  const all: { close(): Promise<void> }[] = []
  test.after.each(async () => {
    for (const made of all.splice(0).reverse()) await made.close()
  })
  return async (made) => {
    const done = await made
    all.push(done)
    return done
  }
}

/** A pool of whatever protocol, as far as `atRest` looks at it. */
type AnyPool = Pick<Pool, 'stats' | 'check'>

/** Waits until the pool holds nothing but idle connections and nobody waits; then its books must be in order. */
export async function atRest(pool: AnyPool): Promise<void> {
  await until(
    () => {
      const { connections, idle, pending } = pool.stats()
      return connections === idle && pending.leases + pending.requests === 0
    },
    `the pool is at rest, but it is ${JSON.stringify(pool.stats())}`,
  )
  assert.equal(pool.check(), [])
}

/** Waits until `value` has not changed for a while: what is blocked stays blocked. Returns it. */
export async function settled(value: () => number): Promise<number> {
  let last = -1
  let same = 0
  await until(() => {
    const now = value()
    same = now === last ? same + 1 : 0
    last = now
    return same === 40
  }, 'nothing moves any more')
  return last
}
