import { SHARE_ENV } from 'node:worker_threads'
import type { Endpoint } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { checkCallOptions } from '../src/call-options.ts'
import { OPTION_NAMES, readOptions, type Settings } from '../src/options.ts'
import { complaint } from './support/refusals.ts'
import { DURATION, FLAG, WHOLE } from './support/wrong-values.ts'

const test = suite('options')
const endpoint = 'tcp://127.0.0.1:6379'
const SECRET = 'hunter2'
const HOST: Endpoint = { transport: 'tcp', host: 'h', port: 1 }

const refused = (options: Record<string, unknown>): string => complaint(() => readOptions({ endpoint, ...options }))

const OBJECT = [1, 'x', null, true, [], Symbol('x')]

/** Values that each option refuses. */
const WRONG: { readonly [Name in keyof Settings]: readonly unknown[] } = {
  endpoint: [
    ...[1, null, {}, '', 'localhost', 'http://h:1', { transport: 'udp', host: 'h', port: 1 }, { endpoint, weight: 0 }],
    ...[[], [[endpoint]], [endpoint, 'localhost'], [undefined], Array(1_001).fill(endpoint), [{ weight: 1 }], [{ endpoint, part: 1 }]],
    ...[...WHOLE, 0, 1_001, Infinity].map((weight) => [{ endpoint, weight }]),
  ],
  balancing: ['random', '', 1, null, true, {}],
  maxPerEndpoint: [...WHOLE, 0, 65_537, Infinity],
  ejection: [
    ...OBJECT,
    { afterFailures: 0 },
    { afterFailures: 1.5 },
    { baseMs: 0 },
    { baseMs: Infinity },
    { maxMs: Infinity },
    { maxEjected: -0.1 },
    { maxEjected: 1.1 },
    { maxEjected: Number.NaN },
    { after: 5 },
  ],
  credentials: [...OBJECT, { user: 'a' }, { password: 5 }, { username: null }],
  protocol: [
    ...OBJECT,
    {},
    () => ({}),
    { reference: {} },
    { reference: { builtin: 'raw', url: 'file:///a' } },
    { reference: { url: 'http://h/' } },
  ],
  handlers: [...OBJECT, {}, { url: './a.js' }, { url: 'http://h/a.js' }],
  shards: [...WHOLE, 65, Infinity],
  maxConnections: [...WHOLE, 0, 65_537, Infinity],
  minConnections: [...WHOLE, Infinity],
  minIdle: [...WHOLE, Infinity],
  maxIdle: [...WHOLE, Infinity],
  pipelining: [...WHOLE, 0, Infinity],
  acquireTimeoutMs: DURATION,
  requestTimeoutMs: DURATION,
  handlerTimeoutMs: DURATION,
  connectTimeoutMs: DURATION,
  lookupTtlMs: DURATION,
  maxConnecting: [...WHOLE, 0],
  failFastAfter: [...WHOLE, 0],
  maxPending: [...WHOLE, 0],
  scheduling: ['random', 'LIFO', '', 1, null, true, {}],
  idleTimeoutMs: DURATION,
  maxLifetimeMs: DURATION,
  maxUses: [...WHOLE, 0],
  leakDetectionMs: DURATION,
  detectNestedAcquire: FLAG,
  maxLeaseMs: DURATION,
  probeAfterIdleMs: DURATION,
  probeTimeoutMs: DURATION,
  heartbeatMs: DURATION,
  maxMainStallMs: DURATION,
  shardStallMs: DURATION,
  maxShardStallMs: DURATION,
  inactivityTimeoutMs: DURATION,
  keepAlive: FLAG,
  keepAliveInitialDelayMs: [...DURATION, Infinity],
  noDelay: FLAG,
  backoff: [...OBJECT, { initialMs: 0 }, { maxMs: Infinity }, { factor: 0.5 }, { factor: Number.NaN }, { jitter: true }],
  retryStale: [...WHOLE, 11, Infinity],
  retryBudget: [
    ...OBJECT,
    { ratio: -0.1 },
    { ratio: Infinity },
    { ratio: Number.NaN },
    { minPerSecond: -1 },
    { minPerSecond: '1' },
    { percent: 5 },
  ],
  maxReplyBytes: [...WHOLE, 0, Infinity],
  ringBytes: [0, 4095, 5000, 2 ** 31, '4096', null, true, { toMain: 1 }, { main: 4096 }, Number.NaN],
  highWaterMark: [...WHOLE, 0, 1023, Infinity],
  maxBufferedBytes: [...WHOLE, 0],
  worker: [
    ...OBJECT,
    { url: './x.js' },
    { env: { A: 1 } },
    { env: 5 },
    { execArgv: '--x' },
    { execArgv: [1] },
    { resourceLimits: { heap: 1 } },
    { resourceLimits: { stackSizeMb: 0 } },
  ],
  tls: [
    ...OBJECT,
    { checkServerIdentity: () => undefined },
    { key: () => SECRET },
    { ca: [1] },
    { minVersion: 'TLSv1' },
    { rejectUnauthorized: 0 },
    { ALPNProtocols: 'h2' },
  ],
  allowExitOnIdle: FLAG,
  name: ['', 'x'.repeat(101), 'a\nb', 5, null, {}],
}

