/** What becomes of the requests: counted and timed. It has no clock: each moment is told, in milliseconds of one clock. */
import { PoolError, ReplyError } from '@cenote/pool-core'
import { Latency, type LatencySummary, type Quantile } from './latency.ts'

/** Begun later than this after it was due, a request is a late arrival. */
export const LATE_MS = 1

/** What happened since the last look: counted of all requests, timed of those that were due in the measured time. */
export interface Interval {
  readonly succeeded: number
  readonly failed: number
  readonly late: number
  /** Begun and not settled, at the end of the interval. */
  readonly inFlight: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** A distribution with what charts draw. */
export interface LatencyResult extends LatencySummary {
  readonly curve: readonly Quantile[]
}

/** Of the requests that were due in the measured time. */
export interface Tally {
  readonly requests: number
  readonly succeeded: number
  readonly failed: number
  /** Begun, and neither answered nor failed when waiting for them ended. */
  readonly unfinished: number
  /** Succeeded within the measured time, whenever they were due: what the throughput is made of. */
  readonly completed: number
  /** Of these, bytes of requests and replies, without what the protocol adds. */
  readonly bytesSent: number
  readonly bytesReceived: number
  /** How many began late; of all, how much later than they were due. */
  readonly late: { readonly count: number; readonly meanMs: number; readonly maxMs: number }
  readonly errors: Readonly<Record<string, number>>
  /** Due until answered; of those that succeeded. */
  readonly response: LatencyResult
  /** Due until it had a connection; of some, for looking at each would cost too much at high rates. */
  readonly wait: LatencyResult
  /** From then until answered; of the same. */
  readonly service: LatencyResult
  /** Due until failed; of those that failed. */
  readonly failure: LatencyResult
}

export class Recorder {
  #from = Number.POSITIVE_INFINITY
  #to = Number.POSITIVE_INFINITY
  #begun = 0
  #settled = 0
  #measured = 0
  #late = 0
  #latenessMs = 0
  #latestMs = 0
  #failed = 0
  #completed = 0
  #bytesSent = 0
  #bytesReceived = 0
  #recent = { succeeded: 0, failed: 0, late: 0 }
  readonly #errors = new Map<string, number>()
  readonly #messages = new Map<string, string>()
  readonly #response = new Latency()
  readonly #wait = new Latency()
  readonly #service = new Latency()
  readonly #failure = new Latency()
  readonly #interval = new Latency()

  /** Requests count that are due from here on. */
  measureFrom(from: number): void {
    this.#from = from
  }

  /** What settles from here on adds to the times, and no more to the throughput. */
  measureTo(to: number): void {
    this.#to = to
  }

  /** Begun and not settled. */
  get inFlight(): number {
    return this.#begun - this.#settled
  }

  /** Answered or failed, since the begin. */
  get settled(): number {
    return this.#settled
  }

  /** What the pool has said with the first error of each code. */
  get messages(): ReadonlyMap<string, string> {
    return this.#messages
  }

  /** A request begins. */
  begin(due: number, now: number): void {
    this.#begun++
    const late = now - due
    if (late > LATE_MS) this.#recent.late++
    if (due < this.#from) return
    this.#measured++
    this.#latenessMs += late
    if (late > this.#latestMs) this.#latestMs = late
    if (late > LATE_MS) this.#late++
  }

  /** It was answered. */
  succeed(due: number, now: number, sent: number, received: number): void {
    this.#settled++
    this.#recent.succeeded++
    if (now >= this.#from && now <= this.#to) {
      this.#completed++
      this.#bytesSent += sent
      this.#bytesReceived += received
    }
    if (due >= this.#from) this.#interval.record(now - due)
  }

  /** One that was looked at closely has succeeded: how long it waited for a connection, and was served. */
  parts(due: number, waitMs: number, serviceMs: number): void {
    if (due < this.#from) return
    this.#wait.record(waitMs)
    this.#service.record(serviceMs)
  }

  /** It has failed. */
  fail(due: number, now: number, error: unknown): void {
    this.#settled++
    this.#recent.failed++
    if (due < this.#from) return
    this.#failed++
    this.#failure.record(now - due)
    const code = codeOf(error)
    this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1)
    if (PoolError.is(error) && !this.#messages.has(code)) this.#messages.set(code, error.message)
  }

  /** What has happened since the last call. */
  interval(): Interval {
    const interval = {
      ...this.#recent,
      inFlight: this.inFlight,
      p50Ms: this.#interval.percentileMs(50),
      p99Ms: this.#interval.percentileMs(99),
      maxMs: this.#interval.maxMs,
    }
    this.#recent = { succeeded: 0, failed: 0, late: 0 }
    this.#collect()
    return interval
  }

  /** Which part of the response times is not above this one. */
  shareWithin(ms: number): number {
    this.#collect()
    return this.#response.shareWithin(ms)
  }

  tally(): Tally {
    this.#collect()
    return {
      requests: this.#measured,
      succeeded: this.#response.count,
      failed: this.#failed,
      unfinished: this.#measured - this.#response.count - this.#failed,
      completed: this.#completed,
      bytesSent: this.#bytesSent,
      bytesReceived: this.#bytesReceived,
      late: { count: this.#late, meanMs: this.#measured === 0 ? 0 : this.#latenessMs / this.#measured, maxMs: this.#latestMs },
      errors: Object.fromEntries([...this.#errors].sort(([, a], [, b]) => b - a)),
      response: resultOf(this.#response),
      wait: resultOf(this.#wait),
      service: resultOf(this.#service),
      failure: resultOf(this.#failure),
    }
  }

  /** Each time is recorded once, and goes from the interval's histogram into that of all. */
  #collect(): void {
    this.#response.add(this.#interval)
    this.#interval.reset()
  }
}

/** An answer came, and it is not what was asked for. */
export class WrongReply extends Error {
  override readonly name = 'WrongReply'
}

function resultOf(latency: Latency): LatencyResult {
  return { ...latency.summary, curve: latency.curve() }
}

function codeOf(error: unknown): string {
  if (PoolError.is(error)) return error.code
  if (ReplyError.is(error)) return `reply ${error.code}`
  return error instanceof WrongReply ? 'wrong reply' : error instanceof Error ? error.name : 'unknown'
}
