/** Many new connections at once, each used for one request and then destroyed. */
import { checkBody, patterned } from '../../framed/bodies.ts'
import type { Target } from '../../framed/client.ts'
import type { Contender } from './contender.ts'
import { measured } from './measured.ts'

/** What both ways are told. */
export interface TlsSetup extends Target {
  /** Connections of a round. */
  readonly count: number
}

/** Opens a connection, has it answer one request, and destroys it. */
export type Once = (body: Buffer) => Promise<Uint8Array>

const BODY = patterned(64, 1)

/** A contender's rounds: so many connections, however long they take. All are asked for at once. */
export function connections(once: Once, { count }: TlsSetup, close: () => Promise<void>): Contender {
  const work = async () => {
    await Promise.all(Array.from({ length: count }, async () => checkBody(await once(BODY), BODY)))
    return count
  }
  return { round: () => measured(work), close }
}
