/**
 * Every name that OpenTelemetry is given, in one place: those of databases are still in development there, and may change.
 *
 * @see semantic conventions 1.45, `db.client.connection.*`
 */

/** What an instrument is. All but histograms are observed when somebody reads. */
export type MetricKind = 'upDownCounter' | 'counter' | 'gauge' | 'histogram'

/** One metric. */
export interface Metric {
  readonly name: string
  readonly kind: MetricKind
  readonly unit: string
  readonly description: string
}

/** What names of connection metrics and of their attributes begin with: by convention for databases, else our own. */
export const PREFIX = { database: 'db.client.', own: 'cenote.' } as const

/** Of the pool's connections; each name goes behind a prefix. */
export const CONNECTION_METRICS = {
  count: { name: 'connection.count', kind: 'upDownCounter', unit: '{connection}', description: 'Open connections, idle or used.' },
  idleMax: { name: 'connection.idle.max', kind: 'upDownCounter', unit: '{connection}', description: 'The most that may be idle.' },
  idleMin: { name: 'connection.idle.min', kind: 'upDownCounter', unit: '{connection}', description: 'How many are kept idle.' },
  limit: { name: 'connection.limit', kind: 'upDownCounter', unit: '{connection}', description: 'The most that may be open.' },
  pending: { name: 'connection.pending_requests', kind: 'upDownCounter', unit: '{request}', description: 'Callers who wait.' },
  timeouts: { name: 'connection.timeouts', kind: 'counter', unit: '{timeout}', description: 'Callers who waited in vain.' },
  createTime: { name: 'connection.create_time', kind: 'histogram', unit: 's', description: 'How long a connection took to open.' },
  waitTime: { name: 'connection.wait_time', kind: 'histogram', unit: 's', description: 'How long callers waited who had to.' },
  useTime: { name: 'connection.use_time', kind: 'histogram', unit: 's', description: 'How long leases and handlers held one.' },
} as const

/** What has no convention. */
export const OWN_METRICS = {
  calls: { name: 'cenote.calls', kind: 'counter', unit: '{call}', description: 'Calls that have ended, and how.' },
  failures: { name: 'cenote.failures', kind: 'counter', unit: '{call}', description: 'Calls that failed, by code.' },
  inFlight: { name: 'cenote.requests.in_flight', kind: 'upDownCounter', unit: '{request}', description: 'Requests with a connection.' },
  closed: { name: 'cenote.connections.closed', kind: 'counter', unit: '{connection}', description: 'Connections that ended, and why.' },
  buffered: { name: 'cenote.buffered', kind: 'upDownCounter', unit: 'By', description: 'Bytes that wait on the calling thread.' },
  endpoint: { name: 'cenote.endpoint.connections', kind: 'upDownCounter', unit: '{connection}', description: 'By endpoint.' },
  busyTime: { name: 'cenote.shard.busy_time', kind: 'counter', unit: 's', description: "Busy time of a shard's event loop." },
  utilization: { name: 'cenote.shard.utilization', kind: 'gauge', unit: '1', description: 'Its busy share, since the shard started.' },
} as const

/** Attributes; the first two go behind a prefix. */
export const ATTRIBUTES = {
  connectionPool: 'connection.pool.name',
  connectionState: 'connection.state',
  pool: 'cenote.pool.name',
  callKind: 'cenote.call.kind',
  callOutcome: 'cenote.call.outcome',
  closeReason: 'cenote.close.reason',
  shard: 'cenote.shard',
  endpoint: 'cenote.endpoint',
  connection: 'cenote.connection.id',
  handler: 'cenote.handler',
  system: 'db.system.name',
  error: 'error.type',
  serverAddress: 'server.address',
  serverPort: 'server.port',
  transport: 'network.transport',
} as const

/** Spans, by the channel that each is made from. */
export const SPANS = {
  acquire: 'cenote.acquire',
  connect: 'cenote.connect',
  request: 'cenote.request',
  handler: 'cenote.handler',
} as const

/** Bounds of the histograms' buckets, in seconds: a pool's times are short. */
export const SECONDS: number[] = [0.000_01, 0.000_03, 0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]
