/**
 * The frames that travel through the rings: the whole language of the data plane.
 *
 * ```
 *  word 0          word 1                             word 2             word 3
 *  ┌──────────────┬──────┬───────┬───────────────────┬──────────────────┬──────────────────┬─────────┬─────┐
 *  │ length       │ kind │ flags │ slot index        │ serial           │ id               │ payload │ pad │
 *  │ of payload   │ 8 b  │ 8 bit │ 16 bit            │ of the connection│ call id, count … │         │ →16 │
 *  └──────────────┴──────┴───────┴───────────────────┴──────────────────┴──────────────────┴─────────┴─────┘
 * ```
 * A frame of a serial that its slot no longer holds is late, and is dropped by whoever reads it.
 */

/** Bytes of a frame's header; frames are padded to a multiple of it, so a header never straddles the end of a ring. */
export const HEADER_BYTES = 16

/** A slot index has 16 bits: the most connections that one shard can hold for one caller's thread. */
export const MAX_SLOTS = 65_536

/** Frame kinds. DATA and CREDIT go both ways. */
export const Kind = {
  /** Fills the end of a ring where the next frame would not fit in one piece. */
  PAD: 0,

  // To the shard.
  /** Open a connection in the slot. id: connect deadline in ms (0 = none). Payload: JSON `OpenRequest`. Answer: OPENED, or LOST. */
  OPEN: 1,
  /** A request of a call. id: call id. Payload: encoded request, in fragments (MORE). Answer: REPLY, FAILED, or LOST for all of the slot. */
  SEND: 2,
  /** Run a handler on the slot. id: call id. Payload with WHOLE: JSON `[name, input]`; without, they come as a parcel. Answer: DONE (then IDLE or LOST unless CLEAN). */
  EXECUTE: 3,
  /** The caller of a call, or of a handler, has gone. id: call id. With EXCLUSIVE, a call already written destroys the connection. */
  CANCEL: 4,
  /** The lease has ended. With RESET: prove the connection fit (reset hook, boundary, nothing owed), answer IDLE or LOST. Without: no answer. */
  RELEASE: 5,
  /** Destroy the connection. Answer: CLOSED (or the LOST that crossed it). id: index in `CLOSE_REASONS`. */
  CLOSE: 6,
  /** Bytes of a stream. END: no more follow. */
  DATA: 7,
  /** id: bytes of credit given back. START: to the shard only, turns the slot into a stream and grants its first credit. */
  CREDIT: 8,
  /** Run the protocol's probe on an idle connection. Answer: IDLE, or LOST. */
  PROBE: 9,

  // From the shard.
  /** The connection is open and its hand-shake done. id: microseconds it took. Payload: JSON `OpenedInfo`. */
  OPENED: 32,
  /** The reply to a call. id: call id. Payload: one frame of the protocol, in fragments (MORE). */
  REPLY: 33,
  /** A call has failed and its connection has not. id: call id. Payload: JSON `ErrorData`. With DROPPED: the place of a cancelled call is free, no payload. */
  FAILED: 34,
  /** Bytes that the server sent unasked and the protocol wants delivered. Payload: one frame, in fragments (MORE). */
  PUSH: 35,
  /** id: call id of the handler. Payload: `v8.serialize`d value. */
  PROGRESS: 36,
  /** A handler has ended. id: call id. CLEAN: the connection is proved idle; else IDLE or LOST follows. Payload with WHOLE: its result as JSON; without, that comes as a parcel. */
  DONE: 37,
  /** The slot is fit to lend: answers RELEASE with RESET, PROBE, and DONE without CLEAN. */
  IDLE: 38,
  /** The connection is gone, or never came. id: how many of its calls were written, in order. Payload: JSON `LostInfo`. */
  LOST: 39,
  /** Answers CLOSE: the socket is closed. */
  CLOSED: 40,
  /** The server keeps the connection, when it is idle, for so long. id: ms, 0 for ever. Holds until it says otherwise. */
  KEEP: 41,
} as const

export type Kind = (typeof Kind)[keyof typeof Kind]

/** Flag bits. */
export const Flag = {
  /** More fragments of this message follow; those of one message are contiguous per slot. */
  MORE: 1,
  /** On DATA: the last of its direction. */
  END: 2,
  /** On CREDIT to the shard: the slot becomes a stream. */
  START: 4,
  /** On CANCEL: the connection is not shared, so nobody else's replies die with it. On SEND: of a lease, which has it until RELEASE. */
  EXCLUSIVE: 8,
  /** On RELEASE: prove it fit, answer IDLE or LOST. */
  RESET: 16,
  /** On FAILED: of a cancelled call, which nobody waits for. */
  DROPPED: 32,
  /** On DONE: the connection is idle already. */
  CLEAN: 64,
  /** On EXECUTE and DONE: nothing comes beside the ring, as a parcel. */
  WHOLE: 128,
  /** On REPLY and PUSH: the payload does not lie here, it is the next piece of memory on the lane. START's bit, which is on CREDIT alone. */
  BESIDE: 4,
} as const

/** Why a connection ended; `CLOSE` carries the index, `LOST` the word. */
export const CLOSE_REASONS = [
  'idle',
  'lifetime',
  'uses',
  'probe',
  'peer-end',
  'peer-reset',
  'stray-bytes',
  'error',
  'abort',
  'leak',
  'recycle',
  'resize',
  'drain',
  'balance',
  'shard-lost',
  'shutdown',
] as const

export type CloseReason = (typeof CLOSE_REASONS)[number]
