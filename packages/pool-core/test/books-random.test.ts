import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { isStillborn } from '../src/books/admission.ts'
import { keepAlive } from '../src/books/keep-alive.ts'
import { numbers, Rig } from './books-rig.ts'

const test = suite('books in any order', { timeoutMs: 120_000 })

/** Runs of one size; BOOKS_RUNS raises it for a long search by hand. */
const RUNS = Number(process.env.BOOKS_RUNS ?? 400)

function pick<Value>(values: readonly Value[], chance: number): Value | undefined {
  return values[chance % Math.max(1, values.length)]
}

/** What may happen next; `chance` chooses among the candidates. Those listed twice come twice as often. */
type Act = (rig: Rig, chance: number) => void

const withSlot = (rig: Rig, states: Parameters<Rig['in']>, chance: number, act: (slot: ReturnType<Rig['in']>[number]) => void): void => {
  const slot = pick(rig.in(...states), chance)
  if (slot !== undefined) act(slot)
}

const withSite = (rig: Rig, chance: number, act: (site: Rig['books']['sites']['all'][number]) => void): void => {
  const site = pick(rig.books.sites.all, chance)
  if (site !== undefined) act(site)
}

const acts: Record<string, Act> = {
  lease: (rig, chance) => void rig.lease(chance % 10),
  request: (rig) => void rig.request(),
  requestAgain: (rig, chance) => void rig.request(chance % 10),
  requests: (rig, chance) => {
    for (let count = chance % 20; count > 0; count--) rig.request()
  },
  tryLease: (rig) => void rig.tryLease(),
  cancel: (rig, chance) => {
    const caller = pick(rig.waiting, chance)
    if (caller !== undefined) rig.cancel(caller)
  },
  ready: (rig, chance) => withSlot(rig, ['opening', 'probing', 'resetting'], chance, (slot) => rig.ready(slot)),
  readyAgain: (rig, chance) => withSlot(rig, ['opening', 'probing', 'resetting'], chance, (slot) => rig.ready(slot)),
  finish: (rig, chance) => withSlot(rig, ['shared'], chance, (slot) => rig.finish(slot)),
  finishAgain: (rig, chance) => withSlot(rig, ['shared'], chance, (slot) => rig.finish(slot)),
  finishAll: (rig, chance) =>
    withSlot(rig, ['shared'], chance, (slot) => {
      for (let count = slot.inFlight; count > 0; count--) rig.finish(slot)
    }),
  finishLate: (rig, chance) => withSlot(rig, ['closing'], chance, (slot) => rig.finish(slot)),
  release: (rig, chance) => withSlot(rig, ['leased'], chance, (slot) => rig.release(slot)),
  releaseFor: (rig, chance) => withSlot(rig, ['leased'], chance, (slot) => rig.release(slot, 1 + (chance % 20))),
  keepAlive: (rig, chance) =>
    withSlot(rig, ['opening', 'idle', 'shared', 'leased', 'resetting', 'closing'], chance, (slot) => {
      keepAlive(slot, chance % 3 === 0 ? Number.POSITIVE_INFINITY : 1 + (chance % 30), rig.now)
    }),
  releaseLate: (rig, chance) => withSlot(rig, ['closing'], chance, (slot) => rig.release(slot)),
  reset: (rig, chance) => withSlot(rig, ['leased'], chance, (slot) => rig.reset(slot)),
  readyLate: (rig, chance) => withSlot(rig, ['closing'], chance, (slot) => rig.ready(slot)),
  gone: (rig, chance) => withSlot(rig, ['opening', 'probing', 'idle', 'shared', 'leased', 'resetting'], chance, (slot) => rig.gone(slot)),
  closed: (rig, chance) => withSlot(rig, ['closing'], chance, (slot) => rig.gone(slot)),
  goneTwice: (rig, chance) => withSlot(rig, ['free'], chance, (slot) => rig.gone(slot)),
  die: (rig, chance) => withSlot(rig, ['idle', 'shared', 'leased', 'resetting'], chance, (slot) => rig.die(slot)),
  close: (rig, chance) => withSlot(rig, ['opening', 'idle', 'shared', 'leased', 'closing'], chance, (slot) => rig.close(slot, 'lifetime')),
  handler: (rig, chance) => withSlot(rig, ['leased', 'closing'], chance, (slot) => rig.markHandler(slot, !slot.handler)),
  block: (rig, chance) => withSlot(rig, ['shared', 'idle'], chance, (slot) => rig.block(slot, !slot.blocked)),
  fail: (rig, chance) => withSlot(rig, ['opening'], chance, (slot) => void rig.fail(slot, chance % 5 === 0)),
  failAgain: (rig, chance) => withSlot(rig, ['opening'], chance, (slot) => void rig.fail(slot)),
  failLate: (rig, chance) => withSlot(rig, ['closing'], chance, (slot) => void rig.fail(slot)),
  stillborn: (rig, chance) => withSlot(rig, ['idle'], chance, (slot) => void (isStillborn(slot, rig.now) && rig.fail(slot))),
  rested: (rig, chance) => withSite(rig, chance, (site) => rig.rested(site)),
  restedAgain: (rig, chance) => withSite(rig, chance, (site) => rig.rested(site)),
  list: (rig, chance) => {
    const weights = [chance % 4, (chance >> 2) % 4, (chance >> 4) % 4]
    if (Math.max(...weights) > 0) rig.list(...weights)
  },
  blame: (rig, chance) => withSite(rig, chance, (site) => rig.blame(site, chance % 2 === 0 ? 'connect' : 'reply')),
  blameAgain: (rig, chance) => withSite(rig, chance, (site) => rig.blame(site, 'reply')),
  replied: (rig, chance) => withSite(rig, chance, (site) => site.faults.replied()),
  measured: (rig, chance) => withSite(rig, chance, (site) => site.latency.observe(chance, rig.now)),
  readmit: (rig) => void rig.readmit(),
  refill: (rig) => rig.step(() => rig.books.refill(rig.now)),
  use: (rig, chance) => withSlot(rig, ['leased'], chance, (slot) => rig.step(() => rig.books.use(slot))),
  resize: (rig, chance) => rig.resize(1 + (chance % 7), Math.min(chance % 3, 1 + (chance % 7))),
  recycle: (rig) => rig.recycle(),
  recycleOne: (rig, chance) => withSlot(rig, ['idle', 'probing', 'resetting', 'shared', 'leased'], chance, (slot) => rig.recycle(slot)),
  pause: (rig) => rig.pause(true),
  resume: (rig) => rig.pause(false),
  resumeAgain: (rig) => rig.pause(false),
  expire: (rig) => {
    const next = rig.step(() => rig.books.sweep(rig.now))
    assert.ok(next > rig.now)
  },
  wait: (rig, chance) => {
    rig.now += chance % 40
    rig.chance = chance / 1_000
  },
  stall: (rig, chance) => rig.suspect(chance % rig.shards, true),
  recover: (rig, chance) => rig.suspect(chance % rig.shards, false),
  suspend: (rig, chance) => rig.suspend(chance % rig.shards),
  restart: (rig, chance) => rig.restart(chance % rig.shards),
}

