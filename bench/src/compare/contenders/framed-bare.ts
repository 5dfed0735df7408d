/** Bare sockets in a stack: messages behind their length. */
import { openClient } from '../../framed/bare.ts'
import type { Contender } from './contender.ts'
import { type FramedSetup, framed } from './framed-work.ts'

export async function open(setup: FramedSetup): Promise<Contender> {
  return framed(await openClient(setup), setup)
}
