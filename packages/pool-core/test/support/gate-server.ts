/** A RESP server that asks for a password, and lets the test decide what becomes of each hand-shake. */
import type { Socket } from 'node:net'
import { type Peer, startPeer } from './peers.ts'

/**
 * What becomes of a hand-shake that begins: it waits for `letGo`, its connection is reset, it succeeds, or its password is wrong.
 * With `end` a connection is ended before.
 */
export type GateMode = 'hold' | 'reset' | 'serve' | 'wrong' | 'end'

export interface Gate extends Peer {
  mode: GateMode
  /** Hand-shakes that wait. */
  readonly held: number
  /** The most hand-shakes that ever waited at a time. */
  readonly most: number
  /** Hand-shakes that have begun. */
  readonly begun: number
  /** Lets those that have waited longest succeed: one, or so many. */
  letGo(count?: number): void
  /** Resets all connections whose hand-shakes wait. */
  resetHeld(): void
}

/** Starts it. After its hand-shake a connection answers PING with PONG; it hears nothing else. */
export async function startGate(mode: GateMode): Promise<Gate> {
  const waiting = new Set<Socket>()
  let most = 0
  let begun = 0
  const peer = await startPeer((socket) => {
    let admitted = false
    if (gate.mode === 'end') socket.end()
    socket.once('close', () => waiting.delete(socket))
    socket.on('end', () => socket.end())
    socket.on('data', (chunk: Buffer) => {
      if (admitted) return socket.write('+PONG\r\n'.repeat(String(chunk).split('PING').length - 1))
      admitted = true
      begun++
      if (gate.mode === 'hold') most = Math.max(most, waiting.add(socket).size)
      else if (gate.mode === 'reset') socket.resetAndDestroy()
      else socket.write(gate.mode === 'serve' ? '+OK\r\n' : '-WRONGPASS invalid username-password pair\r\n')
      return undefined
    })
  })
  const gate: Gate = {
    ...peer,
    get accepted() {
      return peer.accepted
    },
    mode,
    get held() {
      return waiting.size
    },
    get most() {
      return most
    },
    get begun() {
      return begun
    },
    letGo(count = 1) {
      for (const socket of [...waiting].slice(0, count)) {
        waiting.delete(socket)
        socket.write('+OK\r\n')
      }
    },
    resetHeld() {
      for (const socket of waiting) socket.resetAndDestroy()
      waiting.clear()
    },
  }
  return gate
}
