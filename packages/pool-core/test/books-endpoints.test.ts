import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import type { Site } from '../src/books/sites.ts'
import type { Slot } from '../src/books/slots.ts'
import { numbers, Rig } from './books-rig.ts'

const test = suite('books: several endpoints')

/** Which endpoint a slot is of. */
const at = (rig: Rig, slot: Slot | undefined): number =>
  slot === undefined ? -1 : [0, 1, 2].findIndex((number) => isAt(rig, slot.site, number))

function isAt({ books }: Rig, site: Site, number: number): boolean {
  return books.sites.all.includes(site) && site.endpoint.transport === 'unix' && site.endpoint.path === `/${number}`
}

/** Everything that opens, probes or resets does so. */
function settle(rig: Rig): void {
  for (let [slot] = rig.in('opening', 'probing', 'resetting'); slot !== undefined; [slot] = rig.in('opening', 'probing', 'resetting'))
    rig.ready(slot)
}

/** As many idle connections of each endpoint. */
function warm(rig: Rig, ...counts: number[]): void {
  const leases = counts.flatMap((count) => Array.from({ length: count }, () => rig.lease()))
  settle(rig)
  for (const { slot } of leases) if (slot !== undefined) rig.release(slot)
  assert.equal(
    counts.map((_, number) => rig.site(number).tally.idle),
    counts,
  )
  rig.take()
}

const EJECTION = { afterFailures: 1, baseMs: 100, maxMs: 1_000, maxEjected: 0.5 }

test('connections open where there are fewest for the weight', () => {
  const rig = new Rig({ maxConnections: 12 }, { weights: [1, 2, 3] })
  for (let lease = 0; lease < 12; lease++) rig.lease()
  assert.equal(
    [0, 1, 2].map((number) => rig.site(number).connections),
    [2, 4, 6],
  )
})

test('the first connection opens where the first call was to go, and no other', () => {
  for (let seed = 0; seed < 20; seed++) {
    const rig = new Rig({ maxConnections: 4, pipelining: 64 }, { weights: [1, 1], random: numbers(seed) })
    rig.request()
    assert.is(rig.take().length, 1)
  }
})

test('a connect has failed to one: the others come first', () => {
  for (let seed = 0; seed < 20; seed++) {
    const rig = new Rig({ maxConnections: 4 }, { weights: [1, 1], random: numbers(seed) })
    rig.lease()
    const [slot] = rig.in('opening')
    if (slot === undefined) throw new Error('nothing opens')
    const { site } = slot
    rig.fail(slot)
    settle(rig)
    rig.rested(site)
    const before = new Set(rig.in('opening'))
    rig.lease()
    const next = rig.in('opening').filter((each) => !before.has(each))
    assert.is.not(next[0]?.site, site)
  }
})

test('a request goes to the endpoint with less to do', () => {
  const rig = new Rig({ maxConnections: 2, pipelining: 64 }, { weights: [1, 1] })
  warm(rig, 1, 1)
  for (let request = 0; request < 40; request++) rig.request()
  assert.equal([rig.site(0).pending, rig.site(1).pending], [20, 20])
})

test('requests keep to the weights', () => {
  const rig = new Rig({ maxConnections: 2, pipelining: 64 }, { weights: [1, 3], random: numbers(3) })
  warm(rig, 1, 1)
  for (let request = 0; request < 40; request++) rig.request()
  assert.ok(Math.abs(rig.site(0).pending - 10) <= 1, `${rig.site(0).pending} of 40 with a quarter of the weight`)
})

test('a request whose endpoint has no connection is served by another at once, and one opens where it was to go', () => {
  const rig = new Rig({ maxConnections: 4, pipelining: 64 }, { weights: [1] })
  warm(rig, 1)
  rig.list(1, 1)
  rig.request()
  const second = rig.request() // the first has something to do, so the other one is chosen
  assert.is(at(rig, second.slot), 0)
  assert.equal(rig.take(), ['open 0/1'])
  assert.is(at(rig, rig.in('opening')[0]), 1)
  settle(rig)
  assert.is(at(rig, rig.request().slot), 1)
})

