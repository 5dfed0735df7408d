/** GETs of small values by many callers, every value verified: the work that all Redis clients do. */
import { spin } from '../../measure/spin.ts'
import type { Contender } from './contender.ts'
import { closedLoop, Latency, measured } from './measured.ts'

/** What every Redis client is told. */
export interface RespSetup {
  readonly port: number
  readonly callers: number
  /** For so long each caller computes when it has been answered, on the main thread. Default 0. */
  readonly computeMicroseconds?: number
}

/** How many keys there are. */
export const KEYS = 1024
/** Length of each value. */
export const VALUE_BYTES = 64

const STEP = 7 // callers begin at different keys

/** Twelve digits: `redis-benchmark` makes such of its random numbers. */
export const keyAt = (index: number): string => `cenote-bench:${String(index).padStart(12, '0')}`

export const valueAt = (index: number): string => `value of key ${index} `.padEnd(VALUE_BYTES, '0123456789abcdef')

const KEY_NAMES = Array.from({ length: KEYS }, (_, index) => keyAt(index))
const VALUES = Array.from({ length: KEYS }, (_, index) => valueAt(index))

/** A client's rounds. */
export function gets(
  get: (key: string) => Promise<unknown>,
  { callers, computeMicroseconds = 0 }: RespSetup,
  close: () => Promise<void>,
): Contender {
  const indexOf = (caller: number, turn: number): number => (caller * STEP + turn) % KEYS
  const call = (caller: number, turn: number): Promise<unknown> => get(KEY_NAMES[indexOf(caller, turn)] ?? '')
  const check = (value: unknown, caller: number, turn: number): void => {
    const index = indexOf(caller, turn)
    if (value !== VALUES[index]) throw new Error(`${KEY_NAMES[index]}: a wrong value arrived: ${String(value)}`)
    if (computeMicroseconds > 0) spin(computeMicroseconds)
  }
  return {
    async round(roundMs) {
      const latency = computeMicroseconds > 0 ? new Latency() : undefined // looking at the clock twice is a tenth of a GET
      const figures = await measured(() => closedLoop(callers, roundMs, call, check, latency))
      return { ...figures, ...latency?.read() }
    },
    close,
  }
}
