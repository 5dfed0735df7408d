/** One run: the warm-up, the measured time, the wait for what is still owed. */
import type { Counters } from '@cenote/pool-core'
import type { ShardThreads } from '../measure/shard-threads.ts'
import { closedLoop, openLoop, type Sender, sleep } from './loops.ts'
import { Metronome, type Pacer } from './metronome.ts'
import type { LoadOptions } from './options.ts'
import { Recorder, type Tally } from './recorder.ts'
import { CollectionCounter, type Collections, type Usage } from './resources.ts'
import { Sampling } from './sampling.ts'
import { arrivals, seededRandom, segmentsOf } from './schedule.ts'
import { type Row, rowMs, Timeline } from './timeline.ts'
import type { Work } from './work.ts'

/** What a run has found out. */
export interface Measured {
  /** Milliseconds that were measured; less than was asked for after Ctrl-C. */
  readonly measuredMs: number
  /** Milliseconds of waiting for the last replies. */
  readonly drainMs: number
  readonly interrupted: boolean
  readonly tally: Tally
  /** What the pool said with the first error of each code. */
  readonly messages: ReadonlyMap<string, string>
  readonly timeline: readonly Row[]
  readonly usage: Usage
  readonly collections: Collections
  /** What the pool has counted since it was made. */
  readonly poolCounters: Counters
  /** Which part of the response times is not above this one. */
  readonly shareWithin: (ms: number) => number
}

/** What a run works with. */
export interface RunTools {
  /** The metronome's file. */
  readonly metronome: URL
  readonly threads: ShardThreads
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
  /** Told of each row as it comes; undefined: a word about the warm-up. */
  readonly onRow: (row: Row | undefined) => void
}

/** Requests of a closed loop, as long as nothing is known. */
const FIRST_GUESS_PER_SECOND = 50_000

/** What is owed after so long beyond the time-out of each request will never come. */
const DRAIN_GRACE_MS = 1_000
const DRAIN_INTERRUPTED_MS = 1_000

const now = (): number => performance.now()

/** Runs the load. */
export async function run(work: Work, options: LoadOptions, tools: RunTools): Promise<Measured> {
  const pacer = options.rate === undefined ? undefined : new Metronome(tools.metronome)
  try {
    await pacer?.ready
    return await new Run(work, options, tools).go(pacer)
  } finally {
    await pacer?.close()
  }
}

class Run implements Sender {
  readonly #work: Work
  readonly #options: LoadOptions
  readonly #tools: RunTools
  readonly #recorder = new Recorder()
  readonly #random: () => number
  readonly #sampling: Sampling
  /** Waits until nothing is in flight. */
  #idle: (() => void) | undefined

  constructor(work: Work, options: LoadOptions, tools: RunTools) {
    this.#work = work
    this.#options = options
    this.#tools = tools
    this.#random = seededRandom(options.seed)
    this.#sampling = new Sampling(seededRandom(options.seed + 1), Math.max(...(options.rate?.rates ?? [FIRST_GUESS_PER_SECOND])))
  }

  async go(pacer: Pacer | undefined): Promise<Measured> {
    const { rate, warmupMs, durationMs } = this.#options
    const { signal, onRow, threads } = this.#tools
    const recorder = this.#recorder
    const collections = new CollectionCounter()
    const begin = now()
    const from = begin + warmupMs // by the very sum that makes the first request after the warm-up due
    const to = from + durationMs
    recorder.measureFrom(from)
    const loop = this.#loop(begin, to, pacer)
    if (warmupMs > 0) onRow(undefined)
    await sleep(from - now(), signal)
    if (rate === undefined && warmupMs > 0) this.#sampling.adapt((recorder.settled / warmupMs) * 1_000)
    collections.start()
    const timeline = new Timeline(this.#work.pool, recorder, threads)
    const length = rowMs(durationMs)
    const ticking = setInterval(() => {
      if (to - now() > length / 2) onRow(timeline.take()) // else the last row takes it in
    }, length)
    await sleep(to - now(), signal)
    clearInterval(ticking)
    const ended = now()
    recorder.measureTo(ended)
    onRow(timeline.take())
    collections.stop()
    await this.#drain(loop)
    return {
      measuredMs: Math.max(0, ended - from),
      drainMs: now() - ended,
      interrupted: signal.aborted,
      tally: recorder.tally(),
      messages: recorder.messages,
      timeline: timeline.rows,
      usage: timeline.usage(),
      collections: collections.collections,
      poolCounters: this.#work.pool.stats().counters,
      shareWithin: (ms) => recorder.shareWithin(ms),
    }
  }

  #loop(startMs: number, endMs: number, pacer: Pacer | undefined): Promise<void> {
    const { rate, callers = 0, thinkMs, warmupMs, durationMs, arrivals: kind } = this.#options
    if (rate === undefined || pacer === undefined) return closedLoop(this, callers, thinkMs, endMs, now, this.#tools)
    const schedule = arrivals(segmentsOf(rate, warmupMs, durationMs), kind, this.#random)
    return openLoop(this, schedule, startMs, now, pacer, this.#tools)
  }

  send(due: number): Promise<unknown> {
    const begun = now()
    this.#recorder.begin(due, begun)
    return this.#sampling.next() ? this.#watched(due, begun) : this.#work.send()
  }

  succeeded(due: number, reply: unknown): number {
    const bytes = this.#work.receivedBytes(reply)
    const settled = now()
    this.#recorder.succeed(due, settled, this.#work.sentBytes, bytes)
    if (this.#idle !== undefined && this.#recorder.inFlight === 0) this.#idle()
    return settled
  }

  failed(due: number, error: unknown): number {
    const settled = now()
    this.#recorder.fail(due, settled, error)
    if (this.#idle !== undefined && this.#recorder.inFlight === 0) this.#idle()
    return settled
  }

  async #watched(due: number, begun: number): Promise<unknown> {
    const { reply, timing } = this.#work.watch()
    const value = await reply
    if (timing?.waitMs !== undefined && timing.serviceMs !== undefined)
      this.#recorder.parts(due, begun - due + timing.waitMs, timing.serviceMs)
    return value
  }

  /** Waits until nothing is owed any more, but not for ever, and no longer than Ctrl-C allows. */
  async #drain(loop: Promise<void>): Promise<void> {
    const { signal } = this.#tools
    const { timeoutMs } = this.#options
    const patience = new AbortController()
    const enough = (): void => patience.abort()
    signal.addEventListener('abort', enough, { once: true })
    const idle = async (): Promise<void> => {
      await loop // which may have fallen behind, and begin the last requests only now
      if (this.#recorder.inFlight > 0)
        await new Promise<void>((resolve) => {
          this.#idle = resolve
        })
    }
    const longest = signal.aborted ? Math.min(timeoutMs, DRAIN_INTERRUPTED_MS) : timeoutMs + DRAIN_GRACE_MS
    await Promise.race([idle(), sleep(longest, patience.signal)])
    signal.removeEventListener('abort', enough)
    enough()
  }
}
