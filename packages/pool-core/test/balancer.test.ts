import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { Balancer, type Balancing, type Candidate } from '../src/books/balancer.ts'
import { Latency } from '../src/books/latency.ts'
import { numbers } from './books-rig.ts'

const test = suite('balancer')

interface Server extends Candidate {
  readonly name: string
  readonly weight: number
  pending: number
  chosen: number
}

const server = (name: string, weight = 1, pending = 0): Server => ({ name, weight, pending, latency: new Latency(), credit: 0, chosen: 0 })

function balancer(balancing: Balancing, servers: readonly Server[], random: () => number = numbers(1)): Balancer<Server> {
  const made = new Balancer<Server>(balancing, random)
  made.set(servers)
  return made
}

/** Chance that must not be asked any more. */
function unasked(): number {
  throw new Error('chance was asked')
}

/** Chooses so often, each choice over before the next unless it is `kept`. */
function choose(from: Balancer<Server>, times: number, kept = false): void {
  for (let turn = 0; turn < times; turn++) {
    const each = from.pick(0)
    if (each === undefined) throw new Error('none was chosen')
    each.chosen++
    if (kept) each.pending++
  }
}

test('one alone is chosen without chance, and of none, none', () => {
  for (const balancing of ['least-pending', 'peak-ewma', 'round-robin'] as const) {
    const only = server('only')
    assert.is(balancer(balancing, [only], unasked).pick(0), only)
    assert.is(balancer(balancing, [], unasked).pick(0), undefined)
  }
})

test('least-pending: of those at rest each is chosen as often as its weight says, within a hundredth', () => {
  const servers = [server('a', 1), server('b', 2), server('c', 7)]
  choose(balancer('least-pending', servers), 100_000)
  for (const { name, weight, chosen } of servers) assert.ok(Math.abs(chosen / 100_000 - weight / 10) < 0.01, `${name}: ${chosen}`)
})

test('least-pending: under load each has as much to do as its weight says, and nobody has two more than that', () => {
  const servers = [server('a', 1), server('b', 2), server('c', 5)]
  choose(balancer('least-pending', servers), 800, true)
  for (const { pending, weight } of servers) assert.ok(Math.abs(pending - weight * 100) <= 2 * weight, `${weight}: ${pending}`)
})

test('least-pending: of two the one with fewer pending is always chosen, whichever is drawn first', () => {
  const servers = [server('busy', 1, 5), server('free', 1, 4)]
  choose(balancer('least-pending', servers), 1_000)
  assert.equal(
    servers.map(({ chosen }) => chosen),
    [0, 1_000],
  )
})

test('least-pending: the busiest of many is never chosen, for it is always drawn with another', () => {
  const servers = Array.from({ length: 10 }, (_, index) => server(`${index}`, 1, index))
  choose(balancer('least-pending', servers), 10_000)
  assert.is(servers.at(-1)?.chosen, 0)
  assert.ok(servers.slice(0, -1).every(({ chosen }, index) => chosen > (servers[index + 1]?.chosen ?? 0)))
})

test('two different ones are drawn, whatever chance says', () => {
  const servers = [server('a', 3, 9), server('b', 1, 3), server('c', 2, 0)]
  const grid = Array.from({ length: 60 }, (_, step) => step / 60)
  for (const first of grid) {
    for (const second of grid) {
      const draws = [first, second]
      const chosen = balancer('least-pending', servers, () => draws.shift() ?? unasked()).pick(0)
      // a and b are alike: when c was not drawn, the first drawn wins, which is by weight.
      if (chosen?.name !== 'c') assert.is(chosen?.name, first < 0.5 ? 'a' : 'b')
    }
  }
})

test('peak-ewma: one that is slow gets little work, and the faster one most of it, though the slow one has nothing to do', () => {
  const servers = [server('slow'), server('fast')]
  const [slow, fast] = servers
  slow?.latency.observe(100, 0)
  fast?.latency.observe(2, 0)
  choose(balancer('peak-ewma', servers), 49, true)
  assert.equal([slow?.chosen, fast?.chosen], [0, 49]) // 2 ms × 50 is as dear as 100 ms
  choose(balancer('peak-ewma', servers), 51, true)
  assert.ok((slow?.chosen ?? 0) <= 2 && (slow?.chosen ?? 0) >= 1)
})

test('peak-ewma: one slow reply counts at once, and is forgotten as time goes by, so that the server is tried again', () => {
  const servers = [server('a'), server('b')]
  const [a, b] = servers
  for (const each of servers) each.latency.observe(2, 0)
  a?.latency.observe(500, 0)
  const balance = balancer('peak-ewma', servers)
  const chosen = (now: number): string[] => Array.from({ length: 20 }, () => balance.pick(now)?.name ?? '')
  assert.equal(new Set(chosen(0)), new Set(['b']))
  b?.latency.observe(2, 60_000)
  assert.ok(chosen(60_000).includes('a'))
})

test('peak-ewma: of one that has never answered a single call finds out how it is; a second one is dearer than any latency', () => {
  const servers = [server('known'), server('unknown')]
  const [known, unknown] = servers
  known?.latency.observe(1_000, 0)
  const balance = balancer('peak-ewma', servers)
  choose(balance, 1, true)
  assert.is(unknown?.chosen, 1)
  choose(balance, 50, true)
  assert.equal([known?.chosen, unknown?.chosen], [50, 1])
})

test('round-robin: each is chosen as often as its weight says in every round, spread evenly', () => {
  const servers = [server('a', 5), server('b', 1), server('c', 1)]
  const balance = balancer('round-robin', servers)
  const round = (): string => Array.from({ length: 7 }, () => balance.pick(0)?.name).join('')
  assert.is(round(), 'aabacaa') // nginx's example
  assert.is(round(), 'aabacaa')
})

test('round-robin: what they have to do does not matter', () => {
  const servers = [server('busy', 1, 100), server('free', 1, 0)]
  choose(balancer('round-robin', servers), 10)
  assert.equal(
    servers.map(({ chosen }) => chosen),
    [5, 5],
  )
})

test('an average goes up at once and down by a third of itself in ten seconds or so', () => {
  const latency = new Latency()
  assert.not(latency.known)
  latency.observe(10, 0)
  assert.is(latency.at(0), 10)
  latency.observe(100, 1)
  assert.is(latency.at(1), 100)
  const tau = Math.exp(-1)
  latency.observe(10, 10_001)
  assert.ok(Math.abs(latency.at(10_001) - (100 * tau + 10 * (1 - tau))) < 1e-9)
  assert.ok(Math.abs(latency.at(20_001) - latency.at(10_001) * tau) < 1e-9)
})

test.run()