test('a lease takes an idle connection of another endpoint rather than wait', () => {
  const rig = new Rig({ maxConnections: 2 }, { weights: [1, 1] })
  warm(rig, 1, 1)
  const leases = [rig.lease(), rig.lease()]
  assert.equal(leases.map(({ slot }) => at(rig, slot)).sort(), [0, 1])
  assert.equal(rig.take(), [])
})

test('at the cap an idle connection of another endpoint is used, and none is closed for it', () => {
  const rig = new Rig({ maxConnections: 2, balancing: 'round-robin' }, { weights: [1, 1] })
  warm(rig, 1, 1)
  const leases = [rig.lease(), rig.lease()]
  const free = leases.find(({ slot }) => at(rig, slot) === 0)?.slot
  if (free === undefined) throw new Error('neither is of the first endpoint')
  rig.release(free)
  for (let turn = 0; turn < 10; turn++) {
    const { slot } = rig.request()
    assert.is(slot, free)
    rig.finish(free)
  }
  assert.equal(rig.take(), [])
})

test('at the cap an endpoint without any connection gets the place of one that is idle, and only of an endpoint with others', () => {
  const rig = new Rig({ maxConnections: 2, balancing: 'round-robin' }, { weights: [1] })
  warm(rig, 2)
  rig.list(1, 1)
  for (let turn = 0; turn < 2; turn++) {
    const { slot } = rig.request()
    if (slot === undefined) throw new Error('a request waits')
    rig.finish(slot)
  }
  assert.equal(rig.take(), ['close 0/0 balance'])
  const [closing] = rig.in('closing')
  if (closing === undefined) throw new Error('nothing closes')
  rig.gone(closing)
  assert.is(at(rig, rig.in('opening')[0]), 1)
  settle(rig)
  rig.list(1, 1, 1)
  rig.take()
  for (let turn = 0; turn < 6; turn++) {
    const { slot } = rig.request()
    if (slot === undefined) throw new Error('a request waits')
    rig.finish(slot)
  }
  assert.equal(rig.take(), [], 'each of them has one alone')
})

test('when the one that is chosen has no room, the one with the least to do of the others serves', () => {
  for (let seed = 0; seed < 20; seed++) {
    const rig = new Rig({ maxConnections: 3, pipelining: 3, balancing: 'round-robin' }, { weights: [1, 1, 1], random: numbers(seed) })
    warm(rig, 1, 1, 1)
    for (let request = 0; request < 6; request++) rig.request()
    const [one, two, three] = [0, 1, 2].map((number) => rig.in('shared').find((slot) => at(rig, slot) === number))
    if (one === undefined || two === undefined || three === undefined) throw new Error('not each has two')
    rig.finish(three)
    rig.finish(three)
    rig.lease() // the third is held alone, and has no room
    assert.equal([one.inFlight, two.inFlight, three.state], [2, 2, 'leased'])
    rig.finish(two)
    rig.site(2).credit = 100 // it is its turn
    assert.is(rig.request().slot, two)
  }
})

test('maxPerEndpoint holds, those that close included, and the others may have more', () => {
  const rig = new Rig({ maxConnections: 6, maxPerEndpoint: 2 }, { weights: [1, 1] })
  const leases = Array.from({ length: 6 }, () => rig.lease())
  settle(rig)
  assert.equal([rig.site(0).connections, rig.site(1).connections], [2, 2])
  assert.is(rig.waiting.length, 2)
  const [{ slot } = { slot: undefined }] = leases
  if (slot === undefined) throw new Error('the first lease waits')
  rig.close(slot, 'abort')
  assert.equal(rig.in('opening'), [])
  rig.gone(slot)
  assert.is(rig.in('opening').length, 1)
})

test('with maxPerEndpoint one waits for the holders though maxConnections would allow more', () => {
  const rig = new Rig({ maxConnections: 8, maxPerEndpoint: 1, ejection: EJECTION }, { weights: [1, 1] })
  rig.leased()
  assert.not(rig.books.dependsOnHolders(rig.lease()))
  settle(rig)
  assert.ok(rig.books.dependsOnHolders(rig.lease()))
})

