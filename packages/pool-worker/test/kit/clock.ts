/** Time that stands still until a test lets it pass; sockets and turns of the event loop are real. */
import { type Cancel, realWorld, type World } from '../../src/world.ts'

interface Alarm {
  readonly at: number
  readonly ref: boolean
  readonly action: () => void
}

/** A world with a clock of its own. */
export class ManualWorld implements World {
  time: number
  /** What `random` gives. */
  chance = 0
  readonly timers: Alarm[] = []
  readonly immediate = realWorld.immediate
  readonly connectTcp = realWorld.connectTcp
  readonly connectTls = realWorld.connectTls
  readonly lookup = realWorld.lookup

  constructor(time = 0) {
    this.time = time
  }

  now(): number {
    return this.time
  }

  random(): number {
    return this.chance
  }

  timer(ms: number, ref: boolean, action: () => void): Cancel {
    const alarm = { at: this.time + ms, ref, action }
    this.timers.push(alarm)
    return () => this.#drop(alarm)
  }

  /** Lets time pass, and timers fire when they are due. */
  pass(ms: number): void {
    const end = this.time + ms
    for (;;) {
      const next = this.timers.slice().sort((a, b) => a.at - b.at)[0]
      if (next === undefined || next.at > end) break
      this.time = Math.max(this.time, next.at)
      this.#drop(next)
      next.action()
    }
    this.time = end
  }

  /** Lets time pass with the event loop blocked: timers are due, and fire after. */
  stall(ms: number): void {
    this.time += ms
    this.pass(0)
  }

  #drop(alarm: Alarm): void {
    const at = this.timers.indexOf(alarm)
    if (at >= 0) this.timers.splice(at, 1)
  }
}
