/** `shards: 0`: one life of a shard on the calling thread, behind the same interface as a thread. */
import { MessageChannel } from 'node:worker_threads'
import { Control, exposeControl, localBells, type Shard, type ShardSettings, startShard, type World } from '@cenote/pool-worker'
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
  readonly #control: RemoteControl
  readonly #bells: ReturnType<typeof localBells>
  #shard: Shard | undefined
  #destroyed: Promise<void> | undefined
  #finish: (cause: unknown) => void = () => undefined
  #leave: () => void = () => undefined

  constructor(settings: Settings, shardSettings: ShardSettings, world: World) {
    this.#settings = settings
    this.#bells = localBells(world)
    this.#control = new RemoteControl(shardSettings.shard, this.#channel.port1, this.#bells[0])
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
    for (const bell of this.#bells) bell.close()
    const closed = new Promise((resolve) => this.#channel.port1.once('close', resolve))
    for (const port of [this.#channel.port1, this.#channel.port2]) port.close()
    await closed
    this.#leave()
  }

  async #start(shardSettings: ShardSettings, world: World): Promise<ShardHost> {
    const shard = await Promise.race([startShard(shardSettings, world), this.ended.then((cause) => Promise.reject(cause))])
    this.#shard = shard
    const memory = shardMemory(this.#settings, false)
    const link = shard.addLink(memory, this.#bells[1])
    exposeControl(new Control(shard, link), this.#channel.port2)
    this.#channel.port2.unref()
    const control = this.#control
    return {
      info: shard.info,
      memory,
      bell: this.#bells[0],
      execute: (callId, name, input) => control.execute(callId, name, input),
      busy: busyTimeOf(performance.eventLoopUtilization),
      delay: shard.delay,
      setRef: (on) => control.setRef(on),
      end: (cause) => void this.destroy(cause),
    }
  }
}
