/** Cenote with so many shards, through all cells of the table: payload, callers, work. */
import { createPool, handlersAt, lengthPrefixed } from '@cenote/pool-core'
import { checkBody, patterned } from '../../framed/bodies.ts'
import { spin } from '../../measure/spin.ts'
import type { Figures } from '../scenario.ts'
import type { Contender } from './contender.ts'
import { closedLoop, Latency, measured } from './measured.ts'

/** One line of the table. */
export interface Cell {
  readonly payloadBytes: number
  readonly callers: number
  /** What is computed for each reply, in microseconds. */
  readonly cpuMicroseconds: number
  /** Where: in the application on the main thread, or in a handler next to the socket. */
  readonly where: 'application' | 'handler'
}

export interface HopSetup {
  readonly port: number
  readonly shards: number
  /** A module whose handler asks, computes, and gives back how long the reply was. */
  readonly handlers: string
  readonly cells: readonly Cell[]
}

/** A round measures one cell after the other, each for an equal part; the figures have the cell's number before their names. */
export async function open({ port, shards, handlers, cells }: HopSetup): Promise<Contender> {
  const pool = await createPool({
    endpoint: `tcp://127.0.0.1:${port}`,
    protocol: lengthPrefixed(),
    handlers: handlersAt<typeof import('../../hop-handlers.ts')>(new URL(handlers)),
    shards,
  })
  const callOf = ({ payloadBytes, cpuMicroseconds, where }: Cell): (() => Promise<void>) => {
    const body = patterned(payloadBytes, 1)
    if (where === 'handler')
      return async () => {
        const length = await pool.handlers.compute({ payloadBytes, cpuMicroseconds })
        if (length !== payloadBytes) throw new Error(`the handler got ${length} bytes instead of ${payloadBytes}`)
      }
    return async () => {
      checkBody(await pool.request(body), body)
      spin(cpuMicroseconds)
    }
  }
  const calls = cells.map(callOf)
  return {
    async round(roundMs) {
      const all: Record<string, number> = {}
      for (const [index, call] of calls.entries()) {
        const latency = new Latency()
        const { callers } = cells[index] as Cell // the same list
        const figures = await measured(() => closedLoop(callers, roundMs / cells.length, call, () => undefined, latency), {
          loopDelay: false,
        })
        const own: Figures = { ...figures, ...latency.read() }
        for (const [key, value] of Object.entries(own)) all[`${index}.${key}`] = value
      }
      return all
    },
    close: () => pool.close(),
  }
}
