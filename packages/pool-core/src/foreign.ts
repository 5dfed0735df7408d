/** What an unknown option is answered with: the nearest of ours, or ours for another pool's name. */
/** The word among `words` that needs the fewest edits, if so few that it may be meant. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  let best: string | undefined
  let fewest = Math.min(4, Math.floor(word.length / 3) + 1)
  for (const candidate of words) {
    const edits = distance(word.toLowerCase(), candidate.toLowerCase())
    if (edits < fewest) [best, fewest] = [candidate, edits]
  }
  return best
}

/** Levenshtein's distance, in one row. */
function distance(a: string, b: string): number {
  if (a.length > 64) return a.length
  const row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    let diagonal = i - 1
    row[0] = i
    for (let j = 1; j <= b.length; j++) {
      // In range: j runs from 1 to the row's last index.
      const above = row[j] as number
      const left = row[j - 1] as number
      row[j] = Math.min(above + 1, left + 1, diagonal + (a[i - 1] === b[j - 1] ? 0 : 1))
      diagonal = above
    }
  }
  return row[b.length] as number
}

/** Options of other pools, by the one of ours that does the same. */
const FOREIGN: ReadonlyMap<string, string> = new Map([
  // generic-pool
  ['max', 'maxConnections'],
  ['min', 'minConnections'],
  ['maxWaitingClients', 'maxPending'],
  ['acquireTimeoutMillis', 'acquireTimeoutMs'],
  ['idleTimeoutMillis', 'idleTimeoutMs'],
  ['softIdleTimeoutMillis', 'idleTimeoutMs'],
  ['testOnBorrow', 'probeAfterIdleMs'],
  ['testOnReturn', 'probeAfterIdleMs'],
  ['destroyTimeoutMillis', 'close({ timeoutMs })'],
  // tarn
  ['createTimeoutMillis', 'connectTimeoutMs'],
  ['createRetryIntervalMillis', 'backoff.initialMs'],
  ['propagateCreateError', 'acquireTimeoutMs'],
  ['validate', 'probeAfterIdleMs'],
  // pg-pool
  ['maxLifetimeSeconds', 'maxLifetimeMs'],
  ['connectionTimeoutMillis', 'acquireTimeoutMs'],
  ['query_timeout', 'requestTimeoutMs'],
  ['statement_timeout', 'requestTimeoutMs'],
  ['ssl', 'tls'],
  ['host', 'endpoint'],
  ['port', 'endpoint'],
  ['path', 'endpoint'],
  ['url', 'endpoint'],
  ['user', 'credentials'],
  ['username', 'credentials'],
  ['password', 'credentials'],
  ['keepAliveInitialDelayMillis', 'keepAliveInitialDelayMs'],
  // mysql2
  ['connectionLimit', 'maxConnections'],
  ['queueLimit', 'maxPending'],
  ['connectTimeout', 'connectTimeoutMs'],
  ['idleTimeout', 'idleTimeoutMs'],
  ['enableKeepAlive', 'keepAlive'],
  ['keepAliveInitialDelay', 'keepAliveInitialDelayMs'],
  ['socketPath', 'endpoint'],
  // undici and node:http
  ['connections', 'maxConnections'],
  ['keepAliveTimeout', 'idleTimeoutMs'],
  ['bodyTimeout', 'requestTimeoutMs'],
  ['headersTimeout', 'requestTimeoutMs'],
  ['maxSockets', 'maxConnections'],
  ['maxTotalSockets', 'maxConnections'],
  ['maxFreeSockets', 'maxIdle'],
  // piscina
  ['minThreads', 'shards'],
  ['maxThreads', 'shards'],
  ['threads', 'shards'],
  ['workers', 'shards'],
  ['maxQueue', 'maxPending'],
])

/**
 * What is wrong with an option that does not exist.
 *
 * @param known - The names that do.
 */
export function unknownOption(key: string, known: readonly string[]): string {
  const ours = FOREIGN.get(key)
  if (ours !== undefined) return `is unknown here; Cenote's is ${ours}`
  const near = nearest(key, known)
  return near === undefined ? 'is an unknown option' : `is an unknown option; did you mean ${near}?`
}
