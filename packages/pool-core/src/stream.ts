/** The Duplex over a lease: bytes both ways, with credit in each direction. */
import { AsyncResource } from 'node:async_hooks'
import { Duplex } from 'node:stream'
import { Flag, Kind } from '@cenote/pool-worker'
import type { Line } from './line.ts'
import type { Link } from './link.ts'
import { throwLater } from './throw-later.ts'

/** Where the line delivers what concerns its stream. */
export interface StreamEnd {
  readonly duplex: Duplex
  /** Bytes from the peer; `last` when it will send no more. */
  arrived(bytes: Buffer, last: boolean): void
  /** The connection is gone; without an error both directions had ended. */
  lost(error: Error | undefined): void
  /** The lease has ended otherwise: nothing more is told. */
  detach(): void
  /** Whether both directions have ended. */
  readonly over: boolean
  /** Whether both directions are open and nothing waits: only then the connection could go back to the pool. */
  readonly reusable: boolean
}

/** How often a stream's window may double while its reader keeps up. */
const MAX_GROWTH = 8

/**
 * Opens the stream of a line.
 * @param window - Bytes in flight in each direction at first; grows to eight times while used up.
 * @param closed - Called once, when the stream is over in both directions or destroyed.
 */
export function openStream(link: Link, line: Line, window: number, closed: (clean: boolean) => void): StreamEnd {
  let granted = window // credit that the shard holds or has used
  let size = window
  let consumed = 0 // bytes that the reader took and whose credit was not given back yet
  let readEnded = false
  let writeEnded = false
  let waiting = 0
  let gone = false
  let keepsUp = true
  let asked = false

  const giveBack = (): void => {
    if (gone || consumed < size / 4) return
    let credit = consumed
    consumed = 0
    if (granted === 0 && size < MAX_GROWTH * window) {
      credit += size
      size *= 2
    }
    granted += credit
    link.credit(line.slot, credit, false)
  }

  /** After all that has come in this turn: only then it shows whether the shard has used up what it was granted. */
  const giveBackSoon = (): void => {
    if (asked) return
    asked = true
    queueMicrotask(() => {
      asked = false
      if (keepsUp) giveBack()
    })
  }

  const send = (chunk: Uint8Array, last: boolean, taken: (error?: Error | null) => void): void => {
    waiting++
    let told = taken
    let sent = false
    line.send(Kind.DATA, last ? Flag.END : 0, undefined, chunk, () => {
      waiting--
      sent = true
      try {
        told()
      } catch (thrown) {
        throwLater(thrown)
      }
    })
    if (!sent) told = AsyncResource.bind(taken) // whoever writes is told in his own context
    link.flushSoon()
  }

  const duplex = new Duplex({
    allowHalfOpen: true,
    readableHighWaterMark: window,
    writableHighWaterMark: window,
    decodeStrings: true,
    read: giveBack,
    write(chunk: Buffer, _encoding, callback) {
      send(chunk, false, callback)
    },
    final(callback) {
      writeEnded = true
      send(new Uint8Array(0), true, callback)
    },
    destroy(error, callback) {
      if (!gone) {
        gone = true
        closed(error === null && readEnded && writeEnded)
      }
      callback(error)
    },
  })

  duplex.emit = AsyncResource.bind(duplex.emit, undefined, duplex) // whatever causes them, its events are those of whoever opens it
  line.startStream(window)
  link.credit(line.slot, window, true)

  return {
    duplex,
    get reusable() {
      return !(gone || readEnded || writeEnded) && waiting === 0 && duplex.readableLength === 0 && duplex.writableLength === 0
    },
    get over() {
      return readEnded && writeEnded
    },
    detach() {
      gone = true
      duplex.destroy()
    },
    arrived(bytes, last) {
      if (gone) return
      granted -= bytes.length
      consumed += bytes.length
      if (bytes.length > 0) {
        try {
          keepsUp = duplex.push(bytes)
        } catch (thrown) {
          throwLater(thrown)
        }
        giveBackSoon()
      }
      if (last) {
        readEnded = true
        duplex.push(null)
      }
    },
    lost(error) {
      if (gone) return
      gone = true
      if (error !== undefined || !(readEnded && writeEnded)) duplex.destroy(error)
      closed(error === undefined)
    },
  }
}
