/** A caller who gave up while a connection was being probed or reset: as in `late-replies`, his reply reaches nobody. */
import type { Lease } from '@cenote/pool-core'
import { suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { fewMs } from '../support/callers.ts'
import { type Case, oracle, run, WAYS } from '../support/giving-up.ts'

const test = suite('late replies: checks')

test.after(() => oracle.close())

const acquireAll = (context: Case): Promise<Lease<string, string>[]> =>
  Promise.all(Array.from({ length: context.connections }, () => context.pool.acquire()))

/** Each leaves all connections in the state that it is named by as soon as somebody asks. */
const CHECKS = {
  probed: {
    prepare: async (context: Case) => {
      await context.warm()
      await fewMs()
      oracle.greet(false)
    },
    reached: (context: Case) => context.pool.stats().opening > 0,
  },
  reset: {
    prepare: async (context: Case) => {
      const leases = await acquireAll(context)
      await Promise.all(leases.map((lease) => lease.request(oracle.ask('change').request)))
      oracle.greet(false)
      for (const lease of leases) lease.release()
    },
    reached: ({ pool }: Case) => pool.stats().resetting > 0 && pool.stats().pending.leases + pool.stats().pending.requests > 0,
  },
} as const

for (const shards of [0, 1, 2]) {
  // As keys of the objects they are their own.
  for (const name of Object.keys(WAYS) as (keyof typeof WAYS)[]) {
    for (const check of Object.keys(CHECKS) as (keyof typeof CHECKS)[]) {
      test(`${name} given up while its connection is ${check} is answered to nobody, shards ${shards}`, () =>
        run(
          name,
          shards,
          async (context) => {
            for (const how of ['aborted', 'timed out'] as const) {
              await CHECKS[check].prepare(context)
              const nonce = await context.giveUp(how, 'hold', () => until(() => CHECKS[check].reached(context), `it is ${check}`))
              oracle.greet(true)
              oracle.release(nonce)
              await context.others()
              await context.others()
              await context.rest()
            }
          },
          { probeAfterIdleMs: check === 'probed' ? 1 : Infinity },
        ))
    }
  }
}

test.run()
