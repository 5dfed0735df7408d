/** Cenote from nothing: the package is loaded, a pool is made, its first reply comes. */
import type { Contender } from './contender.ts'
import { checkedAnswer, type StartSetup } from './start-work.ts'

export async function open({ port, shards }: StartSetup & { readonly shards: number }): Promise<Contender> {
  let close = async (): Promise<void> => undefined
  return {
    async round() {
      const begun = performance.now()
      const { createPool, lengthPrefixed } = await import('@cenote/pool-core')
      const loaded = performance.now()
      const pool = await createPool({ endpoint: `tcp://127.0.0.1:${port}`, protocol: lengthPrefixed(), shards })
      close = () => pool.close()
      const made = performance.now()
      await checkedAnswer((body) => pool.request(body))
      const answered = performance.now()
      return { importMs: loaded - begun, createMs: made - loaded, firstReplyMs: answered - loaded, totalMs: answered - begun }
    },
    close: () => close(),
  }
}
