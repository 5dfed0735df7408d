/** Peers that are no Node: the Go channel pool and the C client, compiled here, driven line by line. */
import { type Compiled, compileC, compileGo } from '../native/compile.ts'
import { startProgram } from '../native/program.ts'
import type { Cleanup } from '../process/cleanup.ts'
import type { Entrant, Figures, Missing } from './scenario.ts'

/** What an echo client does. */
export interface EchoLoad {
  /** Of an echo server on 127.0.0.1. */
  readonly port: number
  readonly connections: number
  /** Callers who share the connections, each with one request at a time. */
  readonly callers: number
  /** Bytes sent and read back, at least 8. */
  readonly payloadBytes: number
}

/** What the programs print after a round. Latencies in microseconds. */
interface RoundLine {
  readonly requests: number
  readonly elapsedMs: number
  readonly cpuMs: number
  readonly latency: { readonly p50: number; readonly p99: number; readonly max: number }
}

/**
 * The pool that Cenote grew from, in Go: idle connections in a channel, a goroutine for each caller.
 *
 * @param options.probe - Whether each `Get` first reads for 10 ms to see whether the connection is alive.
 */
export async function goChannelPool(cleanup: Cleanup, load: EchoLoad, { probe }: { readonly probe: boolean }): Promise<Entrant | Missing> {
  const identity = probe ? { id: 'go-probe', name: 'Go channel pool, read probe' } : { id: 'go', name: 'Go channel pool' }
  const args = [...flagsOf(load), '--callers', String(load.callers), ...(probe ? ['--probe'] : [])]
  return entrantOf(cleanup, identity, await compileGo('channel-pool'), args)
}

/** The most that exclusive connections can give: one thread in C, a request in flight on each connection, no pool. Its callers are its connections. */
export async function cEpollClient(cleanup: Cleanup, load: Omit<EchoLoad, 'callers'>): Promise<Entrant | Missing> {
  return entrantOf(cleanup, { id: 'c', name: 'C epoll client' }, await compileC('epoll', 'echo-client'), flagsOf(load))
}

/** Whether a peer cannot take part. */
export function isMissing(peer: Entrant | Missing): peer is Missing {
  return 'why' in peer
}

function flagsOf({ port, connections, payloadBytes }: Omit<EchoLoad, 'callers'>): string[] {
  return ['--address', `127.0.0.1:${port}`, '--connections', String(connections), '--payload', String(payloadBytes)]
}

function entrantOf(
  cleanup: Cleanup,
  identity: { readonly id: string; readonly name: string },
  compiled: Compiled,
  args: readonly string[],
): Entrant | Missing {
  if ('why' in compiled) return { ...identity, why: compiled.why }
  const program = startProgram(compiled.path, args, identity.name)
  cleanup.add(program.stop)
  return { ...identity, round: async (roundMs) => figuresOf(await program.ask(`round ${roundMs}`)) }
}

function figuresOf(line: string): Figures {
  const { requests, elapsedMs, cpuMs, latency } = JSON.parse(line) as RoundLine // what both programs print
  if (requests === 0) throw new Error('no request was answered in the round')
  return {
    requests,
    requestsPerSecond: (requests / elapsedMs) * 1_000,
    elapsedMs,
    cpuMicrosecondsPerRequest: (cpuMs / requests) * 1_000,
    latencyP50Microseconds: latency.p50,
    latencyP99Microseconds: latency.p99,
    latencyMaxMicroseconds: latency.max,
  }
}
