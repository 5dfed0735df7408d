/** What an error says of the pool: who waited for what, and who held the connections. */

import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import type { BooksCounts } from '../src/books/counts.ts'
import type { Waiter, WaiterKind } from '../src/books/pending.ts'
import type { LeaseInfo } from '../src/holders.ts'
import { Situation, type View } from '../src/situation.ts'

const test = suite('situation')

const waiter = (kind: WaiterKind): Waiter => ({ kind, priority: 0, waiterNext: undefined, waiterPrev: undefined, queued: true })

const NONE: BooksCounts = {
  ...{ connections: 0, idle: 0, opening: 0, probing: 0, inUse: 0, resetting: 0, closing: 0 },
  ...{ pendingLeases: 0, pendingRequests: 0 },
  perShard: [],
}

/** A pool of four connections, and those who wait. */
function stand(counts: Partial<BooksCounts>, kinds: readonly WaiterKind[], view: Partial<View> = {}): string[] {
  const waiters = kinds.map(waiter)
  const situation = new Situation({
    name: 'p',
    maxConnections: 4,
    pipelining: 2,
    paused: false,
    counts: { ...NONE, ...counts },
    connectError: undefined,
    stalledMs: 0,
    waiters: () => waiters,
    holders: () => [],
    ...view,
  })
  return waiters.map((each) => situation.phase(each))
}

test('with all connections in use, everybody waits in the queue', () => {
  assert.equal(stand({ connections: 4, inUse: 4 }, ['lease', 'request']), ['queue', 'queue'])
})

test('a connection that comes is what the first waits for; those behind him wait for one in use', () => {
  assert.equal(stand({ connections: 4, inUse: 3, opening: 1 }, ['lease', 'lease']), ['connect', 'queue'])
  assert.equal(stand({ connections: 4, inUse: 3, opening: 1, probing: 1 }, ['lease', 'lease']), ['probe', 'queue'])
  assert.equal(stand({ connections: 4, inUse: 3, resetting: 1 }, ['lease', 'lease']), ['probe', 'queue'])
})

test('a connection that is proved fit comes before one that is opened', () => {
  assert.equal(stand({ connections: 4, inUse: 1, opening: 2, probing: 1, resetting: 1 }, ['lease', 'lease', 'lease', 'lease']), [
    'probe',
    'probe',
    'connect',
    'queue',
  ])
})

test('requests that stand together share a connection that comes, up to the pipelining limit', () => {
  const counts = { connections: 4, inUse: 1, opening: 3, probing: 1 }
  assert.equal(stand(counts, ['request', 'request', 'request', 'lease', 'request', 'lease']), [
    'probe',
    'probe',
    'connect',
    'connect',
    'queue',
    'queue',
  ])
})

test('with none in use nobody waits in the queue, however few come', () => {
  assert.equal(stand({ connections: 1, opening: 1 }, ['lease', 'lease', 'lease']), ['connect', 'connect', 'connect'])
  assert.equal(stand({ connections: 4, closing: 3, opening: 1, probing: 1 }, ['lease', 'lease']), ['probe', 'probe'])
  assert.equal(stand({}, ['lease']), ['connect'])
})

test('where there is room for more connections than are opened now, those for whom it is wait for a connect', () => {
  assert.equal(stand({ connections: 3, inUse: 3 }, ['lease', 'lease']), ['connect', 'queue'])
  assert.equal(stand({ connections: 3, inUse: 2, opening: 1 }, ['lease', 'lease', 'lease']), ['connect', 'connect', 'queue'])
})

test('while the pool is paused everybody waits in the queue', () => {
  assert.equal(stand({ connections: 1, opening: 1 }, ['lease'], { paused: true }), ['queue'])
})

const held = (kind: LeaseInfo['kind'], index: number, heldMs: number, handler?: string): LeaseInfo => ({
  kind,
  connection: { id: `0/${index}/7`, shard: 0, endpoint: 'tcp://127.0.0.1:1', createdAt: 0, uses: 1 },
  acquiredAt: 0,
  heldMs,
  handler,
})

function holding(holders: readonly LeaseInfo[], asked = { times: 0 }): Situation {
  return new Situation({
    name: 'p',
    maxConnections: 9,
    pipelining: 1,
    paused: false,
    counts: { ...NONE, connections: 5, inUse: 3, idle: 1, opening: 1, pendingLeases: 2, pendingRequests: 4 },
    connectError: undefined,
    stalledMs: 0,
    waiters: () => [],
    holders: () => {
      asked.times++
      return holders
    },
  })
}

test('the three who hold longest are named with their ages, and the others counted; they are looked for once', () => {
  const asked = { times: 0 }
  const situation = holding([held('handler', 1, 90.4, 'report'), held('lease', 2, 80), held('stream', 3, 70), held('lease', 4, 60)], asked)
  for (let turn = 0; turn < 3; turn++) {
    assert.is(
      situation.holders,
      "; held longest by the handler 'report' (0/1/7) for 90 ms, a lease (0/2/7) for 80 ms, a stream (0/3/7) for 70 ms and 1 more",
    )
    assert.equal(situation.oldest, [
      { kind: 'handler', connection: '0/1/7', heldMs: 90, handler: 'report' },
      { kind: 'lease', connection: '0/2/7', heldMs: 80 },
      { kind: 'stream', connection: '0/3/7', heldMs: 70 },
    ])
  }
  assert.is(asked.times, 1)
  assert.ok(Object.isFrozen(situation.oldest) && Object.isFrozen(situation.oldest[0])) // many errors share them
  assert.is(holding([]).holders, '')
})

test('the counts are told in words and as numbers', () => {
  const situation = holding([])
  assert.equal(situation.counts, { connections: 5, idle: 1, opening: 1, pending: 6 })
  assert.is(situation.text, '5 of 9 connections (3 in use, 1 idle, 1 opening), 6 waiting, no shard is live')
})

test.run()
