/** generic-pool: sockets, parsing and reducing on the main thread. */
import { documentRequest, reduceOrders } from '../../answers/orders.ts'
import { openClient } from '../../framed/generic-pool.ts'
import type { Contender } from './contender.ts'
import { type CpuSetup, summaries } from './cpu-work.ts'

export async function open(setup: CpuSetup): Promise<Contender> {
  const client = await openClient(setup)
  return summaries(
    async (document) => reduceOrders(await client.request(documentRequest(document))),
    setup,
    () => client.close(),
  )
}
