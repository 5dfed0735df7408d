/** A small RESP server: enough commands for the main job, values kept ready to be written. */
import { createServer, type Server, type Socket } from 'node:net'
import { CommandReader } from './commands.ts'

const MAX_STORED_BYTES = 256 * 1024 * 1024
const OK = Buffer.from('+OK\r\n')
const NIL = Buffer.from('$-1\r\n')

/** What the server holds. Replies to GET are stored whole, so that answering copies nothing. */
export class Store {
  #replies = new Map<string, Buffer>()
  #bytes = 0

  /** How many keys there are. */
  get size(): number {
    return this.#replies.size
  }

  /** Carries out one command; its reply, in the order of the wire. */
  execute([name, ...args]: readonly Buffer[]): Buffer[] {
    const [key, value] = args
    switch (name?.toString('latin1').toUpperCase()) {
      case 'GET':
        return key !== undefined && args.length === 1 ? [this.#get(key)] : wrongArguments('get')
      case 'MGET':
        return args.length > 0 ? [Buffer.from(`*${args.length}\r\n`), ...args.map((each) => this.#get(each))] : wrongArguments('mget')
      case 'SET':
        return key !== undefined && value !== undefined && args.length === 2 ? [this.#set(key, value)] : wrongArguments('set')
      case 'DEL':
        return [integer(args.filter((each) => this.#delete(each)).length)]
      case 'PING':
        return [key === undefined ? Buffer.from('+PONG\r\n') : bulk(key)]
      case 'INFO':
        return [bulk(Buffer.from('loading:0\r\n'))]
      case 'SELECT':
      case 'AUTH':
      case 'CLIENT':
        return [OK]
      default: // HELLO too: the clients then speak RESP2
        return [Buffer.from(`-ERR unknown command '${printable(name)}'\r\n`)]
    }
  }

  #get(key: Buffer): Buffer {
    return this.#replies.get(key.toString('latin1')) ?? NIL
  }

  #set(key: Buffer, value: Buffer): Buffer {
    const reply = bulk(value)
    const room = this.#bytes - (this.#replies.get(key.toString('latin1'))?.length ?? 0) + reply.length
    if (room > MAX_STORED_BYTES) return Buffer.from('-OOM the store is full\r\n')
    this.#bytes = room
    this.#replies.set(key.toString('latin1'), reply)
    return OK
  }

  #delete(key: Buffer): boolean {
    const name = key.toString('latin1')
    this.#bytes -= this.#replies.get(name)?.length ?? 0
    return this.#replies.delete(name)
  }
}

/** Serves a store on a free port of the loopback device. Resolves once it listens. */
export async function serve(store: Store): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer({ noDelay: true }, (socket) => attend(socket, store))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return { port: address.port, server }
}

/** Answers one client. One that does not read its replies is not read from either. */
function attend(socket: Socket, store: Store): void {
  const reader = new CommandReader()
  socket.on('data', (chunk: Buffer) => {
    socket.cork()
    try {
      for (const command of reader.push(chunk)) for (const part of store.execute(command)) socket.write(part)
    } catch (error) {
      socket.end(`-ERR ${error instanceof Error ? error.message : 'failed'}\r\n`)
    }
    socket.uncork()
    if (socket.writableNeedDrain) socket.pause()
  })
  socket.on('drain', () => socket.resume())
  socket.on('error', () => socket.destroy()) // a client that went away: 'close' follows
}

function bulk(value: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`$${value.length}\r\n`), value, Buffer.from('\r\n')])
}

function integer(value: number): Buffer {
  return Buffer.from(`:${value}\r\n`)
}

function wrongArguments(command: string): Buffer[] {
  return [Buffer.from(`-ERR wrong number of arguments for '${command}' command\r\n`)]
}

function printable(name: Buffer | undefined): string {
  return (name?.toString('latin1') ?? '').slice(0, 32).replace(/[^\w-]/g, '?')
}
