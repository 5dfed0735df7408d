/** Loads protocol and handlers modules, and checks what they export. The calling thread loads its protocol here too. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Codec } from './codec.ts'
import type { ClientProtocol, CodecProtocol, HandlerContext, ProtocolReference } from './define.ts'
import { PoolError } from './errors.ts'
import type { ShardInfo, ShardSettings } from './messages.ts'
import { builtins } from './protocols/index.ts'

/** A codec protocol as loaded, its codec made. */
export interface LoadedCodec {
  readonly form: 'codec'
  readonly definition: CodecProtocol<unknown, unknown>
  readonly codec: Codec<unknown, unknown>
  readonly options: unknown
  readonly pipelining: number
  /** Bytes only: there are no replies, and what a fresh connection receives waits for its stream. */
  readonly raw: boolean
}

/** A client protocol as loaded. */
export interface LoadedClient {
  readonly form: 'client'
  readonly definition: ClientProtocol<unknown, unknown, unknown>
  readonly options: unknown
  readonly pipelining: number
}

export type LoadedProtocol = LoadedCodec | LoadedClient

/** A user's handler, whatever its types. */
export type Handler = (input: unknown, context: HandlerContext<unknown, unknown, unknown>) => unknown

/** All user code of one shard. */
export interface LoadedModules {
  readonly protocol: LoadedProtocol
  readonly handlers: ReadonlyMap<string, Handler>
}

/**
 * Loads what the settings name.
 * @throws PoolError `NO_SHARD`, with the module's own error as the cause.
 */
export async function loadModules(settings: ShardSettings): Promise<LoadedModules> {
  const [protocol, handlers] = await Promise.all([loadProtocol(settings.protocol), loadHandlers(settings.handlers)])
  return { protocol, handlers }
}

/** What the caller's side has to know of the loaded modules. */
export function describe({ protocol, handlers }: LoadedModules): ShardInfo {
  const { definition } = protocol
  return {
    form: protocol.form,
    protocol: definition.name,
    pipelining: protocol.pipelining,
    hasProbe: definition.probe !== undefined,
    hasReset: definition.reset !== undefined,
    handlers: [...handlers.keys()],
  }
}

/**
 * Loads a protocol: a built-in by name, a user's by the URL of its module.
 * @throws PoolError `NO_SHARD`, with the module's own error as the cause.
 */
export async function loadProtocol(reference: ProtocolReference): Promise<LoadedProtocol> {
  const options = deepFreeze(reference.options)
  if (reference.builtin !== undefined) {
    const definition = builtins.get(reference.builtin)
    if (definition === undefined) throw noShard(`there is no built-in protocol '${reference.builtin}'`)
    return check(definition, options, `the protocol '${reference.builtin}'`, reference.builtin === 'raw')
  }
  if (reference.url === undefined) throw noShard('a protocol has neither a name nor a URL')
  const module = await importModule(reference.url, 'protocol')
  if (!('default' in module)) throw noShard(`the protocol module ${reference.url} has no default export`)
  return check(module.default, options, `the protocol module ${reference.url}`, false)
}

function check(value: unknown, options: unknown, what: string, raw: boolean): LoadedProtocol {
  if (typeof value !== 'object' || value === null) throw noShard(`${what} exports no protocol: use defineProtocol`)
  const fields = value as Readonly<Record<string, unknown>> // an object's properties, each checked below
  if (typeof fields.name !== 'string') throw noShard(`${what} has no name`)
  const pipelining = fields.pipelining ?? 1
  if (!Number.isSafeInteger(pipelining) || Number(pipelining) < 1) throw noShard(`${what}: pipelining must be a whole number from 1 up`)
  for (const hook of ['scope', 'onConnect', 'probe', 'reset', 'push', 'correlate', 'close']) {
    if (fields[hook] !== undefined && typeof fields[hook] !== 'function') throw noShard(`${what}: ${hook} must be a function`)
  }
  const common = { options, pipelining: Number(pipelining) }
  if (typeof fields.connect === 'function' && typeof fields.execute === 'function') {
    return { form: 'client', definition: value as LoadedClient['definition'], ...common } // its functions were checked just now
  }
  if (fields.codec === undefined) throw noShard(`${what} has neither a codec nor connect and execute`)
  const definition = value as LoadedCodec['definition'] // its functions were checked just now, its codec is below
  return { form: 'codec', definition, codec: makeCodec(definition, options, what), ...common, raw }
}

function makeCodec({ codec }: LoadedCodec['definition'], options: unknown, what: string): Codec<unknown, unknown> {
  let made: Codec<unknown, unknown>
  try {
    made = typeof codec === 'function' ? codec(options) : codec
  } catch (cause) {
    throw noShard(`${what}: its codec cannot be made`, cause)
  }
  for (const method of ['encode', 'createFramer', 'decode'] as const) {
    if (typeof made?.[method] !== 'function') throw noShard(`${what}: its codec has no ${method}`)
  }
  return made
}

/**
 * Loads a handlers module: all its exported functions.
 * @throws PoolError `NO_SHARD`: not to be imported, or without functions.
 */
export async function loadHandlers(url: string | undefined): Promise<ReadonlyMap<string, Handler>> {
  const handlers = new Map<string, Handler>()
  if (url === undefined) return handlers
  const module = await importModule(url, 'handlers')
  for (const [name, value] of Object.entries(module)) if (typeof value === 'function') handlers.set(name, value as Handler) // a user's function
  if (handlers.size === 0) throw noShard(`the handlers module ${url} exports no functions`)
  return handlers
}

async function importModule(url: string, what: string): Promise<Readonly<Record<string, unknown>>> {
  const found = findModule(url, what)
  try {
    return (await import(found)) as Readonly<Record<string, unknown>> // a module namespace is an object
  } catch (cause) {
    throw noShard(`the ${what} module ${found} cannot be imported: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
  }
}

/** The module's URL; when its file is absent, that of the TypeScript source beside it. */
function findModule(url: string, what: string): string {
  let path: string
  try {
    path = fileURLToPath(url)
  } catch (cause) {
    throw noShard(`the ${what} module's address is no file: URL`, cause)
  }
  if (existsSync(path)) return url
  const source = /\.m?js$/.exec(path)
  const tried = source === null ? [] : ['.ts', '.mts'].map((extension) => path.slice(0, source.index) + extension)
  const found = tried.find((candidate) => existsSync(candidate))
  if (found === undefined) throw noShard(`the ${what} module is neither ${[path, ...tried].join(' nor ')}`)
  return url.replace(/\.m?js(?=$|[?#])/, found.slice(found.lastIndexOf('.')))
}

function noShard(message: string, cause?: unknown): PoolError {
  return new PoolError('NO_SHARD', message, { phase: 'start', outcome: 'not-sent', cause })
}

function deepFreeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value
  Object.freeze(value)
  for (const inner of Object.values(value)) deepFreeze(inner)
  return value
}
