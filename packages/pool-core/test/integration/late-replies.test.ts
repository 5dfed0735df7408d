/**
 * A caller who gave up, at each stage of a connection's life, against a peer that answers late: nobody else ever sees
 * that reply, and what the caller was told of it agrees with the peer's log.
 */
import { setImmediate } from 'node:timers/promises'
import { PoolError } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { Abandoned, blockOne, blockUntilAnswered, Case, oracle, run, WAYS } from '../support/giving-up.ts'

const test = suite('late replies')

test.after(() => oracle.close())

/** Longer than what may be on its way to a shard at once, with a ring of 16 KiB. */
const LONG = 'x'.repeat(20_000)

const HOW = ['aborted', 'timed out'] as const

/** Each stage leaves one call given up there, and resolves with its nonce. */
const STAGES: Readonly<Record<string, (context: Case, how: (typeof HOW)[number]) => Promise<string>>> = {
  async queued(context, how) {
    const leases = await Promise.all(Array.from({ length: context.connections }, () => context.pool.acquire()))
    const waits = () => until(() => context.pool.stats().pending.leases + context.pool.stats().pending.requests > 0, 'it waits')
    const nonce = await context.giveUp(how, 'hold', waits)
    for (const lease of leases) lease.release()
    return nonce
  },
  async connecting(context, how) {
    const leases = await Promise.all(Array.from({ length: context.connections }, () => context.pool.acquire()))
    oracle.greet(false)
    for (const lease of leases) lease.destroy()
    await oracle.empty()
    const nonce = await context.giveUp(how, 'hold', () => until(() => oracle.connections > 0, 'it connects'))
    oracle.greet(true)
    return nonce
  },
  async 'on the peer'(context, how) {
    return context.giveUp(how, 'hold', (nonce) => oracle.did(nonce, 'read'))
  },
  async 'half answered'(context, how) {
    return context.giveUp(how, 'half', (nonce) => oracle.did(nonce, 'half'))
  },
}

for (const shards of [0, 1, 2]) {
  // As keys of the object they are its own.
  for (const name of Object.keys(WAYS) as (keyof typeof WAYS)[]) {
    test(`${name} given up at any stage is answered to nobody, shards ${shards}`, () =>
      run(name, shards, async (context) => {
        for (const [stage, reach] of Object.entries(STAGES)) {
          for (const how of HOW) {
            const nonce = await reach(context, how).catch((error: unknown) => {
              throw new Error(`${how} while ${stage}`, { cause: error })
            })
            const others = context.others()
            oracle.release(nonce)
            await others
            await context.others()
            await context.rest()
          }
        }
      }))
  }
}

for (const shards of [0, 1, 2]) {
  for (const name of Object.keys(WAYS) as (keyof typeof WAYS)[]) {
    const handler = name.startsWith('a handler') // one that has begun is told of the abort, and does as it likes
    const promise = handler ? 'is answered to nobody' : 'never reaches the peer'
    test(`${name} aborted in the turn of its call ${promise}, shards ${shards}`, () =>
      run(name, shards, async (context) => {
        await context.warm()
        for (let round = 0; round < 5; round++) {
          const asked = oracle.ask('hold')
          const controller = new AbortController()
          const call = context.ask(asked, { signal: controller.signal })
          const others = context.others()
          controller.abort(new Abandoned())
          assert.is(await call, 'failed')
          oracle.release(asked.nonce)
          await others
        }
        await context.rest()
        if (handler) return
        await context.pool.close()
        await oracle.empty()
        const read = new Set(await oracle.log())
        for (const { nonce } of context.told) assert.not.ok(read.has(nonce), `${nonce} was read`)
      }))
  }
}

