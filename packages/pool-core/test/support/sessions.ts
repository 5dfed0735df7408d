/** What the tests of sessions share: a server of its own for each test, and pools on it. */
import { handlersAt, type Pool, type PoolOptions, protocolAt } from '@cenote/pool-core'
import type { Test } from 'uvu'
import * as assert from 'uvu/assert'
import type * as sessionHandlers from '../fixtures/session-handlers.ts'
import type * as sessionProtocol from '../fixtures/session-protocol.ts'
import { createPool } from './pools.ts'
import { type SessionServer, startSessions } from './session-server.ts'

export type SessionPool = Pool<string, string, typeof sessionHandlers>

export interface Sessions {
  /** The running test's. */
  readonly server: SessionServer
  /** A pool on it; when the test is over its books are checked, and it is closed. */
  open(options?: Partial<PoolOptions>, told?: sessionProtocol.SessionOptions): Promise<SessionPool>
}

const PROTOCOL = new URL('../fixtures/session-protocol.js', import.meta.url)
const HANDLERS = new URL('../fixtures/session-handlers.js', import.meta.url)

/** @param closeMs - What granted work is left when a test is over. */
export function sessionsFor(test: Test, defaults: Partial<PoolOptions>, closeMs = 1): Sessions {
  const pools: SessionPool[] = []
  let current: SessionServer | undefined
  const running = (): SessionServer => {
    if (current === undefined) throw new Error('no test runs')
    return current
  }

  test.before.each(async () => {
    current = await startSessions()
  })

  test.after.each(async () => {
    for (const pool of pools.splice(0)) {
      assert.equal(pool.check(), [])
      await pool.close({ timeoutMs: closeMs })
    }
    await running().close()
  })

  return {
    server: {
      get endpoint() {
        return running().endpoint
      },
      get peers() {
        return running().peers
      },
      get open() {
        return running().open
      },
      get lines() {
        return running().lines
      },
      received: (line, times) => running().received(line, times),
      release: (name) => running().release(name),
      finish: (peer) => running().finish(peer),
      close: () => running().close(),
    },
    async open(options, told) {
      const protocol = protocolAt<typeof sessionProtocol>(PROTOCOL, told)
      const handlers = handlersAt<typeof sessionHandlers>(HANDLERS)
      const pool = await createPool({ endpoint: running().endpoint, ...defaults, ...options, protocol, handlers })
      pools.push(pool)
      return pool
    },
  }
}
