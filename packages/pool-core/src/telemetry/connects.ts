/** Connects as observers see them: from OPEN to OPENED, LOST or CLOSED. */
import type { ConnectTimes, OpenRequest, PoolError } from '@cenote/pool-worker'
import { printEndpoint } from '@cenote/pool-worker'
import type { Slot } from '../books/slots.ts'
import { connectionId } from '../holders.ts'
import type { Line } from '../line.ts'
import type { Link } from '../link.ts'
import { connectChannel, connectEnded, followConnect, observed } from './channels.ts'
import type { Traces } from './traces.ts'

/** Has a shard open the slot's connection, and tells observers if there are any. */
export function openObserved(traces: Traces, link: Link, slot: Slot, timeoutMs: number, request: OpenRequest): void {
  if (!observed(connectChannel)) return link.open(slot, timeoutMs, request)
  const trace = traces.connect(connectionId(slot, slot.serial), slot.shard, printEndpoint(request.endpoint), timeoutMs)
  followConnect(trace, () => link.open(slot, timeoutMs, request))
  const line = link.line(slot)
  if (line !== undefined) line.trace = trace
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