test('an endpoint that is down is not chosen while another is up, and is tried again', () => {
  const rig = new Rig({ maxConnections: 4, failFastAfter: 1, pipelining: 640 }, { weights: [1, 1] })
  rig.lease()
  rig.lease()
  const [down] = rig.in('opening')
  if (down === undefined) throw new Error('nothing opens')
  const { site } = down
  rig.fail(down)
  assert.ok(site.admission.down)
  assert.not(rig.books.down)
  settle(rig)
  for (let request = 0; request < 20; request++) rig.request()
  for (let turn = 0; turn < 50; turn++) assert.is.not(rig.books.sites.pick(rig.now), site)
  assert.is(site.connections, 0)
  rig.rested(site)
  assert.is(site.tally.opening, 1)
  settle(rig)
  assert.not(site.admission.down)
  const chosen = Array.from({ length: 50 }, () => rig.books.sites.pick(rig.now))
  assert.ok(chosen.includes(site))
})

test('a connection of a shard that stands still is better than none, where maxPerEndpoint allows no other', () => {
  const rig = new Rig({ maxConnections: 4, maxPerEndpoint: 1 }, { shards: 2, weights: [1] })
  const idle = rig.idle()
  rig.suspect(idle.shard, true)
  assert.is(rig.lease().slot, idle)
})

test('only when all are down is there no hope', () => {
  const rig = new Rig({ maxConnections: 4, failFastAfter: 1 }, { weights: [1, 1] })
  rig.lease()
  rig.lease()
  for (const slot of rig.in('opening')) {
    assert.not(rig.books.down)
    rig.fail(slot)
  }
  assert.ok(rig.books.down)
  rig.list(0, 0, 1)
  assert.not(rig.books.down)
})

test('before the first list callers wait, and minConnections open with it', () => {
  const rig = new Rig({ maxConnections: 4, minConnections: 2 }, { weights: [] })
  const caller = rig.lease()
  assert.not(rig.books.down)
  assert.equal(rig.take(), [])
  rig.list(1)
  assert.equal(rig.take(), ['open 0/0', 'open 0/1'])
  settle(rig)
  assert.is(at(rig, caller.slot), 0)
})

test('one that is no longer listed drains: idle ones close at once, a lease is never cut, and it is forgotten with the last', () => {
  const rig = new Rig({ maxConnections: 4 }, { weights: [1] })
  const lease = rig.leased()
  rig.idle()
  const request = rig.request()
  rig.take()
  const site = rig.site(0)
  rig.list(0, 1)
  assert.equal(rig.take(), [])
  rig.finish(request.slot as Slot)
  assert.equal(rig.take(), ['close 0/1 drain'])
  assert.is(site.state, 'draining')
  assert.is(at(rig, rig.lease().slot), -1)
  settle(rig)
  rig.gone(rig.in('closing')[0] as Slot)
  assert.ok(rig.books.sites.all.includes(site))
  rig.release(lease)
  assert.is(rig.take().at(-1), 'close 0/0 drain')
  rig.gone(lease)
  assert.not(rig.books.sites.all.includes(site))
})

test('what connects to one that is no longer listed closes as soon as it is open', () => {
  const rig = new Rig({}, { weights: [1] })
  const caller = rig.lease()
  const [slot] = rig.in('opening')
  rig.list(0, 1)
  rig.ready(slot as Slot)
  assert.is((slot as Slot).state, 'closing')
  settle(rig)
  assert.is(at(rig, caller.slot), 1)
})

test('one that is listed again before it has drained is the same as before, and keeps what is in use', () => {
  const rig = new Rig({}, { weights: [1, 1] })
  const lease = rig.leased()
  const number = at(rig, lease)
  const { site } = lease
  rig.list(number === 0 ? 0 : 1, number === 1 ? 0 : 1)
  assert.is(lease.worn, 'drain')
  rig.list(2, 2)
  assert.is(rig.site(number), site)
  assert.equal([site.state, site.weight, lease.worn], ['listed', 2, undefined])
  rig.release(lease)
  assert.is(lease.state, 'idle')
})

