/** A server of lines that remembers something for each connection, and shows a test whatever reaches it. */
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { until } from '../../../pool-worker/test/kit/kit.ts'
import { listen } from './peers.ts'

/** One connection, from its first byte till after its end. */
export interface SessionPeer {
  readonly socket: Socket
  /** Lines that came, oldest first. */
  readonly lines: string[]
  /** What `set` has set, and `reset` takes back. */
  state: string
  /** Reads, and answers no more. */
  mute: boolean
  open: boolean
}

export interface SessionServer {
  readonly endpoint: string
  /** Every connection that there ever was, in the order of their coming. */
  readonly peers: readonly SessionPeer[]
  readonly open: readonly SessionPeer[]
  /** Lines of all connections, in the order of their coming. */
  readonly lines: readonly string[]
  /** Resolves when the line has come `times` times. */
  received(line: string, times?: number): Promise<void>
  /** Answers every `hold` of this name: those that wait, and those to come. */
  release(name: string): void
  /** Ends a connection in the direction of the pool, and goes on reading. Resolves when the kernel has the FIN. */
  finish(peer: SessionPeer): Promise<void>
  close(): Promise<void>
}

/** A reply that waits for those before it, or for its release. */
interface Reply {
  text: string
  ready: boolean
}

/**
 * Starts a server on a free port of the loopback. It answers 'set x' and 'reset' with 'ok', 'get' with what was set, 'hold x' with 'x' after
 * `release(x)`, 'bye' by ending the connection, and every other line with itself: always in the order of the requests.
 */
export async function startSessions(): Promise<SessionServer> {
  const peers: SessionPeer[] = []
  const lines: string[] = []
  const held: { readonly name: string; readonly reply: Reply }[] = []
  const owed = new Map<SessionPeer, Reply[]>()
  const released = new Set<string>()

  /** Writes what is ready, in the order of the requests. */
  const flush = (peer: SessionPeer): void => {
    const replies = owed.get(peer) ?? []
    const waits = replies.findIndex(({ ready }) => !ready)
    const texts = replies.splice(0, waits < 0 ? replies.length : waits).map(({ text }) => `${text}\n`)
    if (texts.length > 0) peer.socket.write(texts.join(''))
  }

  const answer = (peer: SessionPeer, line: string): string | undefined => {
    if (peer.mute) return undefined
    const [verb, argument = ''] = line.split(' ')
    if (verb === 'bye') {
      peer.socket.end()
      return undefined
    }
    if (verb === 'set' || verb === 'reset') {
      peer.state = argument
      return 'ok'
    }
    if (verb === 'get') return peer.state === '' ? '-' : peer.state
    return verb === 'hold' ? argument : line
  }

  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const peer: SessionPeer = { socket, lines: [], state: '', mute: false, open: true }
    peers.push(peer)
    owed.set(peer, [])
    let rest = ''
    socket.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n')
      rest = parts.pop() ?? ''
      for (const line of parts) {
        peer.lines.push(line)
        lines.push(line)
        const text = answer(peer, line)
        if (text === undefined) continue
        const reply = { text, ready: !line.startsWith('hold ') || released.has(text) }
        owed.get(peer)?.push(reply)
        if (!reply.ready) held.push({ name: text, reply })
      }
      flush(peer)
    })
    socket.on('end', () => socket.end())
    socket.on('error', () => undefined) // a peer may go as it likes
    socket.on('close', () => {
      peer.open = false
    })
  })
  const port = await listen(server)

  return {
    endpoint: `tcp://127.0.0.1:${port}`,
    peers,
    lines,
    get open() {
      return peers.filter((peer) => peer.open)
    },
    received: (line, times = 1) => until(() => lines.filter((each) => each === line).length >= times, `'${line}' has come ${times} times`),
    release(name) {
      released.add(name)
      for (const each of held) if (each.name === name) each.reply.ready = true
      for (const peer of peers) flush(peer)
    },
    finish: ({ socket }) => new Promise((resolve) => void socket.end(resolve)),
    async close() {
      for (const { socket } of peers) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
