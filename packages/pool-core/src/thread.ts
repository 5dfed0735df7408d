/** One life of a shard in a worker thread: a Piscina of one thread, a start task, and the signs of its death. */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads'
import {
  BEAT_BYTES,
  type Bell,
  type Cancel,
  createRecorder,
  createRing,
  decodeError,
  type Lane,
  type LinkMemory,
  MAX_SLOTS,
  PoolError,
  portLane,
  portParcels,
  type Settled,
  type ShardSettings,
  type StartedShard,
  type StartTask,
  type World,
} from '@cenote/pool-worker'
import { Piscina } from 'piscina'
import { busyTimeOf, RemoteControl, type ShardHost } from './host.ts'
import type { Settings } from './options.ts'

/** One life of a shard, from the attempt to start it until its port has closed. */
export interface ShardLife {
  /** Rejects with why it did not start. */
  readonly started: Promise<ShardHost>
  /** Resolves with the cause at the first sign of its end; never rejects. */
  readonly ended: Promise<unknown>
  /** Resolves when it holds no socket any more; never rejects. */
  readonly gone: Promise<void>
  /** Asks it to close its sockets and stop listening. Rejects when it ends first. */
  close(): Promise<void>
  /** Ends it now, whatever it does; resolves when it is gone, or after a few seconds when it cannot be ended. */
  destroy(cause: Error): Promise<void>
}

const ENTRY = '@cenote/pool-worker/entry'

/** A port closes before its worker says why it ended: measured 1 to 9 ms, and more than 50 on a busy machine when its memory was full. */
const CAUSE_MS = 500

/** How long a thread inside a native call may take to end before we go on without it. */
const DESTROY_MS = 5_000

/** The rings, the words and the flight recorder of one shard. */
export function shardMemory(settings: Settings, shared: boolean): LinkMemory {
  const bytes = MAX_SLOTS * Int32Array.BYTES_PER_ELEMENT // zeroed pages cost nothing until a slot is used, and `resize` may ask for any
  return {
    toShard: createRing(settings.ringBytes.toShard, shared),
    toMain: createRing(settings.ringBytes.toMain, shared),
    words: shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes),
    beats: shared ? new SharedArrayBuffer(BEAT_BYTES) : new ArrayBuffer(BEAT_BYTES),
    recorder: createRecorder(shared),
  }
}

/**
 * Where the worker's file is, as a URL.
 *
 * @param url - The option `worker.url`; without it, the override that a bundler's plugin sets; then the installed package.
 * @throws PoolError `NO_SHARD`: it is not there; the message names the three.
 */
function findWorker(url: string | undefined): string {
  const overrides: unknown = Reflect.get(globalThis, '__bundlerPathsOverrides')
  const override: unknown = typeof overrides === 'object' && overrides !== null ? Reflect.get(overrides, 'cenote-worker') : undefined
  let file = url ?? (typeof override === 'string' ? override : undefined)
  let cause: unknown
  try {
    file ??= resolveEntry()
    if (!file.startsWith('file:')) file = pathToFileURL(file).href
    if (existsSync(fileURLToPath(file))) return file
  } catch (error) {
    cause = error
  }
  const ways =
    "install @cenote/pool-worker beside the application, give the option worker.url, or set globalThis.__bundlerPathsOverrides['cenote-worker']"
  throw new PoolError('NO_SHARD', `the worker's file was not found (${file ?? ENTRY}): ${ways}`, {
    phase: 'start',
    outcome: 'not-sent',
    cause,
  })
}

/** Some test runners have no `import.meta.resolve`. */
function resolveEntry(): string {
  return typeof import.meta.resolve === 'function' ? import.meta.resolve(ENTRY) : createRequire(import.meta.url).resolve(ENTRY)
}

/** Starts a thread and the shard in it. */
export class ThreadLife implements ShardLife {
  readonly started: Promise<ShardHost>
  readonly ended: Promise<unknown>
  readonly gone: Promise<void>
  readonly #world: World
  readonly #memory: LinkMemory
  readonly #bell: Bell
  readonly #lane: Lane
  readonly #control: RemoteControl
  readonly #parcels: ShardHost['parcels']
  readonly #ports: readonly MessagePort[]
  #exited: Promise<number | undefined> = Promise.resolve(undefined)
  #piscina: Piscina<StartTask, Settled<StartedShard>> | undefined
  #destroyed: Promise<void> | undefined
  /** The wait for a sign that says more. */
  #patience: { readonly ms: number; readonly cancel: Cancel } | undefined
  #finish: (cause: unknown) => void = () => undefined