test('one that fails is left out for a time that grows, and comes back by itself', () => {
  const rig = new Rig({ maxConnections: 4, ejection: EJECTION }, { weights: [1, 1] })
  warm(rig, 1, 1)
  const site = rig.site(0)
  assert.ok(rig.blame(site))
  assert.equal(rig.take(), [`close 0/${rig.in('closing')[0]?.index} drain`])
  assert.is(site.state, 'ejected')
  assert.is(rig.books.sites.nextReturn, rig.now + 100)
  for (let request = 0; request < 20; request++) assert.is.not(at(rig, rig.request().slot), 0)
  rig.now += 99
  assert.equal(rig.readmit(), [])
  rig.now += 1
  assert.equal(rig.readmit(), [site])
  assert.is(rig.books.sites.nextReturn, Number.POSITIVE_INFINITY)
  assert.ok(rig.blame(site))
  assert.is(rig.books.sites.nextReturn, rig.now + 200)
})

test('a lease on one that is left out goes on', () => {
  const rig = new Rig({ ejection: EJECTION }, { weights: [1, 1] })
  const lease = rig.leased()
  rig.blame(lease.site)
  assert.is(lease.state, 'leased')
  rig.release(lease)
  assert.is(lease.state, 'closing')
})

test('never more than their part is left out, and never the last that is up', () => {
  const rig = new Rig({ ejection: EJECTION }, { weights: [1, 1, 1] })
  assert.ok(rig.blame(rig.site(0)))
  assert.not(rig.blame(rig.site(1)), 'half of three is one')
  const all = new Rig({ ejection: { ...EJECTION, maxEjected: 1 } }, { weights: [1, 1, 1] })
  assert.equal([all.blame(all.site(0)), all.blame(all.site(1)), all.blame(all.site(2))], [true, true, false])
  const none = new Rig({ ejection: { ...EJECTION, maxEjected: 0 } }, { weights: [1, 1, 1] })
  assert.not(none.blame(none.site(0)))
  const alone = new Rig({ ejection: EJECTION }, { weights: [1] })
  assert.not(alone.blame(alone.site(0)))
})

test('one is not left out when all others are down', () => {
  const rig = new Rig({ failFastAfter: 1, ejection: EJECTION }, { weights: [1, 1] })
  rig.lease()
  const [slot] = rig.in('opening')
  if (slot === undefined) throw new Error('nothing opens')
  const other = rig.site(1 - at(rig, slot))
  rig.fail(slot)
  assert.not(rig.blame(other))
})

test('when those that are left are all down, whoever was left out is used again', () => {
  const rig = new Rig({ failFastAfter: 1, ejection: EJECTION }, { weights: [1, 1] })
  rig.blame(rig.site(0))
  rig.lease()
  const [slot] = rig.in('opening')
  rig.fail(slot as Slot)
  assert.ok(rig.books.down)
  assert.equal(rig.readmit(), [rig.site(0)])
  assert.not(rig.books.down)
  assert.is(at(rig, rig.in('opening')[0]), 0)
})

test('when a shorter list makes those that are left out too many, whoever would be next is used again', () => {
  const rig = new Rig({ ejection: EJECTION }, { weights: [1, 1, 1, 1] })
  rig.blame(rig.site(0))
  rig.now += 10
  rig.blame(rig.site(1))
  rig.list(1, 1, 1)
  assert.equal([rig.site(0).state, rig.site(1).state], ['listed', 'ejected'])
  rig.list(1, 1)
  assert.equal([rig.site(0).state, rig.site(1).state], ['listed', 'ejected'])
  rig.list(0, 1)
  assert.is(rig.site(1).state, 'listed')
})

test('minConnections and minIdle are kept up by the endpoints that take work', () => {
  const rig = new Rig({ maxConnections: 8, minConnections: 4, minIdle: 2, ejection: EJECTION }, { weights: [1, 1] })
  settle(rig)
  assert.is(rig.books.open, 4)
  rig.blame(rig.site(0))
  for (const slot of rig.in('closing')) rig.gone(slot)
  rig.step(() => rig.books.refill(rig.now))
  settle(rig)
  assert.equal([rig.site(0).connections, rig.site(1).connections], [0, 4])
})

test.run()
