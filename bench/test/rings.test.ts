/** Two threads and rings without a pool: the limit of comparisons must answer as truly as what it limits. */
import * as assert from 'uvu/assert'
import { suite } from '../../packages/pool-worker/test/kit/kit.ts'
import { patterned } from '../src/framed/bodies.ts'
import { RingClient } from '../src/rings/client.ts'
import { makeCertificate } from '../src/servers/certificate.ts'
import { serveTls } from '../src/servers/tls-echo.ts'
import { failure } from './support/failure.ts'
import { servingIn } from './support/serving.ts'

const test = suite('two threads and rings')
const THREAD = new URL('../dist/rings-thread.js', import.meta.url)
const BYTES = 100

const { serving, keep } = servingIn(test)

/** Many requests on both connections of a client, and what each was answered. */
async function askMany(client: RingClient): Promise<void> {
  const bodies = Array.from({ length: 200 }, (_, index) => patterned(BYTES, index))
  const replies = await Promise.all(bodies.map((body, index) => client.request(index % 2, body)))
  for (const [index, reply] of replies.entries()) assert.equal(reply, bodies[index])
}

test('each caller gets its own reply, many on a connection, wherever the bytes are cut', async () => {
  const port = await serving((socket) =>
    socket.on('data', (chunk: Buffer) => {
      for (let at = 0; at < chunk.length; at += 37) socket.write(chunk.subarray(at, at + 37))
    }),
  )
  const client = await RingClient.open({ port, connections: 2, bytes: BYTES }, THREAD)
  await askMany(client)
  await askMany(client) // it has slept meanwhile, or not: both must do
  await client.close()
})

test('the same over TLS', async () => {
  const certificate = await makeCertificate()
  const { port, server } = await serveTls(certificate)
  keep(server)
  const client = await RingClient.open({ port, ca: certificate.cert, connections: 2, bytes: BYTES }, THREAD)
  await askMany(client)
  await client.close()
})

test('when a connection ends, all who wait are told, and so is who asks later', async () => {
  const port = await serving((socket) => socket.once('data', () => socket.destroy()))
  const client = await RingClient.open({ port, connections: 2, bytes: BYTES }, THREAD)
  const failures = await Promise.all([0, 1].map((connection) => failure(client.request(connection, patterned(BYTES, 1)))))
  for (const why of failures) assert.match(why, /a connection was closed|ECONNRESET/)
  assert.match(await failure(client.request(0, patterned(BYTES, 1))), /a connection was closed|ECONNRESET/)
  await client.close()
})

test('a thread that ends or fails before its sockets are open is told to who opens it', async () => {
  const setup = { port: await serving(() => undefined), connections: 1, bytes: BYTES }
  const opening = (code: string) => failure(RingClient.open(setup, new URL(`data:text/javascript,${code}`)))
  assert.match(await opening('process.exit(0)'), /has ended/)
  assert.match(await opening('throw new Error("broken")'), /broken/)
})

test('a client that is closed answers nobody any more', async () => {
  const client = await RingClient.open({ port: await serving(() => undefined), connections: 1, bytes: BYTES }, THREAD)
  const waiting = failure(client.request(0, patterned(BYTES, 1)))
  await client.close()
  assert.match(await waiting, /has ended/)
})

test.run()
