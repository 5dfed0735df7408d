/** Modules that cannot be loaded and servers that are not there: each is told by its code, with the cause. */
import { handlersAt, protocolAt } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite } from '../../../pool-worker/test/kit/kit.ts'
import { freePort } from '../../../pool-worker/test/kit/servers.ts'
import { type FaultyModule, fixture, oracle, PROTOCOL, story } from '../support/faulty.ts'
import { createPool } from '../support/pools.ts'

const test = suite('bad modules')

test.after(() => oracle.close())

const UNLOADABLE = [
  ['a protocol module that is missing', { protocol: protocolAt<FaultyModule>(fixture('absent')) }, /absent\.js nor .*absent\.ts/],
  ['a protocol module that throws at import', { protocol: protocolAt<FaultyModule>(fixture('throwing-protocol')) }, /thrown at import/],
  ['a protocol module without a default export', { protocol: protocolAt<FaultyModule>(fixture('no-protocol')) }, /no default export/],
  [
    'a protocol module that exports something else',
    { protocol: protocolAt<FaultyModule>(fixture('wrong-protocol')) },
    /exports no protocol/,
  ],
  [
    'a protocol whose codec cannot be made',
    { protocol: protocolAt<FaultyModule>(PROTOCOL, { words: new Int32Array(2), make: true }) },
    /no codec today/,
  ],
  ['a handlers module that is missing', { handlers: handlersAt(fixture('absent')) }, /absent\.js nor .*absent\.ts/],
  ['a handlers module that throws at import', { handlers: handlersAt(fixture('throwing-handlers')) }, /thrown at import/],
  ['a handlers module without functions', { handlers: handlersAt(fixture('wrong-protocol')) }, /exports no functions/],
] as const

for (const shards of [0, 1, 2]) {
  for (const [what, given, message] of UNLOADABLE) {
    test(`${what} rejects createPool with NO_SHARD and the cause, shards ${shards}`, async () => {
      const error = await rejects(createPool({ endpoint: oracle.endpoint, shards, ...given }), 'NO_SHARD')
      assert.match(story(error), message)
      assert.is(error.outcome, 'not-sent')
    })
  }

  for (const [what, endpoint, code] of [
    ['a port that nobody listens on', `tcp://127.0.0.1:${await freePort()}`, 'ECONNREFUSED'],
    ['a path that does not exist', 'unix:/nowhere/cenote.sock', 'ENOENT'],
  ] as const) {
    test(`${what} rejects callers with CONNECT_FAILED and the cause, shards ${shards}`, async () => {
      const pool = await createPool({ endpoint, protocol: protocolAt<FaultyModule>(PROTOCOL, { words: new Int32Array(2) }), shards })
      try {
        for (const call of [pool.acquire(), pool.request('a')]) {
          const error = await rejects(call, 'CONNECT_FAILED')
          assert.is(error.outcome, 'not-sent')
          assert.is(error.phase, 'connect')
          assert.is((error.cause as { code?: string } | undefined)?.code, code)
        }
      } finally {
        await pool.close()
      }
    })
  }
}

for (const endpoint of ['', 'http://127.0.0.1:80', 'tcp://127.0.0.1', 'tcp://127.0.0.1:70000', 'unix:', 'localhost:6379']) {
  test(`the endpoint ${JSON.stringify(endpoint)} rejects createPool with BAD_OPTION`, async () => {
    assert.match((await rejects(createPool({ endpoint, shards: 1 }), 'BAD_OPTION')).message, /endpoint/)
  })
}

test.run()
