import { PoolError } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'
import { ManualWorld } from '../../pool-worker/test/kit/clock.ts'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import type { BooksLimits } from '../src/books/books.ts'
import { Call } from '../src/calls.ts'
import { Endpoints } from '../src/endpoints.ts'
import { readOptions } from '../src/options.ts'
import { Events } from '../src/telemetry/events.ts'
import { Flight } from '../src/telemetry/flight.ts'
import { Rig } from './books-rig.ts'

const test = suite('endpoints that fail')

const EJECTION = { afterFailures: 1, baseMs: 100, maxMs: 1_000, maxEjected: 0.5 }

interface Parts {
  readonly rig: Rig
  readonly world: ManualWorld
  readonly endpoints: Endpoints
}

/** The books of two endpoints, and what tells them how these do. */
function parts(limits: Partial<BooksLimits> = {}): Parts {
  const rig = new Rig({ ejection: EJECTION, ...limits }, { weights: [1, 1] })
  const world = new ManualWorld(rig.now)
  const settings = readOptions({ endpoint: ['unix:/0', 'unix:/1'], balancing: limits.balancing })
  return { rig, world, endpoints: new Endpoints(settings, world, rig.books, new Events(), new Flight(world), () => undefined) }
}

const refused = (code: string, stalled?: 'main'): PoolError =>
  new PoolError('CONNECT_FAILED', 'cannot connect', { phase: 'connect', stalled, cause: Object.assign(new Error(code), { code }) })

test('a failed connect counts, but not for what this machine lacks, nor while a thread stood still, nor before it was begun', () => {
  for (const [error, theirs, state] of [
    [refused('ECONNREFUSED'), true, 'ejected'],
    [refused('ETIMEDOUT'), true, 'ejected'],
    [refused('ECONNREFUSED'), false, 'listed'],
    [refused('ECONNREFUSED', 'main'), true, 'listed'],
    ...['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM'].map((code) => [refused(code), true, 'listed'] as const),
  ] as const) {
    const { rig, endpoints } = parts()
    endpoints.connectFailed(rig.site(0), error, theirs)
    assert.is(rig.site(0).state, state, String(error.cause))
    endpoints.stop()
  }
})

test('it comes back by the clock, without anybody asking, and after stop() no timer is left', () => {
  const { rig, world, endpoints } = parts()
  endpoints.failed(rig.site(0), 'reply')
  assert.is(rig.site(0).state, 'ejected')
  world.pass(99)
  assert.is(rig.site(0).state, 'ejected')
  world.pass(1)
  assert.is(rig.site(0).state, 'listed')
  assert.is(world.timers.length, 0)
  endpoints.failed(rig.site(1), 'reply')
  assert.is(world.timers.length, 1)
  endpoints.stop()
  assert.is(world.timers.length, 0)
  endpoints.failed(rig.site(0), 'reply')
  assert.is(rig.site(0).state, 'listed')
})

test('whoever was left out is used again when the other goes down, whoever is to blame for that', () => {
  const { rig, endpoints } = parts({ failFastAfter: 1 })
  endpoints.failed(rig.site(0), 'reply')
  rig.lease()
  const [slot] = rig.in('opening')
  if (slot === undefined) throw new Error('nothing opens')
  rig.fail(slot)
  endpoints.connectFailed(slot.site, refused('EMFILE'), true)
  assert.is(rig.site(0).state, 'listed')
  endpoints.stop()
})

test('a reply and whatever else goes well end the row of failures; with peak-ewma the time of a reply is taken', () => {
  for (const balancing of ['least-pending', 'peak-ewma'] as const) {
    const { rig, world, endpoints } = parts({ balancing, ejection: { ...EJECTION, afterFailures: 2 } })
    const site = rig.site(0)
    const call = new Call(
      'request',
      1_000,
      () => undefined,
      () => undefined,
    )
    call.sentAt = world.now()
    world.pass(7)
    endpoints.failed(site, 'reply')
    endpoints.replied(site, call)
    endpoints.failed(site, 'reply')
    endpoints.served(site)
    endpoints.failed(site, 'reply')
    assert.is(site.state, 'listed')
    assert.is(endpoints.latency(site), balancing === 'peak-ewma' ? 7 : undefined)
    endpoints.failed(site, 'reply')
    assert.is(site.state, 'ejected')
    endpoints.stop()
  }
})

test.run()