for (const shards of [1, 2]) {
  for (const name of Object.keys(WAYS) as (keyof typeof WAYS)[]) {
    const handler = name.startsWith('a handler') // as above
    const promise = handler ? 'is answered to nobody' : 'never reaches the peer'
    test(`${name} given up while its frame waits in the ring ${promise}, shards ${shards}`, () =>
      run(name, shards, async (context) => {
        for (const how of HOW) {
          await context.warm()
          const word = new Int32Array(new SharedArrayBuffer(4))
          const blocking = Array.from({ length: shards }, () => blockOne(context.pool, word))
          await Promise.all(blocking.map(({ begun }) => begun))
          const controller = new AbortController()
          const asked = oracle.ask('hold')
          const call = context.ask(asked, how === 'aborted' ? { signal: controller.signal } : { timeoutMs: 20 })
          controller.abort(new Abandoned())
          assert.is(await call, 'failed')
          await setImmediate() // what this turn has to tell the shard is in the ring by then
          if (handler) oracle.release(asked.nonce)
          Atomics.store(word, 0, 1)
          Atomics.notify(word, 0)
          await Promise.all(blocking.map(({ ended }) => ended))
          await context.others()
          await context.rest()
          if (!handler) assert.not.ok((await oracle.log()).includes(asked.nonce), `${how}, and yet it was read`)
        }
      }))

    test(`${name} given up when its reply has come already is answered to itself or nobody, shards ${shards}`, () =>
      run(name, shards, async (context) => {
        await context.warm()
        for (let round = 0; round < 10; round++) {
          const asked = oracle.ask('hold')
          const controller = new AbortController()
          const call = context.ask(asked, round % 2 === 0 ? { signal: controller.signal } : { timeoutMs: 20 })
          const first = await Promise.race([call, oracle.did(asked.nonce, 'read')])
          if (first === undefined) blockUntilAnswered(asked.nonce)
          else oracle.release(asked.nonce)
          controller.abort(new Abandoned())
          await Promise.all([call, context.others()])
        }
        await context.rest()
      }))
  }
}

for (const shards of [0, 1, 2]) {
  for (const name of ['an exclusive request', "a lease's request", 'a handler that leaves too'] as const) {
    test(`${name} given up ends its connection though the peer stays silent, shards ${shards}`, () =>
      run(name, shards, async (context) => {
        for (const how of HOW) {
          await context.warm()
          await until(() => oracle.connections === context.connections, 'all are open')
          await context.giveUp(how, 'hold', (nonce) => oracle.did(nonce, 'read'))
          await until(() => oracle.connections < context.connections, 'the peer sees the end')
          await context.others()
          await context.rest()
        }
      }))
  }

  test(`while the oldest reply of a shared connection is owed to nobody, requests go elsewhere, shards ${shards}`, () =>
    run('a shared request', shards, async (context) => {
      for (const how of HOW) {
        const held = await context.giveUp(how, 'hold', (nonce) => oracle.did(nonce, 'read'))
        for (let turn = 0; turn < 2; turn++) await context.others()
        oracle.release(held)
        await context.others()
        await context.rest()
      }
    }))
}

for (const shards of [0, 1, 2]) {
  for (const name of Object.keys(WAYS) as (keyof typeof WAYS)[]) {
    test(`a reply that comes twice to ${name} reaches nobody else, shards ${shards}`, () =>
      run(name, shards, async (context) => {
        for (let round = 0; round < 5; round++) {
          assert.is(await context.ask(oracle.ask('twice'), {}), 'answered')
          await context.others()
        }
        await context.rest()
      }))
  }
}

