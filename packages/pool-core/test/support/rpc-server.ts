/** A server of JSON-RPC, one object a line, that shows a test whatever reaches it. */
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { until } from '../../../pool-worker/test/kit/kit.ts'
import { listen } from './peers.ts'

export interface RpcPeer {
  readonly socket: Socket
  /** Names of the methods that came, with their parameters where those are a text or a number. */
  readonly calls: string[]
  open: boolean
}

export interface RpcServer {
  readonly endpoint: string
  readonly peers: readonly RpcPeer[]
  readonly open: readonly RpcPeer[]
  /** Resolves when the call, such as 'hold x', has come `times` times. */
  received(call: string, times?: number): Promise<void>
  /** Answers every `hold` of this name. */
  release(name: string): void
  /** Probes are answered. Default true. */
  healthy: boolean
  close(): Promise<void>
}

/**
 * Starts a server on a free port of the loopback. 'echo' returns its parameters, 'hold' does so when told, 'fail' fails, 'drop' cuts the
 * connection, 'large' returns so many letters, 'retire' has the client retire before it answers.
 */
export async function startRpc(): Promise<RpcServer> {
  const peers: RpcPeer[] = []
  const held = new Map<string, (() => void)[]>()
  const state = { healthy: true }

  const serve = (peer: RpcPeer, line: string): void => {
    const { id, method, params } = JSON.parse(line) as { id?: number; method: string; params?: unknown } // what the client writes
    const { socket } = peer
    const write = (message: object): void => void socket.write(`${JSON.stringify(message)}\n`)
    peer.calls.push(typeof params === 'string' || typeof params === 'number' ? `${method} ${params}` : method)
    if (method === 'fail') write({ id, error: { code: 'E_RPC', message: `failed: ${String(params)}` } })
    else if (method === 'drop') socket.destroy()
    else if (method === 'large') write({ id, result: 'x'.repeat(Number(params)) })
    else if (method === 'hold') held.set(String(params), [...(held.get(String(params)) ?? []), () => write({ id, result: params })])
    else if (method === 'probe' && !state.healthy) return
    else if (id !== undefined) {
      if (method === 'retire' || method === 'keep') write({ notice: method })
      write({ id, result: params ?? method })
    }
  }

  const server = createServer((socket) => {
    const peer: RpcPeer = { socket, calls: [], open: true }
    peers.push(peer)
    let rest = ''
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) serve(peer, line)
    })
    socket.on('error', () => undefined) // a peer may go as it likes
    socket.on('close', () => {
      peer.open = false
    })
  })
  const port = await listen(server)

  return {
    endpoint: `tcp://127.0.0.1:${port}`,
    peers,
    get open() {
      return peers.filter((peer) => peer.open)
    },
    get healthy() {
      return state.healthy
    },
    set healthy(on) {
      state.healthy = on
    },
    received: (call, times = 1) =>
      until(() => peers.flatMap(({ calls }) => calls).filter((each) => each === call).length >= times, `'${call}' has come ${times} times`),
    release(name) {
      for (const answer of held.get(name) ?? []) answer()
      held.delete(name)
    },
    async close() {
      for (const { socket } of peers) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
