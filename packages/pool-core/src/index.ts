export {
  type ClientProtocol,
  type CodecProtocol,
  type ContextOf,
  type Credentials,
  defineProtocol,
  type Endpoint,
  fixed,
  type Handlers,
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
  type TlsSettings,
  transfer,
} from '@cenote/pool-worker'
export type { ConnectionCounts } from './books/counts.ts'
export type { ConnectionInfo, Lease } from './lease.ts'
export type { BackoffOptions, CredentialsOption, PoolOptions, RingBytes, WorkerOptions } from './options.ts'
export {
  type AcquireOptions,
  type CloseOptions,
  createPool,
  type FittingHandlers,
  type HandlerOptions,
  type Pool,
  type PoolHandlers,
  type RequestOptions,
} from './pool.ts'
export type { Counters, PoolStats, ShardStats, Times } from './stats.ts'
