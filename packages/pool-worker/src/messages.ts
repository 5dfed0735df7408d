/** What crosses between the threads by clone, or as JSON inside frames. */
import type { LookupAddress } from 'node:dns'
import type { Histogram } from 'node:perf_hooks'

import type { ConnectTimes } from './connect-times.ts'
import type { ProtocolReference } from './define.ts'
import type { Credentials, Endpoint } from './endpoint.ts'
import type { ErrorData } from './errors.ts'
import type { CloseReason } from './frame.ts'
import type { RecorderMemory } from './recorder.ts'
import type { RingMemory } from './ring.ts'

/** TLS options: those that can be cloned. Verification is on and TLS is at least 1.2 unless said otherwise. */
export interface TlsSettings {
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined
  readonly cert?: string | Uint8Array | undefined
  readonly key?: string | Uint8Array | undefined
  readonly passphrase?: string | undefined
  readonly servername?: string | undefined
  readonly ALPNProtocols?: readonly string[] | undefined
  readonly ciphers?: string | undefined
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
  readonly rejectUnauthorized?: boolean | undefined
}

/** What a shard is told at its start. Durations in ms, sizes in bytes. */
export interface ShardSettings {
  readonly shard: number
  readonly protocol: ProtocolReference
  /** URL of the handlers module. */
  readonly handlers: string | undefined
  readonly maxReplyBytes: number
  readonly probeTimeoutMs: number
  /** Idle connections are probed this often; Infinity: not by themselves. */
  readonly heartbeatMs: number
  /** A caller's thread that is silent for so long gets no more heart-beats; Infinity: it is not looked at. */
  readonly maxMainStallMs: number
  /** A shard that is silent for so long is suspect, so it gives a sign of life several times in it; Infinity: none. */
  readonly shardStallMs: number
  /** Replies owed and no byte for so long: the connection is lost. */
  readonly inactivityTimeoutMs: number
  readonly keepAlive: boolean
  readonly keepAliveInitialDelayMs: number
  readonly noDelay: boolean
  readonly tls: TlsSettings | undefined
  /** Credit of a stream in the direction of the caller, at the start; it may grow to eight times as much. */
  readonly highWaterMark: number
  /** Bytes of requests that may be on their way to one connection. */
  readonly sendWindow: number
  /** Whether sockets and timers leave the process free to end: with `shards: 0`, where the caller's side keeps it alive. */
  readonly unrefSockets: boolean
}

/** What a shard tells when it has started: the protocol's nature, so that the caller's side knows what to ask for. */
export interface ShardInfo {
  readonly form: 'codec' | 'client'
  readonly protocol: string
  readonly pipelining: number
  readonly hasProbe: boolean
  readonly hasReset: boolean
  /** Names of the handlers module's exported functions. */
  readonly handlers: readonly string[]
}

/** The memory that one caller's thread shares with one shard. */
export interface LinkMemory {
  readonly toShard: RingMemory
  readonly toMain: RingMemory
  /** One Int32 per slot, written by the shard alone: the connection's serial while it is fit to lend, else 0. */
  readonly words: SharedArrayBuffer | ArrayBuffer
  /** Two Int32, each counted up by its owner as a sign of life: see `Beat`. */
  readonly beats: SharedArrayBuffer | ArrayBuffer
  /** What happened last in the shard, written by it alone. */
  readonly recorder: RecorderMemory
}

/** Payload of OPEN. */
export interface OpenRequest {
  readonly endpoint: Endpoint
  /** Of the endpoint's host, in the order in which they are to be tried; absent if it is an address itself. */
  readonly addresses?: readonly LookupAddress[] | undefined
  /** What this connect has waited for them, in microseconds; absent if they were known. */
  readonly lookup?: number | undefined
  readonly credentials?: Credentials | undefined
}

/** Payload of OPENED. */
export interface OpenedInfo {
  readonly localPort?: number | undefined
  readonly times?: ConnectTimes | undefined
}

/** Payload of LOST. */
export interface LostInfo {
  readonly reason: CloseReason
  readonly error?: ErrorData | undefined
  /** Of a connect that failed. */
  readonly times?: ConnectTimes | undefined
}

/** How a start or a handler ended: errors cross as data, for a clone would drop their code. */
export type Settled<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: ErrorData }

/** What the start of a shard gives to whoever started it. */
export interface StartedShard {
  readonly info: ShardInfo
  /** A live view of the shard's event-loop delay, in nanoseconds, sampled every `DELAY_RESOLUTION_MS`. */
  readonly delay: Histogram
}

/** How often a shard looks how late its event loop is. */
export const DELAY_RESOLUTION_MS = 20

/** What comlink exposes of a shard. */
export interface ShardControl {
  /** Closes all sockets and stops listening; resolves when they are closed. */
  close(): Promise<void>
}

/** Closes every `switch` on a tagged union: a kind left out is a compile error. */
export function unreachable(value: never): never {
  throw new TypeError(`unknown kind: ${String(value)}`)
}
