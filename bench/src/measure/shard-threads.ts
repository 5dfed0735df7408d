/** The shards' threads as the system knows them: what each has spent on a processor. */
import { readFileSync, readlinkSync } from 'node:fs'
import { BroadcastChannel, workerData } from 'node:worker_threads'

const CHANNEL = 'cenote-bench:shard-threads'
const NANOSECONDS = 1e6

/** What a shard says at its start. */
interface Announcement {
  readonly process: number
  readonly shard: number
  readonly thread: number
}

/** Called in a shard's thread: tells the main thread its number. On other systems than Linux there is nothing to tell. */
export function announceShard(): void {
  const thread = ownThread()
  const { shard } = workerData as { readonly shard: number } // the pool's
  if (thread === undefined) return
  const channel = new BroadcastChannel(CHANNEL)
  channel.postMessage({ process: process.pid, shard, thread } satisfies Announcement)
  channel.close()
}

/** Listens to the shards that start from now on. */
export class ShardThreads {
  readonly #channel = new BroadcastChannel(CHANNEL)
  readonly #threads = new Map<number, number>()

  constructor() {
    this.#channel.onmessage = (event) => {
      const { data } = event as { readonly data: Announcement } // only `announceShard` writes to this channel
      if (data.process === process.pid) this.#threads.set(data.shard, data.thread)
    }
    this.#channel.unref()
  }

  /** Milliseconds that a shard's thread has spent on a processor; undefined where the system does not tell. */
  cpuMs(shard: number): number | undefined {
    const thread = this.#threads.get(shard)
    return thread === undefined ? undefined : threadCpuMs(thread)
  }

  close(): void {
    this.#channel.close()
  }
}

function ownThread(): number | undefined {
  try {
    return Number(/\/task\/(\d+)$/.exec(readlinkSync('/proc/thread-self'))?.[1])
  } catch {
    return undefined // not Linux
  }
}

function threadCpuMs(thread: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/self/task/${thread}/schedstat`, 'latin1').split(' ')[0]) / NANOSECONDS
  } catch {
    return undefined // it has ended, or the kernel keeps no such statistics
  }
}
