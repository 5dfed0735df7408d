import { once } from 'node:events'
import { createServer } from 'node:net'
import { Worker } from 'node:worker_threads'
import type { Counters, EndpointStats, PoolStats, ShardStats } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { suite, until } from '../../pool-worker/test/kit/kit.ts'
import { final, momentary } from './support/adds-up.ts'
import { leftovers, resources } from './support/leftovers.ts'
import { listen } from './support/peers.ts'

const test = suite('after every test')

const NOTHING = { count: 0, mean: 0, p50: 0, p90: 0, p99: 0, max: 0 }
const EMPTY = { connections: 0, idle: 0, opening: 0, inUse: 0, resetting: 0, closing: 0 }
const SHARD: ShardStats = {
  ...EMPTY,
  shard: 0,
  state: 'restarting',
  handlers: 0,
  utilization: 0,
  busyMs: 0,
  elapsedMs: 0,
  delay: { p50: 0, p99: 0, max: 0 },
}

const ALL = { succeeded: 1, failed: 1, aborted: 1 }

const COUNTERS: Counters = {
  opening: 6,
  opened: 3,
  connectFailures: 2,
  connectsAbandoned: 1,
  closed: 3,
  closedBy: { shutdown: 2, idle: 1 },
  acquired: 5,
  released: 4,
  reclaimed: 1,
  acquires: 3,
  requests: 3,
  handlers: 3,
  ended: { acquires: ALL, requests: ALL, handlers: ALL },
  failedBy: { CONNECTION_LOST: 2, REQUEST_TIMEOUT: 1 },
  moved: 0,
  retriesRefused: 0,
  waitTimeouts: 0,
  timeouts: 0,
  lookups: 0,
  refused: 0,
  shardsLost: 0,
}

const ENDPOINT: EndpointStats = {
  ...EMPTY,
  endpoint: 'unix:/a',
  weight: 1,
  state: 'up',
  pending: 0,
  ewmaMs: undefined,
  counters: { opened: 3, closed: 3, connectFailures: 2, requests: 7 },
}

/** A shard and an endpoint that have all connections, unless it is said otherwise. */
function statsOf(
  counters: Partial<Counters> = {},
  more: Partial<PoolStats> = {},
  shard: Partial<ShardStats> = {},
  endpoint: Partial<EndpointStats> = {},
): PoolStats {
  const times = { wait: NOTHING, connect: NOTHING, use: NOTHING }
  const { connections = 0, idle = 0, closing = 0 } = more
  const limits = { maxConnections: 10, minConnections: 0, maxIdle: 10, minIdle: 0 }
  const now = { limits, pending: { leases: 0, requests: 0 }, inFlight: 0, paused: false, bufferedBytes: 0 }
  return {
    name: 'it',
    ...EMPTY,
    ...now,
    ...times,
    load: { overMs: 0, calls: 0, served: 0, usedMs: 0, waitedMs: 0 },
    counters: { ...COUNTERS, ...counters },
    shards: [{ ...SHARD, connections, idle, closing, ...shard }],
    endpoints: [{ ...ENDPOINT, connections, idle, closing, ...endpoint }],
    ...more,
  }
}

test('numbers that add up are right', () => {
  assert.equal(final(statsOf()), [])
  assert.equal(momentary(statsOf({ closed: 2, closedBy: { idle: 2 } }, { connections: 1, idle: 1 })), [])
})

const WRONG: readonly [string, RegExp, PoolStats][] = [
  ['a connection that is still counted', /connections: 1/, statsOf({}, { connections: 1, idle: 1 })],
  ['a state that is counted twice', /the states add up/, statsOf({}, { idle: 1 })],
  ['a shard that differs from the whole', /closing of all shards/, statsOf({}, {}, { connections: 1, closing: 1 })],
  ['an endpoint that differs from the whole', /idle of all endpoints: 1, not 0/, statsOf({}, {}, {}, { connections: 1, idle: 1 })],
  [
    'a connection of an endpoint whose end was not counted',
    /open at endpoints: 1/,
    statsOf({}, {}, {}, { counters: { ...ENDPOINT.counters, closed: 2 } }),
  ],
  ['a caller who still waits', /pending leases: 1/, statsOf({}, { pending: { leases: 1, requests: 0 } })],
  ['a handler that still runs', /handlers: 1/, statsOf({}, {}, { handlers: 1 })],
  ['a reason that was not counted', /the reasons/, statsOf({ closedBy: { idle: 1 } })],
  ['a connection whose end was not counted', /opened = closed: 3, 2/, statsOf({ closed: 2, closedBy: { idle: 2 } })],
  ['a connect of which nothing is known', /opening = /, statsOf({ opening: 7 })],
  ['a lease that was not given back', /acquired = released \+ reclaimed: 6, 5/, statsOf({ acquired: 6 })],
  ['a request that was never answered', /requests = those that ended: 4, 3/, statsOf({ requests: 4 })],
  ['a request that was answered twice', /more has ended than begun: requests/, statsOf({ requests: 2 })],
  ['a handler that was never answered', /handlers = those that ended: 4, 3/, statsOf({ handlers: 4 })],
  ['an acquire that was never answered', /acquires = those that ended: 4, 3/, statsOf({ acquires: 4 })],
  ['a failure without its code', /the codes/, statsOf({ failedBy: { CONNECTION_LOST: 2 } })],
  ['a request that is still under way', /inFlight: 1/, statsOf({ requests: 4 }, { inFlight: 1 })],
  ['a request that neither waits nor is in flight', /requests − ended − inFlight wait: 1/, statsOf({ requests: 4 })],
  ['bytes that still wait', /bufferedBytes: 3/, statsOf({}, { bufferedBytes: 3 })],
  ['a lease that was given back twice', /more has ended than begun: acquired/, statsOf({ released: 6 })],
]

for (const [what, told, stats] of WRONG) test(`it is told: ${what}`, () => assert.match(final(stats).join('; '), told))

test('what a test leaves in the process is told by its kind: a server, a thread, a timer that keeps nothing alive', async () => {
  const before = resources()
  const server = createServer()
  await listen(server)
  const worker = new Worker('require("node:worker_threads").parentPort.on("message", () => undefined)', { eval: true })
  await once(worker, 'online')
  const timer = setTimeout(() => undefined, 1e9)
  timer.unref()
  const left = leftovers(before).join(' ')
  for (const kind of ['socket: 1', 'TCPServerWrap: 1', 'thread: 1', 'timer: 1']) assert.match(left, kind)
  clearTimeout(timer)
  server.close()
  await worker.terminate()
  await until(() => leftovers(before).length === 0, 'all of it is gone')
})

test.run()
