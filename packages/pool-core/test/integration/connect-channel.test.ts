import { createServer, type Socket } from 'node:net'
import type { ConnectTrace } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { makeCertificates } from '../../../pool-worker/test/kit/certificates.ts'
import { rejects, skipUnless, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { freePort } from '../../../pool-worker/test/kit/servers.ts'
import { listeningFor, stepsOf, tracesOf } from '../support/listening.ts'
import { closing, echo, listen, startPeer } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'
import { sessionsFor } from '../support/sessions.ts'

skipUnless('openssl')

const test = suite('the connect channel')
const { open } = sessionsFor(test, { shards: 2, maxConnections: 2 })
const keep = closing(test)
const { connects } = listeningFor(test)

const GOOD = ['start', 'end', 'asyncStart', 'asyncEnd']
const BAD = ['start', 'end', 'error', 'asyncStart', 'asyncEnd']

const stepTimes = ({ lookupMs, connectMs, tlsMs, handshakeMs }: ConnectTrace): (number | undefined)[] => [
  lookupMs,
  connectMs,
  tlsMs,
  handshakeMs,
]
const codeOf = (error: unknown): unknown => (error instanceof Error ? Reflect.get(error, 'code') : undefined)
const measured = (trace: ConnectTrace): boolean[] => stepTimes(trace).map((ms) => ms !== undefined)

for (const shards of [0, 2]) {
  const where = shards === 0 ? 'on the calling thread' : 'in threads'

  test(`${where}: a connect is published on the main thread, with what its shard has measured`, async () => {
    const told = connects()
    const pool = await open({ shards, minConnections: 2 }, { greeting: 'hello' })
    await pool.ready()
    assert.equal(stepsOf(told), [GOOD, GOOD])
    for (const trace of tracesOf(told)) {
      assert.match(trace.connection, /^\d\/\d\/\d$/)
      assert.is(trace.shard, Number(trace.connection[0]))
      assert.equal(measured(trace), [false, true, false, true])
      const sum = stepTimes(trace).reduce<number>((all, ms) => all + (ms ?? 0), 0)
      assert.ok(sum >= 0 && (trace.totalMs ?? 0) > 0)
      assert.equal([trace.error, trace.phase, trace.timeoutMs], [undefined, undefined, 5_000])
    }
  })

  test(`${where}: a refused connect is published with its error`, async () => {
    const told = connects()
    const endpoint = `tcp://127.0.0.1:${await freePort()}`
    const pool = await open({ shards, endpoint, backoff: { initialMs: 1 } })
    await rejects(pool.request('never'), 'CONNECT_FAILED')
    assert.equal(stepsOf(told)[0], BAD)
    const [trace] = tracesOf(told)
    assert.equal([trace?.phase, trace?.endpoint], ['connect', endpoint])
    assert.is(codeOf(trace?.error), 'CONNECT_FAILED')
    assert.is(codeOf(trace?.error?.cause), 'ECONNREFUSED')
  })

  test(`${where}: a hand-shake that never ends is published with the steps before it`, async () => {
    const told = connects()
    const mute = createServer((socket) => void socket.resume())
    const port = await listen(mute)
    const sockets = new Set<Socket>()
    mute.on('connection', (socket) => sockets.add(socket))
    const pool = await open({ shards, endpoint: `tcp://127.0.0.1:${port}`, connectTimeoutMs: 30 }, { greeting: 'hello' })
    await rejects(pool.request('never'), 'CONNECT_TIMEOUT')
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => mute.close(resolve))
    assert.equal(stepsOf(told)[0], BAD)
    const [trace] = tracesOf(told)
    assert.equal(trace === undefined ? [] : measured(trace), [false, true, false, false])
  })
}

test('a name is looked up, and TLS is measured apart', async () => {
  const certificates = makeCertificates()
  const { cert, key } = certificates.good
  const peer = await keep(startPeer(echo, { tls: { cert, key } }))
  const told = connects()
  const pool = await keep(
    createPool({ endpoint: `tls://localhost:${peer.port}`, tls: { ca: certificates.ca.cert }, shards: 1, minConnections: 1 }),
  )
  await pool.ready()
  const [trace] = tracesOf(told)
  assert.equal(trace === undefined ? [] : measured(trace), [true, true, true, true])
})

test('a connect that the pool gives up is published as over', async () => {
  const told = connects()
  const mute = createServer((socket) => void socket.resume())
  const port = await listen(mute)
  const pool = await createPool({
    endpoint: `tls://127.0.0.1:${port}`,
    shards: 1,
    connectTimeoutMs: 10_000,
    minConnections: 1,
  })
  await until(() => told.length === 2, 'it has begun')
  await pool.close()
  await new Promise((resolve) => mute.close(resolve))
  assert.equal(stepsOf(told), [BAD])
  assert.match(String(tracesOf(told)[0]?.error), /closed|given up/)
})

test.run()