const names = Object.keys(acts)
const history = fc.array(fc.tuple(fc.constantFrom(...names), fc.nat(999)), { maxLength: 300, size: 'max' })
const pools = fc.record({
  shards: fc.integer({ min: 1, max: 3 }),
  weights: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 }),
  seed: fc.nat(),
  balancing: fc.constantFrom('least-pending' as const, 'peak-ewma' as const, 'round-robin' as const),
  maxPerEndpoint: fc.integer({ min: 1, max: 7 }),
  ejection: fc.record({
    afterFailures: fc.constantFrom(1, 2, Number.POSITIVE_INFINITY),
    baseMs: fc.constant(20),
    maxMs: fc.constant(50),
    maxEjected: fc.constantFrom(0, 0.5, 1),
  }),
  maxConnections: fc.integer({ min: 1, max: 7 }),
  minConnections: fc.integer({ min: 0, max: 3 }),
  minIdle: fc.integer({ min: 0, max: 3 }),
  maxIdle: fc.integer({ min: 0, max: 4 }),
  scheduling: fc.constantFrom('lifo' as const, 'fifo' as const),
  maxPending: fc.constantFrom(3, 1_000),
  probeAfterIdleMs: fc.constantFrom(10, Number.POSITIVE_INFINITY),
  idleTimeoutMs: fc.constantFrom(30, Number.POSITIVE_INFINITY),
  maxLifetimeMs: fc.constantFrom(50, Number.POSITIVE_INFINITY),
  maxUses: fc.constantFrom(1, 5, Number.POSITIVE_INFINITY),
  maxConnecting: fc.constantFrom(1, 3, Number.POSITIVE_INFINITY),
  failFastAfter: fc.constantFrom(1, 3, Number.POSITIVE_INFINITY),
})

type Limits = NonNullable<ConstructorParameters<typeof Rig>[0]> & {
  readonly shards: number
  readonly weights: readonly number[]
  readonly seed: number
}

function play({ shards, weights, seed, ...limits }: Limits, steps: readonly (readonly [string, number])[]): Rig {
  const { minIdle = 0, maxIdle = 0 } = limits // options keep the one below the other
  const rig = new Rig({ ...limits, minIdle: Math.min(minIdle, maxIdle) }, { shards, weights, random: numbers(seed) })
  for (const [name, chance] of steps) acts[name]?.(rig, chance)
  return rig
}

/** Answers one outstanding question. False: there is none. */
function answerOne(rig: Rig): boolean {
  for (const slot of rig.in('opening', 'probing', 'resetting', 'shared', 'leased', 'closing')) {
    if (rig.isDead(slot) || slot.state === 'closing') rig.gone(slot)
    else if (slot.state === 'shared') rig.finish(slot)
    else if (slot.state === 'leased') rig.release(slot)
    else rig.ready(slot)
    return true
  }
  return false
}

for (const pipelining of [1, 4, 64]) {
  test(`with pipelining ${pipelining} every step keeps the invariants, and in the end everybody is served`, () => {
    const property = fc.property(pools, history, (pool, steps) => {
      const rig = play({ ...pool, pipelining }, steps)
      for (let shard = 0; shard < pool.shards; shard++) rig.restart(shard)
      for (const slot of rig.in('shared')) rig.block(slot, false)
      for (const site of rig.books.sites.all) rig.rested(site)
      rig.pause(false)
      for (let answers = 0; answerOne(rig); answers++) assert.ok(answers < 10_000, 'it never ends')
      assert.equal(
        rig.waiting.map((caller) => caller.id),
        [],
      )
    })
    return fc.assert(property, { numRuns: RUNS })
  })

  test(`with pipelining ${pipelining} a retired pool gives back every permit and opens nothing`, () => {
    const property = fc.property(pools, history, history, (pool, steps, after) => {
      const rig = play({ ...pool, pipelining }, steps)
      rig.step(() => rig.books.retire(rig.now))
      rig.take()
      for (const [name, chance] of after) acts[name]?.(rig, chance)
      for (let answers = 0; answerOne(rig); answers++) assert.ok(answers < 10_000, 'it never ends')
      assert.not(rig.take().some((effect) => effect.startsWith('open')))
      assert.is(rig.books.counts().connections, 0)
    })
    return fc.assert(property, { numRuns: Math.ceil(RUNS / 4) })
  })
}

test.run()
