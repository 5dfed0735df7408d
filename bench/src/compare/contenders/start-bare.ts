/** A bare socket from nothing. */
import type { Contender } from './contender.ts'
import { checkedAnswer, type StartSetup } from './start-work.ts'

export async function open({ port }: StartSetup): Promise<Contender> {
  let close = async (): Promise<void> => undefined
  return {
    async round() {
      const begun = performance.now()
      const { openSocket } = await import('../../framed/socket.ts')
      const loaded = performance.now()
      const opened = await openSocket({ port })
      close = async () => void opened.socket.destroy()
      await checkedAnswer((body) => opened.request(body))
      const answered = performance.now()
      return { importMs: loaded - begun, firstReplyMs: answered - loaded, totalMs: answered - begun }
    },
    close: () => close(),
  }
}
