/** The options of other pools' libraries, as their own sources take them. */
import { readOptions } from '../../src/options.ts'
import { refusalOf } from './refusals.ts'

export interface Library {
  readonly library: string
  /** What it takes, without what we call the same. */
  readonly names: string
  /** What it calls as we do. */
  readonly shared?: string
}

export const LIBRARIES: readonly Library[] = [
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

/** What `createPool` says to such a name. */
export const refusal = (name: string): string => refusalOf(() => readOptions({ endpoint: 'tcp://127.0.0.1:1', [name]: 1 }))
