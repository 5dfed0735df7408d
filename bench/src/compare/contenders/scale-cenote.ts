/** Cenote with as many connections as asked for, all open; then a few callers. */
import { openPool } from '../../framed/cenote.ts'
import type { Contender } from './contender.ts'
import { type FramedSetup, framed } from './framed-work.ts'
import { openAll } from './scale-opening.ts'

export async function open(setup: FramedSetup): Promise<Contender> {
  const pool = await openPool({ ...setup, minConnections: setup.connections })
  await openAll(pool, setup.connections)
  return framed({ request: (body) => pool.request(body), close: () => pool.close() }, setup)
}
