/** The first request of a process. */
import { checkBody, patterned } from '../../framed/bodies.ts'

/** What both ways are told. */
export interface StartSetup {
  readonly port: number
}

const BODY = patterned(64, 1)

/** Asks once and looks at the answer. */
export async function checkedAnswer(request: (body: Buffer) => Promise<Uint8Array>): Promise<void> {
  checkBody(await request(BODY), BODY)
}
