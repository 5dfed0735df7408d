/** `shards: 0`: one life of a shard on the calling thread, behind the same interface as a thread. */
import { MessageChannel } from 'node:worker_threads'
import {
  exposeControl,
  localBells,
  localLanes,
  portParcels,
  type Shard,
  type ShardSettings,
  startShard,
  type World,
} from '@cenote/pool-worker'
import { busyTimeOf, RemoteControl, type ShardHost } from './host.ts'
import type { Settings } from './options.ts'
import { type ShardLife, shardMemory } from './thread.ts'

/** A shard on the calling thread. It ends only when it is destroyed. */
export class LocalLife implements ShardLife {
  readonly started: Promise<ShardHost>
  readonly ended: Promise<unknown>
  readonly gone: Promise<void>
  readonly #settings: Settings
  readonly #channel = new MessageChannel()
  readonly #beside = new MessageChannel()
  readonly #control: RemoteControl
  readonly #parcels: ShardHost['parcels']
  readonly #bells: ReturnType<typeof localBells>
  readonly #lanes: ReturnType<typeof localLanes> = localLanes()
  #shard: Shard | undefined
  #destroyed: Promise<void> | undefined
  #finish: (cause: unknown) => void = () => undefined
  #leave: () => void = () => undefined

  constructor(settings: Settings, shardSettings: ShardSettings, world: World) {
    this.#settings = settings
    this.#bells = localBells(world)
    this.#control = new RemoteControl(shardSettings.shard, this.#channel.port1, this.#bells[0])
    this.#parcels = portParcels(this.#beside.port1)
    this.#beside.port1.unref()
    this.ended = new Promise((resolve) => {
      this.#finish = resolve
    })
    this.gone = new Promise((resolve) => {
      this.#leave = resolve
    })
    this.started = this.#start(shardSettings, world)
    this.started.catch(() => undefined) // whoever waits for it sees the error
  }

  close(): Promise<void> {
    return this.#control.close()
  }

  destroy(cause: Error): Promise<void> {
    this.#control.end(cause)
    this.#finish(cause)
    this.#destroyed ??= this.#destroy()
    return this.#destroyed
  }

  async #destroy(): Promise<void> {
    await this.#shard?.close()
    for (const end of [...this.#bells, ...this.#lanes]) end.close()
    const channels = [this.#channel, this.#beside]
    const closed = channels.map(({ port1 }) => new Promise((resolve) => port1.once('close', resolve)))
    for (const { port1 } of channels) port1.close()
    await Promise.all(closed)
    this.#leave()
  }

  async #start(shardSettings: ShardSettings, world: World): Promise<ShardHost> {
    const shard = await Promise.race([startShard(shardSettings, world), this.ended.then((cause) => Promise.reject(cause))])
    this.#shard = shard
    const memory = shardMemory(this.#settings, false)
    shard.addLink(memory, this.#bells[1], this.#lanes[1], portParcels(this.#beside.port2))
    exposeControl({ close: () => shard.close() }, this.#channel.port2)
    for (const port of [this.#channel.port2, this.#beside.port2]) port.unref()
    const control = this.#control
    return {
      info: shard.info,
      memory,
      bell: this.#bells[0],
      lane: this.#lanes[0],
      parcels: this.#parcels,
      busy: busyTimeOf(performance.eventLoopUtilization),
      delay: shard.delay,
      setRef: (on) => control.setRef(on),
      end: (cause) => void this.destroy(cause),
    }
  }
}
