export {
  type ClientProtocol,
  type CodecProtocol,
  type ContextOf,
  type Credentials,
  defineProtocol,
  type Endpoint,
  fixed,
  type Handlers,
  type Holder,
  handlersAt,
  lengthPrefixed,
  line,
  type Outcome,
  type PoolCounts,
  PoolError,
  type PoolErrorCode,
  type PoolErrorPhase,
  type Protocol,
  protocolAt,
  ReplyError,
  type RespMap,
  type RespOptions,
  type RespReply,
  type RespRequest,
  raw,
  resp,
  type Stalled,
  type TlsSettings,
  transfer,
} from '@cenote/pool-worker'
export type { Advice } from './advise.ts'
export type { ConnectionCounts } from './books/counts.ts'
export type { LoadStats } from './books/load.ts'
export type { AcquireOptions, CloseOptions, HandlerOptions, RequestOptions, WaitOptions } from './call-options.ts'
export { createPool } from './create-pool.ts'
export type { FittingHandlers, PoolHandlers } from './handler-types.ts'
export type { LeaseInfo } from './holders.ts'
export type { ConnectionInfo, Lease } from './lease.ts'
export type {
  BackoffOptions,
  CredentialsOption,
  EjectionOptions,
  EndpointList,
  PoolOptions,
  ReleaseOptions,
  ResizeOptions,
  RetryBudgetOptions,
  RingBytes,
  WeightedEndpoint,
  WorkerOptions,
} from './option-types.ts'
export type { Endings, FailedBy } from './outcomes.ts'
export type { Pool } from './pool.ts'
export type { Counters, EndpointStats, LimitStats, PoolStats, ShardStats } from './stats.ts'
export type { ConnectionDump, PoolDump } from './telemetry/dump.ts'
export type { EventArguments, LeakEvent, PoolEvents } from './telemetry/events.ts'
export type { FlightEvent, FlightRecord, ShardFlight } from './telemetry/flight.ts'
export type { CallTrace, ConnectTrace } from './telemetry/traces.ts'
export type { Times } from './timings.ts'
