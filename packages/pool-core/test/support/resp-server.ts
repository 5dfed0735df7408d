/** A RESP server for tests: strings, counters and transactions. It reads requests with the codec that reads replies. */
import type { Socket } from 'node:net'
import { respCodec } from '@cenote/pool-core/shard'
import { type Peer, startPeer } from './peers.ts'

const OK = '+OK\r\n'

/** Starts a server of the commands below, with one store for all its connections. */
export function startResp(): Promise<Peer> {
  const store = new Map<string, string>()
  return startPeer((socket) => attend(socket, store))
}

function attend(socket: Socket, store: Map<string, string>): void {
  const codec = respCodec()
  const framer = codec.createFramer()
  let queued: string[][] | undefined
  let begun: Buffer = Buffer.alloc(0)

  const answer = (command: string[]): string => {
    const name = String(command[0]).toUpperCase()
    if (name === 'EXEC' && queued !== undefined) {
      const replies = queued.map((each) => execute(each, store))
      queued = undefined
      return `*${replies.length}\r\n${replies.join('')}`
    }
    if (name === 'MULTI') queued = []
    else if (name === 'RESET') queued = undefined
    else if (queued !== undefined) return queued.push(command) > 0 ? '+QUEUED\r\n' : ''
    return execute(command, store)
  }

  socket.on('data', (chunk: Buffer) => {
    let taken = 0
    framer.push(chunk, (start, end) => {
      const command = codec.decode(Buffer.concat([begun, chunk.subarray(start, end)])) as string[] // requests are arrays of bulk strings
      begun = Buffer.alloc(0)
      taken = end
      socket.write(answer(command))
    })
    begun = Buffer.concat([begun, chunk.subarray(taken)])
  })
  socket.on('end', () => socket.end())
}

function execute([name, key = '', value = '']: readonly string[], store: Map<string, string>): string {
  switch (String(name).toUpperCase()) {
    case 'GET':
      return bulk(store.get(key))
    case 'SET':
      store.set(key, value)
      return OK
    case 'INCR':
    case 'INCRBY': {
      const sum = Number(store.get(key) ?? 0) + Number(value === '' ? 1 : value)
      store.set(key, String(sum))
      return `:${sum}\r\n`
    }
    case 'PING':
      return '+PONG\r\n'
    case 'RESET':
      return '+RESET\r\n'
    case 'MULTI':
    case 'SELECT':
      return OK
    default:
      return `-ERR unknown command '${name}'\r\n`
  }
}

function bulk(value: string | undefined): string {
  return value === undefined ? '$-1\r\n' : `$${Buffer.byteLength(value)}\r\n${value}\r\n`
}
