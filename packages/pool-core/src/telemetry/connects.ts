/** Connects as observers see them: from the look-up of the name to OPENED, LOST or CLOSED. */
import { type ConnectTimes, type Endpoint, type OpenRequest, type PoolError, printEndpoint } from '@cenote/pool-worker'
import type { Slot } from '../books/slots.ts'
import { connectionId } from '../holders.ts'
import type { Line } from '../line.ts'
import type { Link } from '../link.ts'
import { connectionLost } from '../refusals.ts'
import { connectChannel, connectEnded, followConnect, observed } from './channels.ts'
import type { ConnectTrace, Traces } from './traces.ts'

/** A connect begins: observers are told, if there are any. */
export function beginConnect(
  traces: Traces,
  slot: Slot,
  endpoint: Endpoint,
  timeoutMs: number,
  begin: (trace: ConnectTrace | undefined) => void,
): void {
  if (!observed(connectChannel)) return begin(undefined)
  const trace = traces.connect(connectionId(slot, slot.serial), slot.shard, printEndpoint(endpoint), timeoutMs)
  followConnect(trace, () => begin(trace))
}

/** The shard is told to open the slot's connection; what follows is its line's. */
export function handOver(link: Link, slot: Slot, timeoutMs: number, request: OpenRequest, trace: ConnectTrace | undefined): void {
  link.open(slot, timeoutMs, request)
  if (trace === undefined) return
  const line = link.line(slot)
  if (line !== undefined) line.trace = trace
}

/** A connect is over before its shard was told. */
export function refuseConnect(trace: ConnectTrace | undefined, error: PoolError = givenUp()): void {
  if (trace === undefined) return
  trace.ended(error)
  connectEnded(trace)
}

function givenUp(): PoolError {
  return connectionLost('the connect was given up', 'not-sent')
}

/** The connect of a line is over. */
export function connectOver(line: Line, times: ConnectTimes | undefined, error?: PoolError): void {
  const { trace } = line
  if (trace === undefined) return
  line.trace = undefined
  if (times !== undefined) trace.measured(times)
  trace.ended(error)
  connectEnded(trace)
}
