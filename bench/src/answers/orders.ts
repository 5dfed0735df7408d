/** What the comparison `cpu` does with a document: orders are parsed and reduced. */

/** What is left of a document. */
export interface OrderSummary {
  readonly orders: number
  readonly cents: number
  /** The category with the highest sum, and that sum. */
  readonly best: string
  readonly bestCents: number
  /** The middle one of the orders' values. */
  readonly medianCents: number
}

interface Order {
  readonly category: string
  readonly cents: number
  readonly quantity: number
}

/** The body that asks the answer server for a document. */
export function documentRequest(document: number): Buffer {
  const body = Buffer.allocUnsafe(4)
  body.writeUInt32BE(document)
  return body
}

/** Parses a document and sums it up. */
export function reduceOrders(document: Uint8Array): OrderSummary {
  const list = JSON.parse(Buffer.from(document.buffer, document.byteOffset, document.length).toString()) as Order[] // as orderDocument wrote it
  const sums = new Map<string, number>()
  for (const { category, cents, quantity } of list) sums.set(category, (sums.get(category) ?? 0) + cents * quantity)
  let best = ''
  for (const [category, sum] of sums) if (best === '' || sum > (sums.get(best) ?? 0)) best = category
  const values = list.map(({ cents, quantity }) => cents * quantity).sort((a, b) => a - b)
  return {
    orders: list.length,
    cents: values.reduce((sum, value) => sum + value, 0),
    best,
    bestCents: sums.get(best) ?? 0,
    medianCents: values[values.length >> 1] ?? 0,
  }
}
