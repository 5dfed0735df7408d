/** Whether the shards live: looks for their signs of life while somebody waits, and gives them those of the calling thread. */
import { beatMs, type Cancel, every, Silence, type World } from '@cenote/pool-worker'
import type { Dispatch } from './dispatch.ts'
import type { Link } from './link.ts'
import type { Settings } from './options.ts'
import type { Stall } from './refusals.ts'

/** One life of a shard, as it is watched. */
interface Watched {
  readonly link: Link
  silence: Silence
  suspect: boolean
}

/**
 * A shard silent for `shardStallMs` is suspect until its next sign of life; one silent for `maxShardStallMs` is ended. On the calling
 * thread (`shards: 0`) there is nothing to watch: both stand still together.
 */
export class Pulse {
  readonly #settings: Settings
  readonly #world: World
  readonly #dispatch: Dispatch
  /** Between two looks; Infinity: never. */
  readonly #lookMs: number
  readonly #watched: Map<number, Watched> = new Map()
  readonly #stopBeating: Cancel | undefined = undefined
  #wanted = false
  #cancelLook: Cancel | undefined = undefined

  /** @param heartbeats - The shards probe idle connections, for as long as this thread lives. */
  constructor(settings: Settings, world: World, dispatch: Dispatch, heartbeats: boolean) {
    this.#settings = settings
    this.#world = world
    this.#dispatch = dispatch
    const { shards, shardStallMs, maxMainStallMs } = settings
    this.#lookMs = shards === 0 ? Number.POSITIVE_INFINITY : beatMs(shardStallMs)
    if (!heartbeats || shards === 0 || maxMainStallMs === Number.POSITIVE_INFINITY) return
    this.#stopBeating = every(world, beatMs(maxMainStallMs), () => {
      for (const { link } of this.#watched.values()) link.beat()
    })
  }

  /** A shard serves. */
  started(link: Link): void {
    this.#watched.set(link.shard, { link, silence: this.#begin(link), suspect: false })
  }

  /** A shard has died. */
  ended(shard: number): void {
    this.#watched.delete(shard)
  }

  /** Whether somebody waits: only then, and while a shard is suspect, it matters. */
  keep(on: boolean): void {
    this.#wanted = on
    if (!on || this.#cancelLook !== undefined || this.#lookMs === Number.POSITIVE_INFINITY) return
    for (const watched of this.#watched.values()) watched.silence = this.#begin(watched.link)
    this.#arm()
  }

  /** Looks at all shards now. */
  look(): void {
    if (this.#lookMs === Number.POSITIVE_INFINITY) return
    for (const watched of this.#watched.values()) this.#lookAt(watched)
    this.#dispatch.act()
  }

  /** The silence of a suspect shard; without a shard, of the one that is silent longest, if all are suspect. */
  stall(shard: number | undefined): Stall | undefined {
    let longest: Watched | undefined
    for (const watched of this.#watched.values()) {
      if (shard !== undefined && watched.link.shard !== shard) continue
      if (!watched.suspect) return undefined
      if (longest === undefined || watched.silence.ms > longest.silence.ms) longest = watched
    }
    if (longest === undefined) return undefined
    return { where: 'shard', shard: longest.link.shard, ms: Math.round(longest.silence.ms) }
  }

  stop(): void {
    this.#wanted = false
    this.#watched.clear()
    this.#cancelLook?.()
    this.#stopBeating?.()
  }

  #begin(link: Link): Silence {
    return new Silence(link.shardBeats, this.#world.now(), this.#lookMs)
  }

  #arm(): void {
    this.#cancelLook = this.#world.timer(this.#lookMs, false, () => {
      this.#cancelLook = undefined
      this.look()
      if (this.#wanted || [...this.#watched.values()].some(({ suspect }) => suspect)) this.#arm()
    })
  }

  #lookAt(watched: Watched): void {
    const { link, silence } = watched
    const { shard } = link
    const now = this.#world.now()
    const before = silence.ms
    const silentMs = silence.look(link.shardBeats, now)
    const suspect = silentMs >= this.#settings.shardStallMs
    if (suspect !== watched.suspect) {
      watched.suspect = suspect
      this.#dispatch.books.suspectShard(shard, suspect, now)
      this.#dispatch.flight.pool(suspect ? 'shard-suspect' : 'shard-recovered', shard)
      if (suspect) this.#dispatch.events.emit('shardSuspect', () => ({ shard, silentMs }))
      else this.#dispatch.events.emit('shardRecovered', () => ({ shard, silentMs: before }))
    }
    if (silentMs >= this.#settings.maxShardStallMs) link.host.end(new Error(`silent for ${Math.round(silentMs)} ms (maxShardStallMs)`))
  }
}
