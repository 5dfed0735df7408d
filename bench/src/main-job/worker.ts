/** One way in a process of its own: rounds of jobs, and what they cost. */
import { mainThreadCpuMs, mainThreadOnly, processCpuMs } from '../measure/cpu.ts'
import { type LoopDelay, LoopDelaySampler } from '../measure/loop-delay.ts'
import { peakRssBytes } from '../measure/memory.ts'
import type { Statistics } from '../places.ts'
import type { Target } from './target.ts'
import { openWay, type Way, type WayName } from './ways.ts'

/** What the parent asks for, in this order: open, round … round, report. */
export type WayRequest =
  | { readonly ask: 'open'; readonly way: WayName; readonly target: Target; readonly keys: readonly string[]; readonly inFlight: number }
  | { readonly ask: 'round'; readonly measured: boolean }
  | { readonly ask: 'report' }

/** What a way cost, all measured rounds together. */
export interface WayReport {
  readonly jobs: number
  readonly elapsedMs: number
  readonly roundMs: readonly number[]
  readonly mainCpuMs: number
  /** All threads of the process together. */
  readonly processCpuMs: number
  /** Whether `mainCpuMs` is the main thread's alone; false: the whole process's. */
  readonly mainThreadOnly: boolean
  readonly loopDelay: LoopDelay
  readonly idleFloorMs: number
  readonly peakRssBytes: number
  /** One result for each key, in the order of the keys. */
  readonly answers: readonly Statistics[]
}

const FLOOR_MS = 300
const PROGRESS_MS = 200

/** The state of the process: one way at work. */
export class WayWorker {
  #way: Way | undefined
  #keys: readonly string[] = []
  #inFlight = 1
  #sampler = new LoopDelaySampler()
  #answers: readonly Statistics[] = []
  #roundMs: number[] = []
  #mainCpuMs = 0
  #processCpuMs = 0

  /** Carries out one request. `progress` hears how many jobs of the round are done. */
  async answer(request: WayRequest, userCode: URL, progress: (done: number) => void): Promise<WayReport | undefined> {
    switch (request.ask) {
      case 'open':
        this.#keys = request.keys
        this.#inFlight = request.inFlight
        this.#way = await openWay(request.way, request.target, userCode)
        await this.#sampler.measureFloor(FLOOR_MS)
        return undefined
      case 'round':
        await (request.measured ? this.#measure(progress) : this.#round(progress))
        return undefined
      case 'report':
        await this.#way?.close()
        return this.#report()
    }
  }

  async #measure(progress: (done: number) => void): Promise<void> {
    const [start, startCpu, startProcess] = [performance.now(), mainThreadCpuMs(), processCpuMs()]
    this.#sampler.start()
    await this.#round(progress)
    this.#roundMs.push(performance.now() - start)
    this.#mainCpuMs += mainThreadCpuMs() - startCpu
    this.#processCpuMs += processCpuMs() - startProcess
    await new Promise((resolve) => setTimeout(resolve, 2)) // lets the sampler see a pause that has just ended
    this.#sampler.stop()
  }

  /** Does the job for every key, at most so many at a time, in the order of the keys. */
  async #round(progress: (done: number) => void): Promise<void> {
    const way = this.#way
    if (way === undefined) throw new Error('not opened')
    const answers = new Array<Statistics>(this.#keys.length)
    let [next, done, told] = [0, 0, performance.now()]
    const caller = async () => {
      for (let index = next++; index < this.#keys.length; index = next++) {
        answers[index] = await way.run(this.#keys[index] ?? '')
        done++
        if (performance.now() - told < PROGRESS_MS) continue
        told = performance.now()
        progress(done)
      }
    }
    await Promise.all(Array.from({ length: this.#inFlight }, caller))
    if (this.#answers.length > 0) this.#compare(answers)
    this.#answers = answers
  }

  #compare(answers: readonly Statistics[]): void {
    const differs = answers.findIndex((answer, index) => JSON.stringify(answer) !== JSON.stringify(this.#answers[index]))
    if (differs !== -1) throw new Error(`two rounds gave different answers for ${this.#keys[differs]}`)
  }

  #report(): WayReport {
    return {
      jobs: this.#roundMs.length * this.#keys.length,
      elapsedMs: this.#roundMs.reduce((sum, each) => sum + each, 0),
      roundMs: this.#roundMs,
      mainCpuMs: this.#mainCpuMs,
      processCpuMs: this.#processCpuMs,
      mainThreadOnly,
      loopDelay: this.#sampler.read(),
      idleFloorMs: this.#sampler.floorMs,
      peakRssBytes: peakRssBytes(),
      answers: this.#answers,
    }
  }
}
