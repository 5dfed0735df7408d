/** The documents of the comparison `cpu` and what is made of them. */
import { fakeConnection } from '@cenote/pool-core/testing'
import * as assert from 'uvu/assert'
import { suite } from '../../packages/pool-worker/test/kit/kit.ts'
import { DOCUMENT_BYTES, DOCUMENTS, orderDocument } from '../src/answers/documents.ts'
import { documentRequest, reduceOrders } from '../src/answers/orders.ts'
import { summaries } from '../src/compare/contenders/cpu-work.ts'
import { orders } from '../src/order-handlers.ts'

const test = suite('documents of orders')

test('documents are of the size that is said, all different, and the same each time', () => {
  const documents = Array.from({ length: DOCUMENTS }, (_, document) => orderDocument(document))
  for (const document of documents) assert.ok(document.length >= DOCUMENT_BYTES && document.length < DOCUMENT_BYTES + 500)
  assert.is(new Set(documents.map(String)).size, DOCUMENTS)
  assert.equal(orderDocument(3), documents[3])
})

test('a document is summed up: how many, how much, the best category and the order in the middle', () => {
  const document = [
    { category: 'toys', cents: 100, quantity: 2 },
    { category: 'books', cents: 500, quantity: 1 },
    { category: 'toys', cents: 101, quantity: 4 },
  ]
  const expected = { orders: 3, cents: 1_104, best: 'toys', bestCents: 604, medianCents: 404 }
  assert.equal(reduceOrders(Buffer.from(JSON.stringify(document))), expected)
})

test('the handler asks for the document of its number', async () => {
  const connection = fakeConnection<Uint8Array, Buffer>([orderDocument(5)])
  const context = { connection, client: undefined, signal: new AbortController().signal, progress: () => undefined, options: undefined }
  assert.equal(await orders(5, context), reduceOrders(orderDocument(5)))
  assert.equal(connection.requests, [documentRequest(5)])
})

test('a wrong summary ends the round', async () => {
  const setup = { port: 0, connections: 1, callers: 1 }
  const done = async (): Promise<void> => undefined
  const right = async (document: number) => {
    await new Promise((resolve) => setImmediate(resolve))
    return reduceOrders(orderDocument(document))
  }
  assert.ok(((await summaries(right, setup, done).round(5)).requests ?? 0) > 0)
  const wrong = summaries(async (document) => ({ ...(await right(document)), cents: 1 }), setup, done)
  let message = ''
  await wrong.round(60_000).catch((error: unknown) => {
    message = String(error)
  })
  assert.match(message, /document 0: .* instead of /)
})

test.run()