for (const name of OPTION_NAMES) {
  test(`${name} refuses every wrong value and says its name`, () => {
    for (const value of WRONG[name]) {
      const message = refused({ [name]: value })
      assert.ok(message.startsWith(name), `${name} of ${String(value)}: ${message}`)
    }
  })
}

test('the defaults are those of the documentation', () => {
  const { name, shards, ...rest } = readOptions({ endpoint })
  assert.match(name, /^pool-\d+$/)
  assert.ok(shards >= 1 && shards <= 4)
  assert.equal(rest, {
    endpoint: [{ endpoint: { transport: 'tcp', host: '127.0.0.1', port: 6379 }, weight: 1 }],
    balancing: 'least-pending',
    maxPerEndpoint: 10,
    ejection: { afterFailures: 5, baseMs: 30_000, maxMs: 300_000, maxEjected: 0.5 },
    credentials: undefined,
    protocol: { builtin: 'raw', options: undefined },
    handlers: undefined,
    maxConnections: 10,
    minConnections: 0,
    minIdle: 0,
    maxIdle: 10,
    pipelining: undefined,
    acquireTimeoutMs: 10_000,
    requestTimeoutMs: 30_000,
    handlerTimeoutMs: Infinity,
    connectTimeoutMs: 5_000,
    lookupTtlMs: 30_000,
    maxConnecting: 16,
    failFastAfter: 3,
    maxPending: 10_000,
    scheduling: 'lifo',
    idleTimeoutMs: 30_000,
    maxLifetimeMs: 1_800_000,
    maxUses: Infinity,
    leakDetectionMs: Infinity,
    detectNestedAcquire: false,
    maxLeaseMs: Infinity,
    probeAfterIdleMs: 1_000,
    probeTimeoutMs: 1_000,
    heartbeatMs: Infinity,
    maxMainStallMs: 60_000,
    shardStallMs: 2_000,
    maxShardStallMs: Infinity,
    inactivityTimeoutMs: Infinity,
    keepAlive: true,
    keepAliveInitialDelayMs: 15_000,
    noDelay: true,
    retryStale: 1,
    retryBudget: { ratio: 0.2, minPerSecond: 10 },
    backoff: { initialMs: 100, maxMs: 5_000, factor: 2 },
    maxReplyBytes: 16_777_216,
    ringBytes: { toMain: 4_194_304, toShard: 1_048_576 },
    highWaterMark: 262_144,
    maxBufferedBytes: 268_435_456,
    worker: { url: undefined, env: undefined, execArgv: undefined, resourceLimits: undefined },
    tls: undefined,
    allowExitOnIdle: true,
  })
})

test('the number of shards by default never passes the number of connections', () => {
  assert.is(readOptions({ endpoint, maxConnections: 1 }).shards, 1)
})

test('an undefined option is its default', () => {
  const settings = readOptions({ endpoint, maxConnections: undefined, backoff: { factor: undefined }, tls: undefined })
  assert.is(settings.maxConnections, 10)
  assert.is(settings.backoff.factor, 2)
})

test('every option keeps a good value', () => {
  const given = {
    shards: 0,
    maxConnections: 65_536,
    minConnections: 3,
    maxIdle: 4,
    pipelining: 1,
    acquireTimeoutMs: 0.5,
    requestTimeoutMs: Infinity,
    handlerTimeoutMs: 2 ** 31 - 1,
    maxPending: Infinity,
    maxBufferedBytes: Infinity,
    keepAlive: false,
    noDelay: false,
    allowExitOnIdle: false,
    name: 'orders',
    backoff: { initialMs: 1, maxMs: 2, factor: 1 },
    ringBytes: { toMain: 8192, toShard: 4096 },
    balancing: 'round-robin',
    maxPerEndpoint: 3,
    ejection: { afterFailures: Infinity, baseMs: 1, maxMs: 1, maxEjected: 0 },
    retryStale: 0,
    retryBudget: { ratio: 0, minPerSecond: Infinity },
  }
  const settings = readOptions({ endpoint, ...given })
  for (const [name, value] of Object.entries(given)) assert.equal(Reflect.get(settings, name), value, name)
})

