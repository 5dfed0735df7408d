/** What the channels of a test's process publish, in order. */
import { tracingChannel } from 'node:diagnostics_channel'
import type { CallTrace, ConnectTrace } from '@cenote/pool-core'
import type { Test } from 'uvu'

export type ChannelName = 'acquire' | 'request' | 'handler' | 'connect'

const STEPS = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const
export type Step = (typeof STEPS)[number]

/** One message. */
export interface Told<T> {
  readonly step: Step
  /** The object that was published, which changes until the end. */
  readonly trace: T
}

/** Listens to a channel until the test is over. */
export function listeningFor(test: Test): {
  calls(name: 'acquire' | 'request' | 'handler'): Told<CallTrace>[]
  connects(): Told<ConnectTrace>[]
} {
  const leave: (() => void)[] = []
  test.after.each(() => {
    for (const off of leave.splice(0)) off()
  })
  const listen = <T>(name: ChannelName): Told<T>[] => {
    const told: Told<T>[] = []
    const channel = tracingChannel(`cenote:${name}`)
    for (const step of STEPS) {
      const hear = (message: unknown): void => void told.push({ step, trace: message as T }) // what our own channel publishes
      channel[step].subscribe(hear)
      leave.push(() => void channel[step].unsubscribe(hear))
    }
    return told
  }
  return { calls: (name) => listen(name), connects: () => listen('connect') }
}

/** The steps of each operation, in the order of their beginning. */
export function stepsOf<T>(told: readonly Told<T>[]): Step[][] {
  const all = new Map<T, Step[]>()
  for (const { step, trace } of told) all.set(trace, [...(all.get(trace) ?? []), step])
  return [...all.values()]
}

/** The objects, in the order of their beginning. */
export function tracesOf<T>(told: readonly Told<T>[]): T[] {
  return [...new Set(told.map(({ trace }) => trace))]
}
