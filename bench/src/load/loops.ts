/** Who sends requests, and when: callers who wait for their replies, or a schedule that waits for nobody. */
import type { Pacer } from './metronome.ts'

/** Milliseconds, as `performance.now()`. */
export type Clock = () => number

/** Sends requests and hears how they end. The moments are the clock's. */
export interface Sender {
  /** Sends one that is, or was, due. */
  send(dueMs: number): Promise<unknown>
  /** It was answered; gives the moment. Throws when that is no answer. */
  succeeded(dueMs: number, reply: unknown): number
  /** It has failed, or the reply was no answer; gives the moment. */
  failed(dueMs: number, error: unknown): number
}

/** How a loop ends early. */
export interface Ending {
  readonly signal: AbortSignal
}

/** After a failure a caller waits so long: one that is refused at once would else keep the thread for itself. */
const AFTER_FAILURE_MS = 1

/** Requests that are due sooner than this are waited for together. */
const LEAST_SLEEP_MS = 0.1

/**
 * Closed loop: each caller has one request in flight, and sends the next when that is answered, and after a pause to think. A request is
 * due when its caller is ready for it.
 *
 * @returns When all callers have stopped, which they do at `endMs`; each waits for its last reply.
 */
export async function closedLoop(
  sender: Sender,
  callers: number,
  thinkMs: number,
  endMs: number,
  now: Clock,
  { signal }: Ending,
): Promise<void> {
  const caller = async (): Promise<void> => {
    let due = now()
    while (due < endMs && !signal.aborted) {
      let pause = thinkMs
      try {
        due = sender.succeeded(due, await sender.send(due)) // awaited here: one promise more for each request would be felt
      } catch (error) {
        due = sender.failed(due, error)
        pause = Math.max(thinkMs, AFTER_FAILURE_MS)
      }
      if (pause === 0) continue
      await sleep(Math.min(pause, Math.max(0, endMs - due)), signal)
      due = now()
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
}

/**
 * Open loop: each request begins when it is due, whatever became of those before it. Those that came due while this thread
 * was busy begin together, and late; they count from when they were due.
 *
 * @param schedule - Milliseconds after `startMs`, in order.
 * @returns When the last one has begun.
 */
export function openLoop(
  sender: Sender,
  schedule: Iterator<number, void>,
  startMs: number,
  now: Clock,
  pacer: Pacer,
  { signal }: Ending,
): Promise<void> {
  return new Promise((resolve) => {
    let next = schedule.next()
    const step = (): void => {
      if (signal.aborted) return
      const reached = now() - startMs // not looked at again: replies come between two steps, not within one
      while (!next.done && next.value <= reached) {
        void oneRequest(sender, startMs + next.value)
        next = schedule.next()
      }
      if (next.done) {
        signal.removeEventListener('abort', finish)
        resolve()
      } else pacer.wakeAt(startMs + Math.max(next.value, reached + LEAST_SLEEP_MS), step)
    }
    const finish = () => resolve()
    signal.addEventListener('abort', finish, { once: true })
    step()
  })
}

/** Never rejects. */
async function oneRequest(sender: Sender, due: number): Promise<void> {
  try {
    sender.succeeded(due, await sender.send(due))
  } catch (error) {
    sender.failed(due, error)
  }
}

/** Resolves after so long, or when the signal is aborted. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const finish = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', finish)
      resolve()
    }
    const timer = setTimeout(finish, ms)
    signal.addEventListener('abort', finish, { once: true })
  })
}