test('one number sets both rings, and a ring that is not given keeps its default', () => {
  assert.equal(readOptions({ endpoint, ringBytes: 65_536 }).ringBytes, { toMain: 65_536, toShard: 65_536 })
  assert.equal(readOptions({ endpoint, ringBytes: { toShard: 65_536 } }).ringBytes, { toMain: 4_194_304, toShard: 65_536 })
})

test('options that contradict each other are refused', () => {
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ minConnections: 11 }, /^minConnections: must be at most maxConnections \(10\), not 11$/],
    [{ maxIdle: 11 }, /^maxIdle: .*maxConnections \(10\)/],
    [{ minConnections: 3, maxIdle: 2 }, /^maxIdle: must be at least minConnections \(3\)/],
    [{ leakDetectionMs: 50, maxLeaseMs: 50 }, /^leakDetectionMs: must be less than maxLeaseMs \(50\), not 50$/],
    [{ minIdle: 11 }, /^minIdle: must be at most maxIdle \(10\), not 11$/],
    [{ maxConnections: 2, shards: 3 }, /^shards: must be at most maxConnections \(2\)/],
    [{ backoff: { initialMs: 5, maxMs: 4 } }, /^backoff.initialMs: must be at most backoff.maxMs \(4\)/],
    [{ maxShardStallMs: 1_999 }, /^maxShardStallMs: must be at least shardStallMs \(2000\), not 1999$/],
    [{ shardStallMs: Infinity, maxShardStallMs: 5_000 }, /^maxShardStallMs: must be at least shardStallMs \(Infinity\)/],
    [{ tls: {} }, /^tls: goes with a tls:\/\/ endpoint, and there is none$/],
    [{ endpoint: ['unix:/a', endpoint], tls: {} }, /^tls: .*there is none/],
    [{ endpoint: 'tls://h:1', tls: { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' } }, /^tls.minVersion: /],
  ]
  for (const [options, message] of cases) assert.match(refused(options), message)
})

test('an unknown option is answered with the nearest one', () => {
  assert.match(refused({ maxConections: 1 }), /did you mean maxConnections\?/)
  assert.match(refused({ requestTimeouts: 1 }), /did you mean requestTimeoutMs\?/)
  assert.match(refused({ backoff: { maxMS: 1 } }), /^backoff.maxMS: .*did you mean maxMs\?/)
  assert.is(refused({ zzz: 1 }), 'zzz: is an unknown option')
})

test('the names of other pools are answered with ours', () => {
  const pairs: [string, string][] = [
    ['max', 'maxConnections'],
    ['min', 'minConnections'],
    ['maxWaitingClients', 'maxPending'],
    ['acquireTimeoutMillis', 'acquireTimeoutMs'],
    ['idleTimeoutMillis', 'idleTimeoutMs'],
    ['testOnBorrow', 'probeAfterIdleMs'],
    ['createTimeoutMillis', 'connectTimeoutMs'],
    ['connectionTimeoutMillis', 'acquireTimeoutMs'],
    ['connectionLimit', 'maxConnections'],
    ['queueLimit', 'maxPending'],
    ['connections', 'maxConnections'],
    ['toString', ''],
    ['constructor', ''],
  ]
  for (const [theirs, ours] of pairs) assert.ok(refused({ [theirs]: 1 }).includes(ours), theirs)
})

test('options that do not act yet are unknown', () => {
  for (const name of ['priority']) {
    assert.match(refused({ [name]: 1 }), /is an unknown option/)
  }
})

