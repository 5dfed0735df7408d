/** What goes beside a ring: whole pieces of memory, which change their owner and are not copied. */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'

/**
 * One end of a way for memory from thread to thread, in order. Each piece has a frame in the ring, flagged BESIDE, that says what it
 * is; whoever sends puts the piece on its way first, so that whoever reads the frame has it. It wakes nobody: the ring does.
 */
export interface Lane {
  /** Gives away a Buffer that is all of its memory. It must not be used afterwards. */
  put(bytes: Buffer): void
  /** The next piece. Throws when there is none: then a frame lies. */
  take(): Buffer
  close(): void
}

/**
 * A lane between threads. The port is never started: its messages stay in its queue until they are asked for, also when the other end has
 * closed or its thread has died, and it keeps no process alive.
 */
export function portLane(port: MessagePort): Lane {
  return {
    put: ({ buffer }) => port.postMessage(buffer, [buffer as ArrayBuffer]), // its own memory, which no SharedArrayBuffer is
    take() {
      const received = receiveMessageOnPort(port)
      if (received === undefined) throw missing()
      collectYoungBuffers()
      return Buffer.from(received.message as ArrayBuffer) // put there by our own other side
    },
    close: () => port.close(),
  }
}

/** The two ends of a lane within one thread: `shards: 0`. */
export function localLanes(): [Lane, Lane] {
  const pieces: [Buffer[], Buffer[]] = [[], []]
  const end = (self: 0 | 1): Lane => ({
    put: (bytes) => void pieces[self].push(bytes),
    take() {
      const piece = pieces[(1 - self) as 0 | 1].shift()
      if (piece === undefined) throw missing()
      return piece
    },
    close() {
      pieces[self].length = 0
    },
  })
  return [end(0), end(1)]
}

function missing(): Error {
  return new TypeError('a frame tells of memory that was not sent')
}

/**
 * V8 collects young buffers, cheaply, once they hold some 32 MiB, but looks only when it allocates one itself. Those that come from another
 * thread would stay until they are 64 MiB more than at the last full collection, and cause the next one. Measured with replies of 1 MiB: a
 * third of all the process's time went to full collections without it. (A call of a constructor of V8's own is not optimised away.)
 */
function collectYoungBuffers(): void {
  void new ArrayBuffer(8)
}
