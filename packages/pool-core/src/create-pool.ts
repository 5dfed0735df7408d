/** Makes a pool: its options are read, its shards started, its coordinator set to work. */
import { badOption, PoolError, type World } from '@cenote/pool-worker'
import { realWorldOfNow } from './context.ts'
import { Coordinator } from './coordinator.ts'
import type { FittingHandlers } from './handler-types.ts'
import { loadLanguage } from './language.ts'
import type { PoolOptions } from './option-types.ts'
import { readOptions } from './options.ts'
import { Pool } from './pool.ts'
import { type ShardEvent, Shards } from './shards.ts'
import { Events } from './telemetry/events.ts'
import { openInside } from './telemetry/inside.ts'

/** What the shards may take to stop when the pool could not be made. */
const STOP_MS = 10_000

/**
 * Makes a pool: starts its shards and resolves when they run. Connections are opened as they are needed, `minConnections` at once.
 *
 * @throws PoolError `BAD_OPTION`: names the option. Nothing was started, or all is stopped again.
 * @throws PoolError `NO_SHARD`: a shard did not start, for instance because a module cannot be loaded; `cause` says why.
 *
 * @example
 * import { createPool, resp } from '@cenote/pool-core'
 *
 * const pool = await createPool({ endpoint: 'tcp://127.0.0.1:6379', protocol: resp(), shards: 2, maxConnections: 16 })
 * console.log(await pool.request(['PING'])) // PONG
 * await pool.close()
 */
export function createPool<Req = never, Rep = never, Client = undefined, Module = Record<never, never>>(
  options: PoolOptions<Req, Rep, Client, Module> & { readonly handlers?: FittingHandlers<Module, Req, Rep, Client> | undefined },
): Promise<Pool<Req, Rep, Module>> {
  return openPool(options, realWorldOfNow())
}

/** As `createPool`, in a given world. */
export async function openPool<Req, Rep, Client, Module>(
  options: PoolOptions<Req, Rep, Client, Module>,
  world: World,
): Promise<Pool<Req, Rep, Module>> {
  const settings = readOptions(options)
  const early: ShardEvent[] = []
  let post = (event: ShardEvent): void => void early.push(event)
  const shards = new Shards(settings, world, (event) => post(event))
  await shards.start()
  const first = early.find((event) => event.type === 'started')
  if (first?.type !== 'started') throw new PoolError('NO_SHARD', `${settings.name}: no shard has started`, { phase: 'start' })
  try {
    if (settings.heartbeatMs < Number.POSITIVE_INFINITY && !first.host.info.hasProbe)
      throw badOption('heartbeatMs', `goes with a protocol that has a probe; ${first.host.info.protocol} has none`)
    const language = await loadLanguage(settings.protocol, first.host.info)
    const events = new Events()
    const coordinator = new Coordinator(settings, world, language, events)
    post = coordinator.onShard
    coordinator.begin(early)
    const pool = new Pool<Req, Rep, Module>(settings, language, coordinator, shards, first.host.info.handlers, events.emitter)
    openInside(pool, coordinator.overview.inside())
    return pool
  } catch (error) {
    await shards.stop(STOP_MS)
    throw error
  }
}
