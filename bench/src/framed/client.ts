/** What the contenders of several scenarios speak: messages behind a length of four bytes, one reply for each request. */

/** How the bodies of requests are framed: as `lengthPrefixed()` does by default. */
export const HEADER_BYTES = 4

/** A server to connect to. */
export interface Target {
  readonly port: number
  /** The authority of its certificate, if it speaks TLS. */
  readonly ca?: string
}

/** How a client is set up. What only one kind of client knows is ignored by the others. */
export interface ClientSetup extends Target {
  readonly connections: number
  /** Which idle connection is taken: the one used last, as all do by default, or the one that has been idle longest. Of Cenote and the bare sockets. */
  readonly scheduling?: 'lifo' | 'fifo'
  /** Cenote's, of which everything else stays at its default. */
  readonly shards?: number
  readonly pipelining?: number
  readonly minConnections?: number
  /** Whether TLS sessions are used again by the bare sockets. A pool of Cenote's always does. */
  readonly resume?: boolean
  /** Whether a bare socket is polled before it is written to, as Cenote polls one that was idle: then a peer that has closed it is noticed. */
  readonly pollFirst?: boolean
}

/** A client, ready. */
export interface FramedClient {
  /** Sends a body, gives the body of the reply. */
  request(body: Uint8Array): Promise<Uint8Array>
  close(): Promise<void>
}
