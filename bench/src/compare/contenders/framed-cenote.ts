/** Cenote, one `request` after the other: messages behind their length. */
import { openClient } from '../../framed/cenote.ts'
import type { Contender } from './contender.ts'
import { type FramedSetup, framed } from './framed-work.ts'

export async function open(setup: FramedSetup): Promise<Contender> {
  return framed(await openClient(setup), setup)
}
