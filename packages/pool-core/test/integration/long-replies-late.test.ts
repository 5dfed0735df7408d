/** Long replies that were published when their lease ended, or when their shard died: each frame has its own memory, whoever wants it. */
import { handlersAt, protocolAt } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite } from '../../../pool-worker/test/kit/kit.ts'
import type * as mortal from '../fixtures/mortal-handlers.ts'
import { type Oracle, startOracle } from '../support/oracle.ts'
import { atRest, closing } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'

const test = suite('long replies, late')
const keep = closing(test)

const protocol = protocolAt<typeof import('../fixtures/oracle-protocol.ts')>(new URL('../fixtures/oracle-protocol.js', import.meta.url))
const handlers = handlersAt<typeof mortal>(new URL('../fixtures/mortal-handlers.js', import.meta.url))
const LENGTH = 200_000

/** Stops this thread until the oracle has answered so often, and the shard has had the time to read it: nothing of it is seen here yet. */
function standStill(oracle: Oracle, count: number): void {
  for (let answered = 0; answered < count; answered = Atomics.load(oracle.answered, 0)) Atomics.wait(oracle.answered, 0, answered, 5_000)
  sleep(200)
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

test('long replies to a lease that is destroyed before they are read mix with nobody else’s', async () => {
  const oracle = await keep(startOracle())
  const pool = await keep(createPool({ endpoint: oracle.endpoint, protocol, shards: 1, maxConnections: 2, minConnections: 2 }))
  await pool.ready()
  const lease = await pool.acquire()
  const lost = [1, 2, 3].map(() => lease.request(oracle.ask('big', LENGTH).request).then(assert.unreachable, () => undefined))
  const asked = [4, 5].map((more) => ({ more, ...oracle.ask('big', LENGTH + more) }))
  const good = asked.map(({ request }) => pool.request(request))
  await Promise.resolve()
  standStill(oracle, 5)
  lease.destroy(new Error('enough'))
  await Promise.all(lost)
  for (const [i, reply] of (await Promise.all(good)).entries()) {
    const question = asked[i]
    if (question === undefined) throw new Error('an answer too many')
    assert.is(reply.split(' ')[0], question.nonce)
    assert.is(reply.length, LENGTH + question.more + 1 + question.nonce.length)
  }
  await atRest(pool)
})

test('long replies that a shard had published before it died count', async () => {
  const oracle = await keep(startOracle())
  const backoff = { initialMs: 5, maxMs: 50 }
  const pool = await keep(
    createPool({ endpoint: oracle.endpoint, protocol, handlers, backoff, shards: 1, maxConnections: 3, minConnections: 3 }),
  )
  await pool.ready()
  const asked = [1, 2, 3, 4].map(() => oracle.ask('big', LENGTH))
  const replies = Promise.all(asked.map(({ request }) => pool.request(request)))
  await Promise.resolve()
  standStill(oracle, 4)
  const dead = rejects(pool.handlers.die('exit'), 'SHARD_LOST')
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
  sleep(300) // it dies meanwhile
  for (const [i, reply] of (await replies).entries()) {
    assert.is(reply.split(' ')[0], asked[i]?.nonce)
    assert.is(reply.length, LENGTH + 1 + (asked[i]?.nonce.length ?? 0))
  }
  await dead
  await pool.use(() => undefined)
  await atRest(pool)
})

test.run()
