/** Documents that are fetched, parsed and reduced; every summary is compared with what it must be. */
import { DOCUMENTS, orderDocument } from '../../answers/documents.ts'
import { type OrderSummary, reduceOrders } from '../../answers/orders.ts'
import type { ClientSetup } from '../../framed/client.ts'
import type { Contender } from './contender.ts'
import { closedLoop, Latency, measured } from './measured.ts'

/** What both ways are told. */
export interface CpuSetup extends ClientSetup {
  readonly callers: number
}

const STEP = 7 // callers begin at different documents

/** A contender's rounds; `summary` does the work on the document of this number. */
export function summaries(
  summary: (document: number) => Promise<OrderSummary>,
  { callers }: CpuSetup,
  close: () => Promise<void>,
): Contender {
  const expected = Array.from({ length: DOCUMENTS }, (_, document) => reduceOrders(orderDocument(document)))
  const documentOf = (caller: number, turn: number) => (caller * STEP + turn) % DOCUMENTS
  const call = (caller: number, turn: number) => summary(documentOf(caller, turn))
  const check = (got: OrderSummary, caller: number, turn: number) => {
    const document = documentOf(caller, turn)
    const right = expected[document] as OrderSummary // in range
    if (!same(got, right)) throw new Error(`document ${document}: ${JSON.stringify(got)} instead of ${JSON.stringify(right)}`)
  }
  return {
    async round(roundMs) {
      const latency = new Latency()
      return { ...(await measured(() => closedLoop(callers, roundMs, call, check, latency))), ...latency.read() }
    },
    close,
  }
}

function same(a: OrderSummary, b: OrderSummary): boolean {
  return a.orders === b.orders && a.cents === b.cents && a.best === b.best && a.bestCents === b.bestCents && a.medianCents === b.medianCents
}
