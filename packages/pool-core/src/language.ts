/** What of the protocol runs on the calling thread. */
import { deserialize, serialize } from 'node:v8'
import {
  type Codec,
  type CodecProtocol,
  loadProtocol,
  notCloneable,
  PoolError,
  type ProtocolReference,
  type Scope,
  type ShardInfo,
} from '@cenote/pool-worker'

/** The caller's side of a protocol. */
export interface Language {
  readonly codec: Codec<unknown, unknown>
  readonly pipelining: number
  readonly hasProbe: boolean
  /** @throws PoolError `BAD_REQUEST`: the protocol threw. */
  scope(request: unknown): Scope
  /** Whether a connection that a lease sent this over is to be reset before the next caller. @throws As `scope`. */
  changes(request: unknown): boolean
  readonly correlate: ((request: unknown, reply: unknown) => boolean) | undefined
}

/** Requests and replies of a client protocol cross by structured clone: its library lives in the shard alone. */
const cloning: Codec<unknown, unknown> = {
  encode: (request, out) => out.bytes(cloned(request)),
  createFramer() {
    throw new Error('a client protocol has no framer')
  },
  decode: (frame) => deserialize(frame),
}

function cloned(request: unknown): Buffer {
  try {
    return serialize(request)
  } catch (cause) {
    throw notCloneable('the request', cause, 'send', 'not-sent')
  }
}

/**
 * Loads a codec on this side too; of a client protocol the shards have told all there is to know.
 * @throws PoolError `NO_SHARD`: the module cannot be loaded.
 */
export async function loadLanguage(reference: ProtocolReference, info: ShardInfo): Promise<Language> {
  const { pipelining, hasProbe, hasReset } = info
  const common = { pipelining, hasProbe }
  // What a request does to a client, only the client knows.
  if (info.form === 'client') return { ...common, codec: cloning, scope: () => 'shared', changes: () => hasReset, correlate: undefined }
  const loaded = await loadProtocol(reference)
  if (loaded.form === 'client') throw new TypeError('a protocol is a codec in the shard and a client here')
  const { codec, definition } = loaded
  return {
    ...common,
    codec,
    scope: definition.scope === undefined ? () => 'shared' : (request) => judge(definition, request),
    changes: definition.scope === undefined ? () => false : (request) => judge(definition, request) === 'lease',
    correlate: definition.correlate === undefined ? undefined : (request, reply) => definition.correlate?.(request, reply) !== false,
  }
}

function judge(definition: CodecProtocol<unknown, unknown>, request: unknown): Scope {
  try {
    return definition.scope?.(request) ?? 'shared'
  } catch (cause) {
    if (PoolError.is(cause)) throw cause
    const message = `the protocol cannot judge this request: ${cause instanceof Error ? cause.message : String(cause)}`
    throw new PoolError('BAD_REQUEST', message, { phase: 'send', outcome: 'not-sent', cause })
  }
}
