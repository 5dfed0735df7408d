/** A codec that uses the pool while it encodes a request: no bytes of one call are ever sent as another's. */
import { type Pool, protocolAt } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite } from '../../../pool-worker/test/kit/kit.ts'
import type * as nestedProtocol from '../fixtures/nested-protocol.ts'
import { closing, echo, startPeer } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'

const test = suite('nested encode')
const kept = closing(test)

type Nested = nestedProtocol.Nested

const LONG = 'long '.repeat(2_000)

for (const shards of [0, 1]) {
  const where = shards === 0 ? 'on the calling thread' : 'in a thread'
  const open = async (): Promise<Pool<Nested, string>> => {
    const peer = await kept(startPeer(echo))
    const protocol = protocolAt<typeof nestedProtocol>(new URL('../fixtures/nested-protocol.js', import.meta.url))
    return kept(createPool({ endpoint: peer.endpoint, shards, maxConnections: 2, protocol }))
  }

  for (const outer of ['outer', LONG])
    for (const inner of ['inner', LONG])
      test(`${where}: a request within another (${inner.length} in ${outer.length} bytes) is answered, the other told that it was not sent`, async () => {
        const pool = await open()
        assert.is(await pool.request({ text: 'first' }), 'first')
        let within: Promise<string> | undefined
        const meanwhile = (): void => {
          within = pool.request({ text: inner })
        }
        const error = await rejects(pool.request({ text: outer, meanwhile }), 'BAD_REQUEST')
        assert.is(error.outcome, 'not-sent')
        assert.match(String(error.cause), /used the pool while it encoded/)
        assert.is(await within, inner)
        assert.is(await pool.request({ text: 'last' }), 'last')
      })

  test(`${where}: a release within a request is done, the request told that it was not sent, or sent whole`, async () => {
    const pool = await open()
    const lease = await pool.acquire()
    assert.is(await lease.request({ text: 'first' }), 'first')
    await rejects(pool.request({ text: 'outer', meanwhile: () => lease.release() }), 'BAD_REQUEST')
    const other = await pool.acquire()
    assert.is(await other.request({ text: 'second' }), 'second')
    assert.is(await pool.request({ text: LONG, meanwhile: () => other.release() }), LONG)
    assert.is(await pool.request({ text: 'last' }), 'last')
    assert.is(pool.stats().inUse, 0)
  })
}

test.run()
