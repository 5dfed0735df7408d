import { PoolError } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { ANSWERS } from '../src/foreign.ts'
import { OPTION_NAMES, readOptions } from '../src/options.ts'
import { fieldsTold } from './support/options-page.ts'
import { membersOf } from './support/surface.ts'

const test = suite('foreign')

/** What each library's own sources take, and which of these names are ours too. */
const LIBRARIES: readonly { readonly library: string; readonly names: string; readonly shared?: string }[] = [
  {
    library: 'generic-pool 3.9.0',
    names:
      'create destroy validate max min maxWaitingClients testOnBorrow testOnReturn acquireTimeoutMillis destroyTimeoutMillis priorityRange ' +
      'fifo autostart evictionRunIntervalMillis numTestsPerEvictionRun softIdleTimeoutMillis idleTimeoutMillis Promise',
  },
  {
    library: 'tarn 3.1.2',
    names:
      'create validate destroy log min max acquireTimeoutMillis createTimeoutMillis destroyTimeoutMillis idleTimeoutMillis ' +
      'reapIntervalMillis createRetryIntervalMillis propagateCreateError',
  },
  {
    library: 'pg-pool 3.14.0',
    names: 'max poolSize min maxLifetimeSeconds log Client Promise idleTimeoutMillis connectionTimeoutMillis onConnect verify',
    shared: 'maxUses allowExitOnIdle',
  },
  {
    library: 'pg 8.23.1',
    names:
      'user database password port host connectionString ssl sslnegotiation client_encoding replication binary options types rows ' +
      'parseInputDatesAsUTC application_name fallback_application_name statement_timeout lock_timeout idle_in_transaction_session_timeout ' +
      'query_timeout connect_timeout keepalives keepalives_idle connectionTimeoutMillis keepAliveInitialDelayMillis stream connection Promise ' +
      'enableChannelBinding scramMaxIterations pipeline',
    shared: 'keepAlive',
  },
  {
    library: 'undici 7.30.2 Pool and Client',
    names:
      'connections factory connect connectTimeout maxCachedSessions socketPath autoSelectFamily autoSelectFamilyAttemptTimeout allowH2 ' +
      'clientTtl interceptors maxHeaderSize headersTimeout socketTimeout requestTimeout bodyTimeout idleTimeout keepAliveTimeout ' +
      'maxKeepAliveTimeout keepAliveMaxTimeout keepAliveTimeoutThreshold strictContentLength maxRequestsPerClient localAddress ' +
      'maxResponseSize maxConcurrentStreams useH2c initialWindowSize connectionWindowSize pingInterval webSocket eventSource',
    shared: 'pipelining tls keepAlive',
  },
  {
    library: 'mysql2 3.24.6',
    names:
      'authPlugins authSwitchHandler bigNumberStrings charset charsetNumber compress connectAttributes connectTimeout database dateStrings ' +
      'debug decimalNumbers enableKeepAlive flags host insecureAuth infileStreamFactory isServer keepAliveInitialDelay localAddress ' +
      'maxPreparedStatements multipleStatements namedPlaceholders nestTables password password1 password2 password3 passwordSha1 pool port ' +
      'queryFormat rowsAsArray socketPath ssl stream stringifyObjects supportBigNumbers timezone trace typeCast uri user disableEval ' +
      'enableCleartextPlugin connectionLimit idleTimeout Promise queueLimit resetOnRelease waitForConnections jsonStrings gracefulEnd',
    shared: 'maxIdle',
  },
]

function refusal(name: string): string {
  try {
    readOptions({ endpoint: 'tcp://127.0.0.1:1', [name]: 1 })
  } catch (error) {
    if (PoolError.is(error) && error.code === 'BAD_OPTION') return error.message
    throw error
  }
  throw new Error(`${name} was accepted`)
}

for (const { library, names, shared } of LIBRARIES) {
  test(`every option of ${library} that is not ours is refused with ours, or with why there is none`, () => {
    for (const name of names.split(' ')) {
      const [start] = /^(\w+: is unknown here; Cenote's is \w|\w+: is unknown here, and Cenote has none: \w)/.exec(refusal(name)) ?? []
      assert.ok(start?.startsWith(`${name}: `), refusal(name))
    }
  })

  if (shared !== undefined)
    test(`what ${library} calls as we do is an option`, () => {
      const ours: readonly string[] = OPTION_NAMES
      for (const name of shared.split(' ')) assert.ok(ours.includes(name), name)
    })
}

test('no answer names what does not exist', () => {
  const members = membersOf('packages/pool-core/src/pool.ts').map(({ name }) => `pool.${name}`)
  const there = [...OPTION_NAMES, ...fieldsTold().map(({ name }) => name), ...members]
  assert.ok(members.length > 10, 'the members are found')
  for (const answer of ANSWERS) assert.ok(there.includes(answer.replace(/\(.*\)$/, '')), answer)
})

test("other pools' names are not ours to shadow", () => {
  const ours: readonly string[] = OPTION_NAMES
  for (const { names } of LIBRARIES) for (const name of names.split(' ')) assert.not.ok(ours.includes(name), name)
})

test.run()
