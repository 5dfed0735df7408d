/** The user's code of the comparison `cpu`: its exports run in the shards. */
import type { ContextOf, lengthPrefixed } from '@cenote/pool-core'
import { documentRequest, type OrderSummary, reduceOrders } from './answers/orders.ts'

/** Its input is the number of a document; only the summary crosses to the main thread. */
export async function orders(document: number, { connection }: ContextOf<typeof lengthPrefixed>): Promise<OrderSummary> {
  return reduceOrders(await connection.request(documentRequest(document)))
}
