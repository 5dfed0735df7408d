/** What a shard notes in its flight recorder. Life and death, not requests and replies: those would push everything else out. */

/** Events of a shard, by the number that stands for each; the detail is 0 where none is named. */
export const Noted = {
  /** The shard serves its caller's thread. */
  started: 0,
  /** A connect begins. Detail: its deadline in ms, 0 = none. */
  open: 1,
  /** Detail: microseconds that it took. */
  opened: 2,
  /** Detail: the reason, an index in `CLOSE_REASONS`. */
  lost: 3,
  /** The caller's side ends a connection. Detail: the reason, likewise. */
  close: 4,
  closed: 5,
  probe: 6,
  /** A lease has ended, and its connection is to be proved fit. */
  prove: 7,
  /** Proved fit: after a probe, a reset, a handler. */
  idle: 8,
  /** A lease has turned its connection into a stream. Detail: its first credit, in bytes. */
  stream: 9,
  /** A handler was asked for. Detail: call id. */
  execute: 10,
  /** A handler has ended. Detail: call id. */
  done: 11,
  /** The caller of a request or a handler has gone. Detail: call id. */
  cancel: 12,
  /** Reading has stopped on a connection, for the ring to the caller's side has no room. At most once a second. */
  'ring-full': 13,
  /** The shard closes all that it has. Detail: connections. */
  closing: 14,
} as const

/** One of them. */
export type Noted = (typeof Noted)[keyof typeof Noted]
