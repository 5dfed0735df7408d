/**
 * What crosses beside the rings: a handler's input or result that is not small and plain, by structured clone. It may overtake the frame that
 * it belongs to, or come after it: each side acts when it has both.
 */
import type { MessagePort } from 'node:worker_threads'
import type { Settled } from './messages.ts'
import type { Transferable } from './transfer.ts'

/** To the shard. Its EXECUTE frame has no payload. */
export interface InputParcel {
  readonly callId: number
  readonly name: string
  readonly input: unknown
}

/** From the shard. Its DONE frame has no payload. */
export interface ResultParcel {
  readonly callId: number
  readonly result: Settled<unknown>
}

/** One end of the way beside the rings. */
export interface Parcels<Sent, Received> {
  /** Sends a copy of the parcel, without what is moved. Throws what the clone throws; then nothing was sent or moved. */
  post(parcel: Sent, moved: readonly Transferable[]): void
  /** Says what is done with each parcel. Once. */
  listen(onParcel: (parcel: Received) => void): void
}

/** The way beside the rings through a port. It listens from its birth, so that the port's end is noticed. */
export function portParcels<Sent, Received>(port: MessagePort): Parcels<Sent, Received> {
  const early: Received[] = []
  let action = (parcel: Received): void => void early.push(parcel)
  port.on('message', (parcel: Received) => action(parcel))
  return {
    post: (parcel, moved) => port.postMessage(parcel, moved),
    listen(onParcel) {
      action = onParcel
      for (const parcel of early.splice(0)) onParcel(parcel)
    },
  }
}