  constructor(settings: Settings, shardSettings: ShardSettings, world: World) {
    const { shard } = shardSettings
    const bell = new MessageChannel()
    const lane = new MessageChannel()
    const control = new MessageChannel()
    const parcels = new MessageChannel()
    this.#world = world
    this.#memory = shardMemory(settings, true)
    this.#ports = [bell.port1, control.port1, parcels.port1]
    this.#bell = patientBell(bell.port1)
    this.#lane = portLane(lane.port1)
    this.#control = new RemoteControl(shard, control.port1, this.#bell)
    this.#parcels = portParcels(parcels.port1)
    parcels.port1.unref()
    this.ended = new Promise((resolve) => {
      this.#finish = (cause) => {
        this.#patience?.cancel()
        this.#control.end(cause)
        resolve(this.#control.cause)
      }
    })
    const closed = this.#ports.map((port) => new Promise<void>((resolve) => void port.once('close', resolve)))
    this.gone = Promise.all(closed).then(() => undefined)
    for (const port of this.#ports) port.once('close', () => this.#sign(new Error('its port has closed'), CAUSE_MS))
    this.started = this.#start(settings, {
      settings: shardSettings,
      memory: this.#memory,
      bellPort: bell.port2,
      lanePort: lane.port2,
      controlPort: control.port2,
      parcelPort: parcels.port2,
    })
    this.started.catch(() => undefined) // whoever waits for it sees the error
  }

  close(): Promise<void> {
    this.#control.setRef(true) // until the thread is gone
    return this.#control.close()
  }

  destroy(cause: Error): Promise<void> {
    this.#finish(cause)
    this.#destroyed ??= this.#destroy() // once: a second destroy() of piscina resolves at once, and the first then starts a new thread
    return this.#destroyed
  }

  async #destroy(): Promise<void> {
    if (!(await this.#within(DESTROY_MS, this.#endThreads()))) return
    this.#lane.close()
    for (const port of this.#ports) port.close()
    await this.gone
  }

  /** Piscina replaces a thread that exits while no destroy() is going on, and a destroy() may be over before the exit. */
  async #endThreads(): Promise<void> {
    const piscina = this.#piscina
    if (piscina === undefined) return
    do {
      const exits = piscina.threads.map(exitOf)
      await piscina.destroy()
      await Promise.all([...exits, this.#exited])
    } while (piscina.threads.length > 0)
  }

  async #start(settings: Settings, task: StartTask): Promise<ShardHost> {
    try {
      const { env, execArgv, resourceLimits } = settings.worker
      const piscina = new Piscina<StartTask, Settled<StartedShard>>({
        filename: findWorker(settings.worker.url),
        minThreads: 1,
        maxThreads: 1,
        concurrentTasksPerWorker: 1,
        idleTimeout: Infinity,
        atomics: 'disabled', // any other mode stops the thread's event loop between tasks
        recordTiming: false,
        workerData: { shard: task.settings.shard },
        ...(env === undefined ? {} : { env: typeof env === 'symbol' ? env : { ...env } }),
        ...(execArgv === undefined ? {} : { execArgv: [...execArgv] }),
        ...(resourceLimits === undefined ? {} : { resourceLimits }),
      })
      this.#piscina = piscina
      piscina.on('error', (error: unknown) => this.#sign(error, 0))
      // Before piscina's own listener, which would first start another thread and only then tell of the error.
      piscina.threads[0]?.prependOnceListener('error', (error: unknown) => {
        this.#sign(error, 0)
        void this.destroy(error instanceof Error ? error : new Error(String(error)))
      })
      // An end without an error, such as process.exit, is told by the thread alone.
      this.#exited = exitOf(piscina.threads[0])
      void this.#exited.then((code) => this.#sign(new Error(`its thread ended with code ${code}`), 1))
      const run = piscina.run(task, { transferList: [task.bellPort, task.lanePort, task.controlPort, task.parcelPort] })
      const settled = await Promise.race([run, this.ended.then((cause) => Promise.reject(cause))])
      if (!settled.ok) throw decodeError(settled.error)
      return this.#host(settled.value)
    } catch (error) {
      this.#finish(error)
      throw this.#control.cause // which came before, when the start failed because of it
    }
  }

  #host({ info, delay }: StartedShard): ShardHost {
    const control = this.#control
    const thread = this.#piscina?.threads[0]
    return {
      info,
      memory: this.#memory,
      bell: this.#bell,
      lane: this.#lane,
      parcels: this.#parcels,
      busy: busyTimeOf((now, before) => (thread ?? globalThis).performance.eventLoopUtilization(now, before)),
      delay,
      setRef: (on) => control.setRef(on),
      end: (cause) => void this.destroy(cause),
    }
  }

  /** A sign of death. One that says little waits a moment for one that says more, and so waits less. */
  #sign(cause: unknown, ms: number): void {
    if (this.#destroyed !== undefined || (this.#patience !== undefined && this.#patience.ms <= ms)) return
    this.#patience?.cancel()
    if (ms === 0) this.#finish(cause)
    else {
      const late = (): void => void this.#world.immediate(() => this.#finish(cause)) // after a stall, one poll phase first
      this.#patience = { ms, cancel: this.#world.timer(ms, true, late) }
    }
  }

  /** Whether the promise settles within the time. */
  #within(ms: number, promise: Promise<unknown>): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.#world.timer(ms, true, () => resolve(false))
      const done = (): void => {
        cancel()
        resolve(true)
      }
      promise.then(done, done)
    })
  }
}

/** The exit code of a thread, when it has ended. */
function exitOf(thread: Worker | undefined): Promise<number | undefined> {
  return new Promise((resolve) => (thread === undefined ? resolve(undefined) : thread.once('exit', resolve)))
}

/** A doorbell that listens from its birth, so that no ring is lost and the port's end is noticed, and that keeps no process alive. */
function patientBell(port: MessagePort): Bell {
  let rung = false
  let action = (): void => {
    rung = true
  }
  port.on('message', () => action())
  port.unref()
  return {
    ring: () => port.postMessage(0),
    listen: (onRing) => {
      action = onRing
      if (rung) onRing()
    },
    setRef: (on) => (on ? port.ref() : port.unref()),
    close: () => port.close(),
  }
}
