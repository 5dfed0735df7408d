/** What an unknown option is answered with: ours for another pool's name, why there is none, or the nearest of ours. */
import { nearest } from './nearest.ts'

/** Ours, with what is to be said of it, and the names of other pools that it stands for. */
const OURS: readonly (readonly [ours: string, theirs: string])[] = [
  ['endpoint', 'host hosts port path url uri connectionString socketPath upstreams nodes'],
  ['balancing', 'defaultSelector loadBalancing lbPolicy'],
  ['ejection', 'errorPenalty maxWeightPerServer removeNodeErrorCount restoreNodeTimeout'],
  ['credentials', 'user username password password1'],
  ['tls', 'ssl'],
  ['protocol', 'create destroy validate factory connect verify onConnect Client connection stream'],
  ['pipelining', 'pipeline maxConcurrentStreams'],
  ['shards', 'minThreads maxThreads threads workers'],
  ['maxConnections', 'max poolSize connectionLimit connections maxSockets maxTotalSockets'],
  ['minConnections', 'min'],
  ['maxIdle', 'maxFreeSockets'],
  ['scheduling', 'fifo'],
  ['acquireTimeoutMs', 'acquireTimeoutMillis connectionTimeoutMillis'],
  ['connectTimeoutMs', 'createTimeoutMillis connectTimeout connect_timeout'],
  ['requestTimeoutMs', 'query_timeout headersTimeout bodyTimeout requestTimeout'],
  ['maxPending', 'maxWaitingClients queueLimit maxQueue'],
  ['idleTimeoutMs', 'idleTimeoutMillis softIdleTimeoutMillis idleTimeout keepAliveTimeout'],
  ['maxLifetimeMs', 'maxLifetimeSeconds clientTtl'],
  ['maxUses', 'maxRequestsPerClient'],
  ['probeAfterIdleMs', 'testOnBorrow'],
  ['keepAlive', 'enableKeepAlive keepalives'],
  ['keepAliveInitialDelayMs', 'keepAliveInitialDelay keepAliveInitialDelayMillis keepalives_idle'],
  ['backoff.initialMs', 'createRetryIntervalMillis'],
  ['failFastAfter', 'propagateCreateError'],
  ['maxReplyBytes', 'maxResponseSize'],
  ['pool.close({ timeoutMs })', 'destroyTimeoutMillis gracefulEnd'],
  ['pool.tryAcquire()', 'waitForConnections'],
  ['pool.events', 'log'],
]

/** Why there is none, and the names that it goes for. */
const NONE: readonly (readonly [why: string, theirs: string])[] = [
  ['the pool starts when it is made; pool.ready() waits for it', 'autostart'],
  ['priorities are always 0 to 9, an option of each call', 'priorityRange'],
  [
    'idle connections are watched by events, and one timer ends those that had their time',
    'evictionRunIntervalMillis numTestsPerEvictionRun reapIntervalMillis',
  ],
  ["what a released connection needs is the protocol's reset", 'testOnReturn resetOnRelease'],
  ['promises are those of the language', 'Promise'],
  [
    "a server's hint only shortens idleTimeoutMs: connection.keepAlive(ms) of a protocol or a handler, or release({ keepAliveMs })",
    'keepAliveMaxTimeout maxKeepAliveTimeout keepAliveTimeoutThreshold',
  ],
  ['requestTimeoutMs limits a request, idleTimeoutMs an idle connection', 'socketTimeout'],
  [
    'the server keeps it: set it in a hook of the protocol; requestTimeoutMs is the limit of a call',
    'statement_timeout lock_timeout idle_in_transaction_session_timeout',
  ],
  [
    'addresses are tried as Node tries them, and the system chooses the local one',
    'autoSelectFamily autoSelectFamilyAttemptTimeout localAddress',
  ],
  ['TLS sessions are the business of Node', 'maxCachedSessions'],
  [
    'HTTP is not spoken here',
    'maxHeaderSize strictContentLength allowH2 useH2c initialWindowSize connectionWindowSize pingInterval webSocket eventSource interceptors maxOrigins',
  ],
  [
    "it belongs to the database's library, which a protocol wraps: give it as an option of the protocol",
    'database application_name fallback_application_name client_encoding replication binary options types rows parseInputDatesAsUTC ' +
      'enableChannelBinding scramMaxIterations sslnegotiation ' +
      'authPlugins authSwitchHandler bigNumberStrings charset charsetNumber compress connectAttributes dateStrings debug decimalNumbers flags ' +
      'insecureAuth infileStreamFactory isServer maxPreparedStatements multipleStatements namedPlaceholders nestTables password2 password3 ' +
      'passwordSha1 pool queryFormat rowsAsArray stringifyObjects supportBigNumbers timezone trace typeCast disableEval enableCleartextPlugin ' +
      'jsonStrings',
  ],
]

function byName(table: readonly (readonly [string, string])[]): ReadonlyMap<string, string> {
  return new Map(table.flatMap(([answer, theirs]) => theirs.split(' ').map((name): [string, string] => [name, answer])))
}

const NAMED: ReadonlyMap<string, string> = byName(OURS)
const REFUSED: ReadonlyMap<string, string> = byName(NONE)

/** Names of ours that others' names are answered with: options, fields of them, and calls of a pool. */
export const ANSWERS: readonly string[] = OURS.map(([ours]) => ours)

/**
 * What is wrong with an option that does not exist.
 *
 * @param known - The names that do.
 */
export function unknownOption(key: string, known: readonly string[]): string {
  const ours = NAMED.get(key)
  if (ours !== undefined) return `is unknown here; Cenote's is ${ours}`
  const why = REFUSED.get(key)
  if (why !== undefined) return `is unknown here, and Cenote has none: ${why}`
  const near = nearest(key, known)
  return near === undefined ? 'is an unknown option' : `is an unknown option; did you mean ${near}?`
}
