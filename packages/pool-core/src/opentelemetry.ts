/** `@cenote/pool-core/opentelemetry`: metrics and spans of a pool. Needs `@opentelemetry/api`, which the application brings. */
import { badOption } from '@cenote/pool-worker'
import { type MeterProvider, metrics, type TracerProvider, trace } from '@opentelemetry/api'
import { ownValues, refuseUnknown } from './checks.ts'
import type { Pool } from './pool.ts'
import { type Inside, insideOf } from './telemetry/inside.ts'
import { meterPool } from './telemetry/meters.ts'
import { PREFIX } from './telemetry/names.ts'
import { spanPool } from './telemetry/spans.ts'

/** What `instrument` takes. */
export interface InstrumentOptions {
  /**
   * Whether the server is a database: then the connections' metrics have the names of the convention, `db.client.connection.*`. A text is
   * its `db.system.name`, such as 'redis'. Default false: `cenote.connection.*`, of the same shapes.
   */
  readonly database?: string | boolean | undefined
  /** Where metrics go. Default: the global one. false: nowhere. */
  readonly meterProvider?: MeterProvider | false | undefined
  /** Where spans go. Default: the global one. false: nowhere; then nothing subscribes to the channels. */
  readonly tracerProvider?: TracerProvider | false | undefined
}

/**
 * Tells OpenTelemetry of a pool: its numbers as metrics, and a span for each acquire, connect, request and handler, a child of whatever is
 * active where it begins. No payload and no secret is in either.
 *
 * @returns What ends it, and the spans that have begun. It ends by itself when the pool has closed.
 * @throws PoolError `BAD_OPTION`: it is no pool, an option is wrong, or the provider is told of this pool already.
 * @see OpenTelemetry semantic conventions for database clients
 *
 * @example
 * import { createPool, resp } from '@cenote/pool-core'
 * import { instrument } from '@cenote/pool-core/opentelemetry'
 *
 * const pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp() })
 * instrument(pool, { database: 'redis' })
 * console.log(await pool.request(['PING'])) // PONG
 * await pool.close()
 */
export function instrument(pool: Pick<Pool, 'name' | 'stats'>, options: InstrumentOptions = {}): () => void {
  const inside = insideOf(pool)
  const own = ownValues(options, 'options', 'of database, meterProvider, tracerProvider')
  refuseUnknown(own, ['database', 'meterProvider', 'tracerProvider'], 'options')
  const { database = false, meterProvider = metrics.getMeterProvider(), tracerProvider = trace.getTracerProvider() } = options
  if (typeof database !== 'boolean' && (typeof database !== 'string' || database === ''))
    throw badOption('database', 'must be true, false, or the name of the system, such as "redis"')
  if (meterProvider !== false && typeof meterProvider?.getMeter !== 'function')
    throw badOption('meterProvider', 'must be a meter provider, or false')
  if (tracerProvider !== false && typeof tracerProvider?.getTracer !== 'function')
    throw badOption('tracerProvider', 'must be a tracer provider, or false')
  const told = ofPool(inside)
  const providers = Object.entries({ meterProvider, tracerProvider }).filter(([, provider]) => provider !== false)
  for (const [name, provider] of providers) if (told.has(provider)) throw badOption(name, 'is told of this pool already')
  for (const [, provider] of providers) told.add(provider)
  const system = typeof database === 'string' ? database : undefined
  const prefix = database === false ? PREFIX.own : PREFIX.database
  const ends = [
    meterProvider === false ? undefined : meterPool(inside, prefix, system, meterProvider),
    tracerProvider === false ? undefined : spanPool(inside, system, tracerProvider),
  ]
  const stop = (): void => {
    inside.whenClosed.delete(stop)
    for (const [, provider] of providers.splice(0)) told.delete(provider)
    for (const end of ends.splice(0)) end?.()
  }
  inside.whenClosed.add(stop)
  return stop
}

/** Who is told of a pool: telling him twice would count twice. */
const TOLD = new WeakMap<Inside, Set<unknown>>()

function ofPool(inside: Inside): Set<unknown> {
  const told = TOLD.get(inside) ?? new Set()
  TOLD.set(inside, told)
  return told
}
