/** What of the protocol runs on the calling thread. */
import { deserialize, serialize } from 'node:v8'
import { type Codec, loadProtocol, type ProtocolReference, type Scope, type ShardInfo } from '@cenote/pool-worker'

/** The caller's side of a protocol. */
export interface Language {
  readonly codec: Codec<unknown, unknown>
  readonly pipelining: number
  readonly hasProbe: boolean
  readonly hasReset: boolean
  scope(request: unknown): Scope
  readonly correlate: ((request: unknown, reply: unknown) => boolean) | undefined
}

/** Requests and replies of a client protocol cross by structured clone: its library lives in the shard alone. */
const cloning: Codec<unknown, unknown> = {
  encode: (request, out) => out.bytes(serialize(request)),
  createFramer() {
    throw new Error('a client protocol has no framer')
  },
  decode: (frame) => deserialize(frame),
}

/**
 * Loads a codec on this side too; of a client protocol the shards have told all there is to know.
 * @throws PoolError `NO_SHARD`: the module cannot be loaded.
 */
export async function loadLanguage(reference: ProtocolReference, info: ShardInfo): Promise<Language> {
  const { pipelining, hasProbe, hasReset } = info
  const common = { pipelining, hasProbe, hasReset }
  if (info.form === 'client') return { ...common, codec: cloning, scope: () => 'shared', correlate: undefined }
  const loaded = await loadProtocol(reference)
  if (loaded.form === 'client') throw new TypeError('a protocol is a codec in the shard and a client here')
  const { codec, definition } = loaded
  return {
    ...common,
    codec,
    scope: definition.scope === undefined ? () => 'shared' : (request) => definition.scope?.(request) ?? 'shared',
    correlate: definition.correlate === undefined ? undefined : (request, reply) => definition.correlate?.(request, reply) !== false,
  }
}
