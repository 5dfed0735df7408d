/** The handler of the comparison `hop`. */
import type { ContextOf, lengthPrefixed } from '@cenote/pool-core'
import { checkBody, patterned } from './framed/bodies.ts'
import { spin } from './measure/spin.ts'

const bodies = new Map<number, Buffer>()

/** Asks for an echo, computes for a time, gives back how long the reply was. */
export async function compute(
  { payloadBytes, cpuMicroseconds }: { readonly payloadBytes: number; readonly cpuMicroseconds: number },
  { connection }: ContextOf<typeof lengthPrefixed>,
): Promise<number> {
  const body = bodies.get(payloadBytes) ?? patterned(payloadBytes, 1)
  bodies.set(payloadBytes, body)
  const reply = await connection.request(body)
  checkBody(reply, body)
  spin(cpuMicroseconds)
  return reply.length
}