test('what may be a secret is never printed', () => {
  const url = 'file:///protocol.js'
  const messages = [
    refused({ endpoint: `tcp://user:${SECRET}@host:1` }),
    refused({ endpoint: { transport: 'tcp', host: 'h', port: SECRET } }),
    refused({ endpoint: { transport: 'tcp', host: 'h', port: 1, password: SECRET } }),
    refused({ credentials: SECRET }),
    refused({ credentials: { password: [SECRET] } }),
    refused({ endpoint: 'tls://h:1', tls: SECRET }),
    refused({ endpoint: 'tls://h:1', tls: { passphrase: [SECRET], key: SECRET } }),
    refused({ endpoint: 'tls://h:1', tls: { minVersion: SECRET } }),
    refused({ protocol: { reference: { url, options: { password: SECRET, hook: () => SECRET } } } }),
  ]
  for (const message of messages) assert.not.match(message, SECRET)
})

test('properties of Object.prototype have no effect', () => {
  const protocol = { reference: { builtin: 'resp', options: {} } }
  const polluted = {
    maxConnections: 1,
    tls: {},
    initialMs: 1,
    toMain: 4096,
    env: { A: 'b' },
    username: 'x',
    timeoutMs: 1,
    url: 'file:///x',
  }
  Object.assign(Object.prototype, polluted)
  try {
    const settings = readOptions({ endpoint: { transport: 'tcp', host: 'h', port: 1 }, protocol, backoff: {}, ringBytes: {}, worker: {} })
    assert.is(settings.maxConnections, 10)
    assert.is(settings.tls, undefined)
    assert.is(settings.backoff.initialMs, 100)
    assert.is(settings.ringBytes.toMain, 4_194_304)
    assert.is(settings.worker.env, undefined)
    assert.is(settings.worker.url, undefined)
    assert.is(checkCallOptions({}, 'close').timeoutMs, undefined)
    assert.match(
      complaint(() => readOptions(Object.create({ endpoint }))),
      /^endpoint: is missing/,
    )
  } finally {
    for (const key of Object.keys(polluted)) Reflect.deleteProperty(Object.prototype, key)
  }
})

test('changing the options after the call changes nothing', async () => {
  const ca = Buffer.from('first')
  const options = {
    endpoint: { transport: 'tls', host: 'h', port: 1 },
    credentials: { username: 'first' },
    protocol: { reference: { builtin: 'resp', options: { database: 0 } } },
    backoff: { initialMs: 1 },
    tls: { ca: [ca], ALPNProtocols: ['first'] },
    worker: { env: { A: 'first' }, execArgv: ['first'] },
  }
  const settings = readOptions(options)
  const before = structuredClone({ ...settings, credentials: undefined })
  options.endpoint.host = options.credentials.username = options.worker.env.A = 'second'
  options.protocol.reference.options.database = options.backoff.initialMs = 2
  options.tls.ALPNProtocols[0] = options.worker.execArgv[0] = 'second'
  ca.write('other')
  assert.equal(structuredClone({ ...settings, credentials: undefined }), before)
  assert.equal((await settings.credentials?.(HOST))?.username, 'first')
})

test('the settings are frozen', () => {
  const settings = readOptions({ endpoint, worker: { execArgv: [] } })
  for (const value of [
    settings,
    settings.endpoint,
    ...(settings.endpoint as readonly object[]),
    settings.ejection,
    settings.protocol,
    settings.backoff,
    settings.ringBytes,
    settings.retryBudget,
    settings.worker,
    settings.worker.execArgv,
  ]) {
    assert.ok(Object.isFrozen(value))
  }
})

test('credentials from a function are asked anew and checked', async () => {
  let asked = 0
  const settings = readOptions({ endpoint, credentials: async () => ({ username: 'u', password: String(++asked) }) })
  assert.is((await settings.credentials?.(HOST))?.password, '1')
  assert.is((await settings.credentials?.(HOST))?.password, '2')
  const wrong = readOptions({ endpoint, credentials: () => SECRET })
  const message = await wrong.credentials?.(HOST).then(String, String)
  assert.match(message ?? '', /^PoolError: credentials: what the function returned/)
  assert.not.match(message ?? '', SECRET)
})

test('the environment may be shared with the threads', () => {
  assert.is(readOptions({ endpoint, worker: { env: SHARE_ENV } }).worker.env, SHARE_ENV)
  assert.equal({ ...Object(readOptions({ endpoint, worker: { env: { A: 'b', C: undefined } } }).worker.env) }, { A: 'b' })
})

test('pools without a name get different ones', () => {
  assert.is.not(readOptions({ endpoint }).name, readOptions({ endpoint }).name)
})

test('options that are no object are refused', () => {
  for (const input of [undefined, null, 1, 'tcp://h:1', [], () => 1])
    assert.match(
      complaint(() => readOptions(input)),
      /^options: must be an object/,
    )
})

test.run()
