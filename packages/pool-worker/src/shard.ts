/** The shard actor: owner of its sockets, for any number of callers' threads. */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import { beatMs, every } from './beats.ts'
import type { ShardBell } from './bell.ts'
import type { Plumbing } from './connection.ts'
import { Deadlines } from './deadlines.ts'
import { Heartbeats } from './heartbeats.ts'
import type { Lane } from './lane.ts'
import { describe, type LoadedModules, loadModules } from './load.ts'
import { DELAY_RESOLUTION_MS, type LinkMemory, type ShardInfo, type ShardSettings } from './messages.ts'
import { BufferStock } from './outbox.ts'
import type { InputParcel, Parcels, ResultParcel } from './parcels.ts'
import { SilenceWatch } from './silence.ts'
import { ShardLink } from './slot-link.ts'
import { Turns } from './turns.ts'
import type { Cancel, World } from './world.ts'

/** What one `read` of a socket brings at most. */
const READ_BYTES = 65_536

export class Shard {
  readonly settings: ShardSettings
  readonly world: World
  readonly modules: LoadedModules
  readonly info: ShardInfo
  /** How late its event loop has been since it started. */
  readonly delay: IntervalHistogram = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS })
  readonly turns: Turns
  /** The buffers and batches that its connections share. */
  readonly plumbing: Plumbing
  /** For whatever waits seconds. */
  readonly wheel: Deadlines
  readonly heartbeats: Heartbeats
  readonly #links = new Set<ShardLink>()
  readonly #stopBeating: Cancel | undefined = undefined

  constructor(settings: ShardSettings, world: World, modules: LoadedModules) {
    this.settings = settings
    this.world = world
    this.modules = modules
    this.info = describe(modules)
    this.delay.enable()
    this.turns = new Turns(world)
    this.plumbing = { readBuffer: Buffer.allocUnsafeSlow(READ_BYTES), stock: new BufferStock(), writes: this.turns.writes }
    this.wheel = new Deadlines(world, (entry) => entry instanceof SilenceWatch && entry.expired())
    const { heartbeatMs, maxMainStallMs, shardStallMs } = settings
    const probes = modules.protocol.definition.probe !== undefined && heartbeatMs < Number.POSITIVE_INFINITY
    this.heartbeats = new Heartbeats(world, probes ? heartbeatMs : Number.POSITIVE_INFINITY)
    const ms = beatMs(shardStallMs, probes ? maxMainStallMs : Number.POSITIVE_INFINITY)
    if (ms === Number.POSITIVE_INFINITY) return
    this.#stopBeating = every(world, ms, () => {
      for (const link of this.#links) link.beat()
    })
  }

  /** How many connections it has, those being opened and closed included. */
  get connections(): number {
    let count = 0
    for (const link of this.#links) count += link.connections
    return count
  }

  /** Begins to serve one caller's thread over the memory they share. */
  addLink(memory: LinkMemory, bell: ShardBell, lane: Lane, parcels: Parcels<ResultParcel, InputParcel>): ShardLink {
    const link = new ShardLink(this, memory, bell, lane, parcels)
    this.#links.add(link)
    this.turns.add(link)
    this.turns.arm()
    return link
  }

  /** A link has closed. */
  forget(link: ShardLink): void {
    this.#links.delete(link)
    this.turns.remove(link)
  }

  /** Closes all sockets and stops listening; resolves when they are closed. */
  async close(): Promise<void> {
    await Promise.all([...this.#links].map((link) => link.close()))
    this.wheel.clear()
    this.heartbeats.stop()
    this.#stopBeating?.()
    this.delay.disable()
  }
}

/**
 * Loads the user's modules and makes a shard.
 * @throws PoolError `NO_SHARD`, with the module's own error as the cause.
 */
export async function startShard(settings: ShardSettings, world: World): Promise<Shard> {
  return new Shard(settings, world, await loadModules(settings))
}
