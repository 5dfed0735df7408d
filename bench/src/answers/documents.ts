/** Documents for the comparison `cpu`: orders as JSON, the same on every machine and in every run. */

/** How many different documents are asked for in turn. */
export const DOCUMENTS = 32
/** Bytes of one, at least. */
export const DOCUMENT_BYTES = 30_000

const CATEGORIES = ['books', 'garden', 'kitchen', 'music', 'office', 'outdoor', 'sports', 'toys']

/** One document of just over `DOCUMENT_BYTES`. */
export function orderDocument(document: number): Buffer {
  const random = generator(document + 1)
  const orders: object[] = []
  for (let bytes = 1; bytes < DOCUMENT_BYTES; ) {
    const order = {
      id: document * 1_000 + orders.length,
      customer: `customer ${random() % 10_000}`,
      category: CATEGORIES[random() % CATEGORIES.length],
      cents: 100 + (random() % 20_000),
      quantity: 1 + (random() % 5),
      paid: random() % 4 !== 0,
      tags: [`tag-${random() % 50}`, `tag-${random() % 50}`],
    }
    orders.push(order)
    bytes += JSON.stringify(order).length + 1
  }
  return Buffer.from(JSON.stringify(orders))
}

/** Whole numbers that look random: a linear congruence, of which the high bits are used. */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state >>> 8
  }
}
