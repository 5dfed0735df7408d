/** Finds the commands in what a RESP client sends: arrays of bulk strings, in chunks of any size. */

const CR = 13
const STAR = 42
const DOLLAR = 36
const MAX_ARGUMENTS = 1024
const MAX_BULK_BYTES = 16 * 1024 * 1024
const MAX_LINE_BYTES = 32

/** Collects chunks until whole commands are there. Bounded: one command's arguments, and each one's size. */
export class CommandReader {
  #rest: Buffer = Buffer.alloc(0)
  #arrived: Buffer[] = []
  #missing = 0

  /**
   * Takes a chunk and returns the commands that it completes.
   *
   * @throws Error when the bytes are not RESP, or pass a limit.
   */
  push(chunk: Buffer): Buffer[][] {
    this.#arrived.push(chunk)
    this.#missing -= chunk.length
    if (this.#missing > 0) return [] // a large value still on its way: not joined again for each chunk
    const bytes = this.#rest.length === 0 && this.#arrived.length === 1 ? chunk : Buffer.concat([this.#rest, ...this.#arrived])
    this.#arrived = []
    const commands: Buffer[][] = []
    let at = 0
    for (;;) {
      const command = this.#read(bytes, at)
      if (command === undefined) break
      commands.push(command.parts)
      at = command.end
    }
    this.#rest = bytes.subarray(at)
    return commands
  }

  #read(bytes: Buffer, start: number): { parts: Buffer[]; end: number } | undefined {
    this.#missing = 0
    const head = readNumber(bytes, start, STAR, MAX_ARGUMENTS)
    if (head === undefined) return undefined
    const parts: Buffer[] = []
    let at = head.end
    for (let index = 0; index < head.value; index++) {
      const size = readNumber(bytes, at, DOLLAR, MAX_BULK_BYTES)
      if (size === undefined) return undefined
      const end = size.end + size.value
      if (end + 2 > bytes.length) {
        this.#missing = end + 2 - bytes.length
        return undefined
      }
      parts.push(bytes.subarray(size.end, end))
      at = end + 2
    }
    return { parts, end: at }
  }
}

function readNumber(bytes: Buffer, start: number, mark: number, limit: number): { value: number; end: number } | undefined {
  if (start >= bytes.length) return undefined
  if (bytes[start] !== mark) throw new Error('Protocol error: an array of bulk strings was expected')
  const end = bytes.indexOf(CR, start)
  if (end === -1 || end + 1 >= bytes.length) {
    if (bytes.length - start > MAX_LINE_BYTES) throw new Error('Protocol error: a length is too long')
    return undefined
  }
  const value = Number(bytes.toString('latin1', start + 1, end))
  if (!Number.isInteger(value) || value < 0 || value > limit) throw new Error('Protocol error: invalid length')
  return { value, end: end + 2 }
}
