/** The supervisor of a pool's shards: starts each, replaces those that die, stops them all. */
import { type Cancel, PoolError, type ShardSettings, type World } from '@cenote/pool-worker'
import { backoffMs } from './backoff.ts'
import { type ShardHost, shardLost } from './host.ts'
import { LocalLife } from './local.ts'
import { type Settings, sendWindow } from './options.ts'
import { type ShardLife, ThreadLife } from './thread.ts'

/** What happens to a shard. After `lost` nothing more is heard of that life but `gone`; `started` comes only after it. */
export type ShardEvent =
  | { readonly type: 'started'; readonly shard: number; readonly host: ShardHost }
  /** Its first sign of death; `error` is SHARD_LOST with the cause. What it published before can still be read. */
  | { readonly type: 'lost'; readonly shard: number; readonly error: PoolError }
  /** Its port has closed, and with it all its sockets. */
  | { readonly type: 'gone'; readonly shard: number }

const START_MS = 10_000

/** A shard that lived so long has made good for the failures before. */
const HEALTHY_MS = 10_000

/** What a stop keeps of its time for ending threads that did not close by themselves. */
const ENDING_MS = 200

/** All shards of one pool. */
export class Shards {
  readonly #settings: Settings
  readonly #world: World
  readonly #post: (event: ShardEvent) => void
  readonly #lives = new Map<number, ShardLife>()
  readonly #pauses = new Set<() => void>()
  #stopping = false

  /** @param post - Told of every event, in order for each shard; of none once `stop` was called or `start` has failed. */
  constructor(settings: Settings, world: World, post: (event: ShardEvent) => void) {
    this.#settings = settings
    this.#world = world
    this.#post = post
  }

  /**
   * Starts all shards; from then on one that dies is replaced.
   *
   * @throws PoolError `NO_SHARD`: one did not start, or not within 10 s; the cause says why. All are ended by then.
   */
  async start(): Promise<void> {
    const numbers = this.#settings.shards === 0 ? [0] : Array.from({ length: this.#settings.shards }, (_, shard) => shard)
    const begun = numbers.map((shard) => this.#begin(shard))
    try {
      await Promise.all(begun)
    } catch (cause) {
      this.#stopping = true
      await this.#destroyAll(new Error('the pool did not start'))
      if (PoolError.is(cause) && cause.code === 'NO_SHARD') throw cause
      const why = cause instanceof Error ? `: ${cause.message}` : ''
      throw new PoolError('NO_SHARD', `a shard did not start${why}`, { phase: 'start', outcome: 'not-sent', cause })
    }
  }

  /**
   * Ends all shards: asks each to close its sockets, then ends its thread. Resolves when all are gone, at the latest
   * after `timeoutMs`; one inside a native call ends later by itself.
   */
  async stop(timeoutMs: number): Promise<void> {
    this.#stopping = true
    for (const end of [...this.#pauses]) end()
    const deadline = this.#world.now() + timeoutMs
    await this.#within(timeoutMs - Math.min(ENDING_MS, timeoutMs / 4), this.#closeAll())
    await this.#within(deadline - this.#world.now(), this.#destroyAll(new Error('the pool was closed')))
  }

  /** Starts one life. Resolves when it has started, and is watched from then on. */
  async #begin(shard: number, failures = 0): Promise<void> {
    const Life = this.#settings.shards === 0 ? LocalLife : ThreadLife
    const life: ShardLife = new Life(this.#settings, this.#shardSettings(shard), this.#world)
    this.#lives.set(shard, life)
    const cancel = this.#world.timer(
      START_MS,
      true,
      () => void life.destroy(new Error(`shard ${shard} did not start within ${START_MS} ms`)),
    )
    try {
      const host = await life.started
      if (this.#stopping) return
      this.#post({ type: 'started', shard, host })
    } finally {
      cancel()
    }
    void this.#watch(shard, life, failures)
  }

  /** Sees one life to its end, and the next ones to their start. Never rejects. */
  async #watch(shard: number, life: ShardLife, failures: number): Promise<void> {
    const startedAt = this.#world.now()
    const cause = await life.ended
    if (this.#stopping) return
    this.#post({ type: 'lost', shard, error: shardLost(shard, cause) })
    const destroyed = life.destroy(toError(cause))
    await life.gone
    if (!this.#stopping) this.#post({ type: 'gone', shard })
    await destroyed
    await this.#revive(shard, this.#world.now() - startedAt < HEALTHY_MS ? failures + 1 : 1)
  }

  /** Starts a shard again until it has worked, waiting longer each time. */
  async #revive(shard: number, failures: number): Promise<void> {
    for (let failed = failures; !this.#stopping; failed++) {
      await this.#pause(backoffMs(this.#settings.backoff, failed, this.#world.random()))
      if (this.#stopping) return
      try {
        await this.#begin(shard, failed)
        return
      } catch (error) {
        const life = this.#lives.get(shard)
        await life?.destroy(toError(error))
        await life?.gone
      }
    }
  }

  /** Resolves after the time, or when the pool stops. Keeps no process alive. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      let cancel: Cancel | undefined
      const end = (): void => {
        cancel?.()
        this.#pauses.delete(end)
        resolve()
      }
      this.#pauses.add(end)
      cancel = this.#world.timer(ms, false, end)
    })
  }

  /** Resolves when the promise has settled, or after the time. Keeps the process alive till then. */
  #within(ms: number, promise: Promise<unknown>): Promise<void> {
    return new Promise((resolve) => {
      const longest = 2 ** 31 - 1 // of a timer; Infinity would fire at once
      const cancel = this.#world.timer(Math.min(Math.max(0, ms), longest), true, resolve)
      const done = (): void => {
        cancel()
        resolve()
      }
      promise.then(done, done)
    })
  }

  #closeAll(): Promise<unknown> {
    return Promise.allSettled([...this.#lives.values()].map((life) => life.started.then(() => life.close())))
  }

  #destroyAll(cause: Error): Promise<unknown> {
    return Promise.all([...this.#lives.values()].map((life) => life.destroy(cause)))
  }

  #shardSettings(shard: number): ShardSettings {
    const { shards, protocol, handlers, maxReplyBytes, probeTimeoutMs, inactivityTimeoutMs, highWaterMark } = this.#settings
    const { keepAlive, keepAliveInitialDelayMs, noDelay, tls, heartbeatMs } = this.#settings
    const watched = shards > 0 // on the calling thread, both stand still together
    return {
      shard,
      protocol,
      handlers,
      maxReplyBytes,
      probeTimeoutMs,
      inactivityTimeoutMs,
      heartbeatMs,
      shardStallMs: watched ? this.#settings.shardStallMs : Number.POSITIVE_INFINITY,
      maxMainStallMs: watched ? this.#settings.maxMainStallMs : Number.POSITIVE_INFINITY,
      keepAlive,
      keepAliveInitialDelayMs,
      noDelay,
      tls,
      highWaterMark,
      sendWindow: sendWindow(this.#settings),
      unrefSockets: shards === 0,
    }
  }
}

function toError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value))
}
