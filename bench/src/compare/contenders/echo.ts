/** Exclusive echo: each caller takes a connection, asks, compares the reply, gives it back. The work of all echo contenders. */
import type { Contender } from './contender.ts'
import { closedLoop, Latency, measured } from './measured.ts'

/** What every echo contender is told. */
export interface EchoSetup {
  readonly port: number
  readonly connections: number
  /** Callers who share the connections, each with one request at a time. */
  readonly callers: number
  readonly payloadBytes: number
}

/** Rounds of `ask`, which takes a connection, sends the payload, waits for as many bytes and gives the connection back. */
export function echo(
  ask: (payload: Buffer) => Promise<Buffer>,
  { callers, payloadBytes }: EchoSetup,
  close: () => Promise<void>,
): Contender {
  const payloads = Array.from({ length: callers }, (_, caller) => Buffer.alloc(payloadBytes, `caller ${caller} `))
  return {
    async round(roundMs) {
      const latency = new Latency()
      const call = (caller: number, turn: number): Promise<Buffer> => {
        const payload = payloads[caller] ?? Buffer.alloc(payloadBytes)
        payload.writeUInt32LE(turn, 0) // no reply can be taken for another's
        return ask(payload)
      }
      const check = (reply: Buffer, caller: number): void => {
        if (!payloads[caller]?.equals(reply)) throw new Error(`caller ${caller} got the wrong reply: ${reply.toString('latin1')}`)
      }
      const figures = await measured(() => closedLoop(callers, roundMs, call, check, latency))
      return { ...figures, ...latency.read() }
    },
    close,
  }
}
