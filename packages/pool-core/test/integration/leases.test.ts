import * as assert from 'uvu/assert'
import { suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { fewMs } from '../support/callers.ts'
import { sessionsFor } from '../support/sessions.ts'

const test = suite('leases')
const { server, open } = sessionsFor(test, { shards: 1, maxConnections: 4 })

for (const shards of [0, 2]) {
  const where = shards === 0 ? 'on the calling thread' : 'in threads'

  test(`${where}: leases() lists who holds a connection, the oldest first, and nobody who holds none`, async () => {
    const pool = await open({ shards })
    assert.equal(pool.leases(), [])
    const before = Date.now()
    const lease = await pool.acquire()
    await fewMs()
    const streaming = await pool.acquire()
    streaming.stream()
    await fewMs()
    const handled = pool.handlers.stubborn('long')
    await server.received('hold long')
    await pool.request('shared')
    const [first, second, third, ...others] = pool.leases()
    assert.equal([first?.kind, second?.kind, third?.kind, others.length], ['lease', 'stream', 'handler', 0])
    assert.equal([first?.connection, second?.connection], [lease.connection, streaming.connection])
    assert.equal([first?.handler, second?.handler, third?.handler], [undefined, undefined, 'stubborn'])
    for (const info of pool.leases()) {
      assert.ok(info.acquiredAt >= before - 1 && info.acquiredAt <= Date.now() + 1, `${info.acquiredAt} is of this test`)
      assert.ok(info.heldMs >= 0)
    }
    assert.ok((first?.heldMs ?? 0) > (second?.heldMs ?? 0) && (second?.heldMs ?? 0) > (third?.heldMs ?? 0))
    server.release('long')
    await handled
    lease.release()
    assert.equal(
      pool.leases().map(({ kind }) => kind),
      ['stream'],
    )
    streaming.release()
    assert.equal(pool.leases(), [])
  })

  test(`${where}: a lease whose connection has died holds none`, async () => {
    const pool = await open({ shards })
    const lease = await pool.acquire()
    await lease.request('hello')
    server.peers.at(-1)?.socket.destroy()
    await until(() => pool.leases().length === 0, 'it holds nothing any more')
    lease.release()
  })
}

test.run()