for (const name of ['a shared request', 'an exclusive request', "a lease's request"] as const) {
  for (const how of HOW) {
    test(`${name} ${how} while it waits for room on its way to the shard was not sent, or not whole`, () =>
      run(
        name,
        1,
        async (context) => {
          await context.warm()
          const word = new Int32Array(new SharedArrayBuffer(4))
          const { begun, ended } = blockOne(context.pool, word)
          await begun
          const lease = await context.pool.acquire()
          const requests = [0, 1, 2].map(() => oracle.ask('now'))
          const controller = new AbortController()
          const options = how === 'aborted' ? { signal: controller.signal } : { timeoutMs: 20 }
          // All on one connection: the lease's, or that which the lease gives back.
          const ask = (request: string) =>
            name === "a lease's request" ? lease.request(request, options) : context.pool.request(request, options)
          if (name !== "a lease's request") lease.release()
          const calls = requests.map(({ nonce, request }) =>
            ask(`${request} ${LONG}`).then(
              () => assert.unreachable('it was answered'),
              (error: unknown) => void context.told.push({ nonce, error }),
            ),
          )
          controller.abort(new Abandoned())
          await Promise.all(calls)
          if (name === "a lease's request") lease.release()
          Atomics.store(word, 0, 1)
          Atomics.notify(word, 0)
          await ended
          await context.others()
          await context.rest()
          const log = await oracle.log()
          for (const { nonce } of requests) assert.not.ok(log.includes(nonce), `${nonce} was read`)
          const outcomes = context.told.map(({ error }) => (PoolError.is(error) ? error.outcome : 'aborted'))
          if (how === 'timed out') assert.ok(outcomes.includes('not-sent') && outcomes.includes('maybe-executed'), outcomes.join())
        },
        { ringBytes: { toShard: 16_384, toMain: 65_536 } },
      ))
  }
}

for (const shards of [0, 1, 2]) {
  test(`of many requests that share a connection, those given up take nobody's reply along, shards ${shards}`, () =>
    run('a shared request', shards, async (context) => {
      for (let round = 0; round < 8; round++) {
        const controllers = Array.from({ length: 8 * context.connections }, () => new AbortController())
        const asked = controllers.map(() => oracle.ask('hold'))
        const calls = asked.map((each, index) => context.ask(each, { signal: controllers[index]?.signal }))
        const given = (index: number): boolean => index % 8 === round || (index + round) % 3 === 0
        await Promise.all(asked.map(({ nonce }, index) => (given(index) ? oracle.did(nonce, 'read') : undefined)))
        for (const [index, controller] of controllers.entries()) if (given(index)) controller.abort(new Abandoned())
        const others = context.others()
        for (const { nonce } of asked) oracle.release(nonce)
        const ends = await Promise.all(calls)
        assert.equal(
          ends,
          ends.map((_, index) => (given(index) ? 'failed' : 'answered')),
        )
        await others
        await context.rest()
      }
    }))
}

const SEED = Number(process.env.CENOTE_SEED ?? Math.floor(Math.random() * 2 ** 32))
const CASES = 300

for (const shards of [0, 1, 2]) {
  test(`${CASES} calls whose deadlines and replies come at random meet their own replies alone, shards ${shards}`, async () => {
    const random = generator(SEED + shards)
    const whole = (below: number): number => Math.floor(random() * below)
    try {
      for (const name of ['a shared request', 'an exclusive request'] as const) {
        await run(name, shards, async (context) => {
          const callers = Array.from({ length: 10 }, async () => {
            for (let turn = 0; turn < CASES / 20; turn++) {
              const ways = [context.way, WAYS["a lease's request"], WAYS['a handler that waits on'], WAYS['a handler that leaves too']]
              const asking = new Case(context.pool, ways[whole(ways.length)] ?? context.way, shards)
              const delay = whole(8)
              const asked = oracle.ask(delay === 0 ? 'now' : 'after', delay)
              const limit = Math.max(1, delay + whole(5) - 2)
              if (whole(2) === 0) await asking.ask(asked, { timeoutMs: limit })
              else {
                const controller = new AbortController()
                const timer = setTimeout(() => controller.abort(new Abandoned()), limit)
                await asking.ask(asked, { signal: controller.signal })
                clearTimeout(timer)
              }
              context.told.push(...asking.told)
            }
          })
          await Promise.all(callers)
          await context.others()
          await context.rest()
        })
      }
    } catch (error) {
      throw new Error(`replay with CENOTE_SEED=${SEED}`, { cause: error })
    }
  })
}

/** Random numbers that a seed repeats (mulberry32). */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

test.run()
