/**
 * Where tests take their pools from. When a test is over, its own cleanup done, each pool that it has made is closed, its numbers must
 * add up and its books hold, and nothing of it may be left in the process.
 */
import { createPool as create, type Lease, type Pool } from '@cenote/pool-core'
import type { World } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'
import { aroundEveryTest, until } from '../../../pool-worker/test/kit/kit.ts'
import { openPool } from '../../src/create-pool.ts'
import { final } from './adds-up.ts'
import { leftovers, type Resources, resources } from './leftovers.ts'

/** A pool, and the leases that its test was given. */
interface Made {
  readonly pool: Pool
  readonly leases: Set<WeakRef<Lease>>
}

const made: Made[] = []
let before: Resources = new Map()

/** The pool's own, whose pools are looked at when the test is over. */
export const createPool: typeof create = async (options) => observe(await create(options))

/** The same with the coordinator, and a shard on the calling thread, in a given world. Its pools are those of the sources. */
export const createPoolIn =
  (world: World): typeof create =>
  async (options) =>
    observe(await openPool(options, world))

function observe<Req, Rep, Module>(pool: Pool<Req, Rep, Module>): Pool<Req, Rep, Module> {
  const leases = new Set<WeakRef<Lease>>()
  made.push({ pool: pool as unknown as Pool, leases }) // whatever it is asked, no test asks it through this
  const keep = <T extends object | undefined>(lease: T): T => {
    if (lease !== undefined) leases.add(new WeakRef(lease as unknown as Lease)) // as above
    return lease
  }
  const { acquire, tryAcquire } = pool
  return Object.assign(pool, {
    acquire: async (...args: Parameters<typeof acquire>) => keep(await acquire.apply(pool, args)),
    tryAcquire: () => keep(tryAcquire.apply(pool)),
  })
}

/** Closes a pool as its test may have done already, and releases what the test still holds. */
async function finish({ pool, leases }: Made): Promise<void> {
  await pool.close({ timeoutMs: 1 })
  for (const lease of leases) lease.deref()?.[Symbol.dispose]()
  if ([...leases].some((lease) => lease.deref() === undefined)) await told(pool)
  const stats = pool.stats()
  assert.equal([...final(stats), ...pool.check()], [], `${pool.name} is closed, and its numbers are ${JSON.stringify(stats)}`)
}

/** The pool is told a moment later of leases that were collected: they are its own to take back. */
async function told(pool: Pool): Promise<void> {
  const all = (): boolean => {
    const { acquired, released, reclaimed } = pool.stats().counters
    return acquired === released + reclaimed
  }
  await until(all, 'the pool has taken back the leases that were collected')
}

aroundEveryTest(
  () => {
    before = resources()
  },
  async () => {
    for (const each of made.splice(0)) await finish(each)
    await until(() => leftovers(before).length === 0, 'nothing is left of the test').catch((error: unknown) => {
      assert.equal(leftovers(before), [], String(error))
    })
  },
)
