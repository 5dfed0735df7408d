/** What all contenders measure of themselves, and the closed loop that most of them run. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { mainThreadCpuMs, processCpuMs } from '../../measure/cpu.ts'
import { LoopDelaySampler } from '../../measure/loop-delay.ts'
import { peakRssBytes } from '../../measure/memory.ts'

const FLOOR_MS = 200
const MIB = 2 ** 20
const MICROSECONDS = 1_000

/** The figures of a round that was `measured`. */
export type Measured = Readonly<
  Record<
    | 'requests'
    | 'elapsedMs'
    | 'requestsPerSecond'
    /** Of the main thread alone where the system tells (Linux), else of the process. */
    | 'mainCpuMicrosecondsPerRequest'
    /** Of all threads of the process. */
    | 'cpuMicrosecondsPerRequest'
    | 'peakRssMib',
    number
  >
> & {
  /** What a timer set for each millisecond was kept waiting, less the median of an idle loop. */
  readonly loopDelayP50Ms?: number
  readonly loopDelayP99Ms?: number
}

let sampler: LoopDelaySampler | undefined // one for the process: its floor is measured once, before the warm-up round

/**
 * Measures `work`, which gives how many requests it made.
 *
 * @param loopDelay - False: no delay is sampled, so that no timer wakes a process whose sleep is measured.
 */
export async function measured(work: () => Promise<number>, { loopDelay = true } = {}): Promise<Measured> {
  if (!loopDelay) return await costOf(work)
  sampler ??= await idleSampler()
  sampler.start()
  try {
    const cost = await costOf(work)
    await new Promise((resolve) => setTimeout(resolve, 2)) // lets the sampler see a pause that has just ended
    const { p50Ms, p99Ms } = sampler.read()
    return { ...cost, loopDelayP50Ms: p50Ms, loopDelayP99Ms: p99Ms }
  } finally {
    sampler.stop()
    sampler.reset()
  }
}

async function idleSampler(): Promise<LoopDelaySampler> {
  const made = new LoopDelaySampler()
  await made.measureFloor(FLOOR_MS)
  return made
}

async function costOf(work: () => Promise<number>): Promise<Measured> {
  const [start, startMain, startAll] = [performance.now(), mainThreadCpuMs(), processCpuMs()]
  const requests = await work()
  const elapsedMs = performance.now() - start
  return {
    requests,
    elapsedMs,
    requestsPerSecond: (requests / elapsedMs) * 1_000,
    mainCpuMicrosecondsPerRequest: ((mainThreadCpuMs() - startMain) / requests) * MICROSECONDS,
    cpuMicrosecondsPerRequest: ((processCpuMs() - startAll) / requests) * MICROSECONDS,
    peakRssMib: peakRssBytes() / MIB,
  }
}

/**
 * A closed loop: so many callers, each with one call at a time, until the time is over; then those under way are waited for. It costs
 * a call no promise of its own, and no look at the clock unless `latency` is there. One that fails ends it.
 *
 * @param call - Makes one call. `turn` counts the caller's calls. It must give the event loop its turn.
 * @param check - Throws when the reply is wrong.
 * @param latency - Hears how long each call took.
 * @returns How many calls were made.
 */
export async function closedLoop<Reply>(
  callers: number,
  roundMs: number,
  call: (caller: number, turn: number) => Promise<Reply>,
  check: (reply: Reply, caller: number, turn: number) => void,
  latency?: Latency,
): Promise<number> {
  let [calls, over] = [0, false]
  const end = setTimeout(() => {
    over = true
  }, roundMs)
  const caller = async (index: number) => {
    for (let turn = 0; !over; turn++) {
      const begun = latency === undefined ? 0 : performance.now()
      const reply = await call(index, turn)
      latency?.record(performance.now() - begun)
      check(reply, index, turn)
      calls++
    }
  }
  try {
    await Promise.all(Array.from({ length: callers }, (_, index) => caller(index)))
  } finally {
    over = true
    clearTimeout(end)
  }
  return calls
}

/** Latencies of one round. */
export class Latency {
  #histogram: RecordableHistogram = createHistogram({ lowest: 1, highest: 60_000_000_000, figures: 3 })

  record(ms: number): void {
    this.#histogram.record(Math.max(1, Math.round(ms * 1e6)))
  }

  read(): Readonly<Record<'latencyP50Microseconds' | 'latencyP99Microseconds' | 'latencyMaxMicroseconds', number>> {
    return {
      latencyP50Microseconds: this.#histogram.percentile(50) / 1e3,
      latencyP99Microseconds: this.#histogram.percentile(99) / 1e3,
      latencyMaxMicroseconds: this.#histogram.max / 1e3,
    }
  }
}
