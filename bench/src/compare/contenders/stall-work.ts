/** The main thread stands still while the peer closes idle connections; then requests come. */
import { checkBody, patterned } from '../../framed/bodies.ts'
import { openSocket } from '../../framed/socket.ts'
import { order } from '../../servers/closing-server.ts'
import type { Contender } from './contender.ts'
import { Latency } from './measured.ts'

/** What all ways are told. */
export interface StallSetup {
  readonly port: number
  readonly connections: number
  /** How many of them the peer closes, in the middle of the stall. */
  readonly closed: number
  readonly stallMs: number
  /** Requests after the stall, and how many of them at a time. */
  readonly requests: number
  readonly callers: number
}

/** A pool that has stood still. */
export interface Stalled {
  /** Has all its connections open, and idle. */
  fill(): Promise<void>
  request(body: Buffer): Promise<Uint8Array>
  /** Connects made since it was asked last. */
  connects(): number
  /** Callers who had to wait since it was asked last: for one of those connects or for another caller. */
  waits(): number
  close(): Promise<void>
}

const BODY = patterned(64, 1)

/** A contender's rounds; a round takes as long as it takes. */
export function stalls(pool: Stalled, setup: StallSetup): Contender {
  return {
    async round() {
      await pool.fill()
      const orders = await openSocket(setup)
      await orders.request(order(setup.closed, setup.stallMs / 2))
      orders.socket.destroy()
      pool.connects()
      pool.waits()
      block(setup.stallMs)
      return await after(pool, setup)
    },
    close: () => pool.close(),
  }
}

/** The thread computes: its loop does not turn. */
function block(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

async function after(pool: Stalled, { requests, callers }: StallSetup) {
  const latency = new Latency()
  const start = performance.now()
  let left = requests
  let failures = 0
  const caller = async () => {
    while (left > 0) {
      left--
      const begun = performance.now()
      try {
        checkBody(await pool.request(BODY), BODY)
      } catch {
        failures++ // whatever it was: a caller had no answer
      }
      latency.record(performance.now() - begun)
    }
  }
  await Promise.all(Array.from({ length: callers }, () => caller()))
  return { failures, waits: pool.waits(), connects: pool.connects(), elapsedMs: performance.now() - start, ...latency.read() }
}
