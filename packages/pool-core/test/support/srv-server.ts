/** A DNS server that knows one service. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'

export interface SrvRecord {
  readonly priority: number
  readonly weight: number
  readonly port: number
  readonly target: string
}

export interface SrvServer {
  /** As `dns.setServers` takes it. */
  readonly address: string
  /** The answer to whatever is asked; none: it fails. */
  records: readonly SrvRecord[]
  close(): Promise<void>
}

const HEADER_BYTES = 12
const SRV = 33
const INTERNET = 1
/** A response, recursion desired and available. */
const ANSWERED = 0x8180
/** Nobody keeps it for later, as they do with a name that is not there. */
const SERVER_FAILED = 2

/** Starts it on the loopback. */
export async function startSrv(records: readonly SrvRecord[]): Promise<SrvServer> {
  const socket = createSocket('udp4')
  socket.on('message', (query, { port, address }) => socket.send(answer(query, server.records), port, address))
  await once(socket.bind(0, '127.0.0.1'), 'listening')
  const server: SrvServer = {
    address: `127.0.0.1:${socket.address().port}`,
    records,
    close: () => new Promise((resolve) => void socket.close(() => resolve())),
  }
  return server
}

function answer(query: Buffer, records: readonly SrvRecord[]): Buffer {
  const end = query.indexOf(0, HEADER_BYTES) + 1 + 4 // its name, type and class
  const response = Buffer.from(query.subarray(0, end))
  response.writeUInt16BE(ANSWERED | (records.length === 0 ? SERVER_FAILED : 0), 2)
  response.writeUInt16BE(records.length, 6)
  response.writeUInt32BE(0, 8) // neither authorities nor more
  return Buffer.concat([response, ...records.map(recordOf)])
}

function recordOf({ priority, weight, port, target }: SrvRecord): Buffer {
  const name = Buffer.concat([
    ...target.split('.').map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`)),
    Buffer.from([0]),
  ])
  const head = Buffer.alloc(18)
  head.writeUInt16BE(0xc000 | HEADER_BYTES, 0) // the name that was asked for
  head.writeUInt16BE(SRV, 2)
  head.writeUInt16BE(INTERNET, 4)
  head.writeUInt16BE(6 + name.length, 10)
  for (const [index, value] of [priority, weight, port].entries()) head.writeUInt16BE(value, 12 + 2 * index)
  return Buffer.concat([head, name])
}
