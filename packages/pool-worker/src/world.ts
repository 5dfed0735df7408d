/**
 * The world outside: clock, timers, chance, sockets. Coordinator and shard reach it through this one interface, so that
 * a simulation can run the real code. This file holds its one real implementation.
 */
import { ADDRCONFIG, type LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'
import { connect as connectTcp, type NetConnectOpts, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks' // the global of that name is a getter: 10 ns each time
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'

/** A timer, or a turn of the event loop still to come. */
export type Cancel = () => void

export interface World {
  /** Milliseconds that only ever grow. */
  now(): number
  /** Calls once after `ms`. An unref'd timer does not keep the process alive. */
  timer(ms: number, ref: boolean, action: () => void): Cancel
  /** Calls once after the current poll phase. */
  immediate(action: () => void): Cancel
  /** At least 0, below 1. */
  random(): number
  connectTcp(options: NetConnectOpts): Socket
  connectTls(options: ConnectionOptions): TLSSocket
  /** All addresses of a host's name, at least one, in the order in which they are to be tried. Rejects as `dns.lookup` does. */
  lookup(name: string): Promise<readonly LookupAddress[]>
}

/** As `net.connect` asks: no addresses of a family that this machine has none of. */
const LOOKUP = { all: true, hints: process.platform === 'win32' ? 0 : ADDRCONFIG } as const

export const realWorld: World = {
  now: () => performance.now(),
  timer(ms, ref, action) {
    const timer = setTimeout(action, ms)
    if (!ref) timer.unref()
    return () => clearTimeout(timer)
  },
  immediate(action) {
    const immediate = setImmediate(action)
    return () => clearImmediate(immediate)
  },
  random: () => Math.random(),
  connectTcp: (options) => connectTcp(options),
  connectTls: (options) => connectTls(options),
  lookup: (name) => lookup(name, LOOKUP),
}
