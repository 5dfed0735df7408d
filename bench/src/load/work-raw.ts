/** Bytes over a connection of one's own: a lease for each request, its stream written to and read from, and given back. */
import type { Duplex } from 'node:stream'
import type { Pool } from '@cenote/pool-core'
import type { LoadOptions } from './options.ts'
import { WrongReply } from './recorder.ts'
import type { Work } from './work.ts'

/** Writes the payload, reads so many bytes. */
export function rawWork(pool: Pool, { payload, replyBytes }: LoadOptions): Work {
  const bytes = Buffer.alloc(payload, 'x')
  const watch = () => {
    const timing = { waitMs: undefined, serviceMs: undefined }
    return { reply: exchange(pool, bytes, replyBytes, timing), timing }
  }
  return {
    pool,
    about: `${payload} bytes out, ${replyBytes} back, over a lease's stream`,
    sentBytes: payload,
    send: () => watch().reply,
    watch,
    receivedBytes: () => replyBytes,
    prepare: async () => undefined,
    remove: async () => undefined,
  }
}

async function exchange(
  pool: Pool,
  bytes: Buffer,
  replyBytes: number,
  timing: { waitMs: number | undefined; serviceMs: number | undefined },
): Promise<void> {
  const asked = performance.now()
  const lease = await pool.acquire()
  try {
    const placed = performance.now()
    timing.waitMs = placed - asked
    const stream = lease.stream()
    const reply = answer(stream, replyBytes)
    stream.write(bytes)
    await reply
    timing.serviceMs = performance.now() - placed
    lease.release({ reusable: true })
  } finally {
    lease[Symbol.dispose]()
  }
}

/** Resolves when so many bytes have come, and no more. */
function answer(stream: Duplex, expected: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let received = 0
    stream.on('data', (chunk: Buffer) => {
      received += chunk.length
      if (received === expected) resolve()
      else if (received > expected) reject(new WrongReply(`more than ${expected} bytes have come`))
    })
    stream.once('error', reject)
    stream.once('end', () => reject(new WrongReply(`the server has ended the connection after ${received} bytes`)))
    stream.once('close', () => reject(new WrongReply(`the connection was closed after ${received} bytes`)))
  })
}
