/** Bodies whose bytes tell where they belong. */

const PERIOD = 251
/** So far apart are the bytes that are looked at in a long answer: one in each page. */
const STRIDE = 4_096

/** Bytes that count up from `seed`, over and over. */
export function patterned(length: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  for (let at = 0; at < length; at++) bytes[at] = (at + seed) % PERIOD
  return bytes
}

/**
 * Sees that an answer is what it should be: all of a short one; of a long one its length, its last byte and one byte in each page, so that
 * the check does not cost more than the answer.
 *
 * @throws Error when it is not.
 */
export function checkBody(reply: Uint8Array, expected: Buffer): void {
  if (reply.length !== expected.length) throw new Error(`a reply of ${reply.length} bytes arrived, ${expected.length} were expected`)
  if (reply.length <= STRIDE) {
    if (expected.compare(reply) !== 0) throw new Error('a wrong reply arrived')
    return
  }
  for (let at = reply.length - 1; at >= 0; at -= STRIDE)
    if (reply[at] !== expected[at]) throw new Error(`a wrong reply arrived: byte ${at} is ${reply[at]}, not ${expected[at]}`)
}
