/** A server of prepared answers: what the one in C does, for where there is no C compiler. */
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { listen } from './listen.ts'

/** Bytes of the length before each message. */
export const LENGTH_BYTES = 4

const REQUEST_BYTES = 8

/** Reads the answers, each behind its length, and serves on a free port of the loopback device. Resolves once it listens. */
export async function serveAnswers(file: string): Promise<{ readonly port: number; readonly server: Server }> {
  const answers = splitAnswers(await readFile(file))
  const server = createServer({ noDelay: true }, (socket) => {
    let partial: Buffer = Buffer.alloc(0)
    socket.on('error', () => socket.destroy()) // a client that went away
    socket.on('data', (chunk: Buffer) => {
      const bytes = partial.length === 0 ? chunk : Buffer.concat([partial, chunk])
      let at = 0
      for (; bytes.length - at >= REQUEST_BYTES; at += REQUEST_BYTES) {
        const answer = answers[bytes.readUInt32BE(at + LENGTH_BYTES)]
        if (bytes.readUInt32BE(at) !== REQUEST_BYTES - LENGTH_BYTES || answer === undefined) return void socket.destroy()
        socket.write(answer)
      }
      partial = bytes.subarray(at)
    })
  })
  return { port: await listen(server), server }
}

/** The answers with their lengths before them, as they go out. */
function splitAnswers(bytes: Buffer): Buffer[] {
  const answers: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + LENGTH_BYTES + bytes.readUInt32BE(at)
    answers.push(bytes.subarray(at, end))
    at = end
  }
  return answers
}
