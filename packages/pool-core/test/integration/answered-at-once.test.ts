/** With `shards: 0`: who is alone is answered when the callback that read the reply is over, others together when the turn ends. */
import type { Socket } from 'node:net'
import { line } from '@cenote/pool-core'
import { realWorld, type World } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'
import { suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { closing, settled, startPeer } from '../support/peers.ts'
import { createPoolIn } from '../support/pools.ts'

const test = suite('answered at once')
const kept = closing(test)

for (const [callers, before] of [
  [1, 'turn asked for'],
  [2, 'turn ends'],
] as const) {
  test(`${callers} in flight: the last thing before the first is answered is that the ${before}`, async () => {
    const seen: string[] = []
    const world: World = {
      ...realWorld,
      immediate(action) {
        seen.push('turn asked for')
        return realWorld.immediate(() => {
          seen.push('turn ends')
          action()
        })
      },
    }
    let asked = ''
    let peer: Socket | undefined
    const { endpoint } = await kept(
      startPeer((socket) => {
        peer = socket.on('data', (chunk) => {
          asked += chunk
        })
      }),
    )
    const pool = await kept(createPoolIn(world)({ endpoint, shards: 0, maxConnections: 1, protocol: line(), pipelining: 2 }))
    const replies = Array.from({ length: callers }, async () => {
      const reply = await pool.request('ask')
      seen.push(reply)
    })
    await until(() => asked === 'ask\n'.repeat(callers), 'all are asked')
    await settled(() => seen.length)
    peer?.write('answered\n'.repeat(callers))
    await Promise.all(replies)
    assert.is(seen[seen.indexOf('answered') - 1], before)
  })
}

test.run()
