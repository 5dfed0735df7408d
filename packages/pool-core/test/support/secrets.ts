/** Secrets that a test can find again, a server that is given them, and everybody who observes a pool. */
import type { TlsOptions } from 'node:tls'
import { inspect } from 'node:util'
import type { CallTrace, ConnectTrace, Pool, PoolEvents } from '@cenote/pool-core'
import { instrument } from '@cenote/pool-core/opentelemetry'
import * as assert from 'uvu/assert'
import type { Told } from './listening.ts'
import { collectMetrics, collectSpans } from './otel.ts'
import { type Peer, startPeer } from './peers.ts'
import { fieldsOf } from './surface.ts'

/** Every secret begins with it; what follows says where it was given. */
export const CANARY = 'canary'
export const secret = (where: string): string => `${CANARY}-${where}-5f3b`

/** What a secret looks like in any text that an observer may print. */
export function textOf(value: unknown): string {
  const stack = value instanceof Error ? value.stack : ''
  const json = JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner))
  return [inspect(value, { depth: 10, showHidden: true }), json, String(value), stack].join('\n')
}

/** @param others - Secrets that are no canaries, such as a part of a key. */
export function assertSilent(value: unknown, what: string, others: readonly string[] = []): void {
  const text = textOf(value)
  for (const hidden of [CANARY, ...others]) {
    const at = text.indexOf(hidden)
    if (at >= 0) assert.unreachable(`${what} tells a secret: …${text.slice(Math.max(0, at - 200), at + 60)}…`)
  }
}

/** Everything that anybody but a caller is told of a pool. */
export interface Observers {
  /** What they were told so far. */
  seen(): Promise<unknown[]>
  stop(): void
}

/** Observes a pool in every way there is. */
export function observe(pool: Pool, channels: readonly Told<CallTrace | ConnectTrace>[][]): Observers {
  const events: unknown[] = []
  for (const name of fieldsOf('packages/pool-core/src/telemetry/events.ts', 'PoolEvents') as (keyof PoolEvents)[])
    pool.events.on(name, (event: unknown) => events.push({ name, event }))
  const metrics = collectMetrics()
  const spans = collectSpans()
  const end = instrument(pool, { database: 'redis', meterProvider: metrics.provider, tracerProvider: spans.provider })
  return {
    async seen() {
      const told = channels.flat().map(({ step, trace }) => ({ step, trace, error: trace.error?.stack }))
      const ended = spans.ended().map(({ name, attributes, status, events }) => ({ name, attributes, status, events }))
      return [{ events }, { told }, { ended }, { metrics: [...(await metrics.read())] }, pool.stats(), pool.dump(), pool.leases()]
    },
    stop: end,
  }
}

/** How a server of RESP refuses its guests. */
export interface Manners {
  /** Answers what signs in with it. */
  readonly login?: (given: string) => string
  readonly tls?: TlsOptions
}

/**
 * A server that is told secrets and knows one more. It does what the argument of a GET begins with: holds it, ends the connection, answers
 * what is no RESP, or with much, or with an error that quotes; else it answers with its secret.
 */
export function startKeeper({ login = () => '+OK\r\n', tls }: Manners = {}): Promise<Peer> {
  return startPeer(
    (socket) => {
      socket.on('data', (chunk: Buffer) => {
        for (const command of chunk.toString().split(/(?=\*\d+\r\n)/)) {
          const [verb = '', what = ''] = [...command.matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map(([, argument = '']) => argument)
          if (verb === 'AUTH' || verb === 'HELLO') socket.write(login(what))
          else if (verb !== 'GET') socket.write('+OK\r\n')
          else if (what.startsWith('bye')) socket.destroy()
          else if (!what.startsWith('hold')) socket.write(answerTo(what))
        }
      })
    },
    tls === undefined ? {} : { tls },
  )
}

function answerTo(what: string): string {
  const known = secret('reply')
  const reply = `$${known.length}\r\n${known}\r\n`
  if (what.startsWith('garbage')) return `@${known}\r\n`
  if (what.startsWith('much')) return `$100000\r\n${known.repeat(10_000).slice(0, 100_000)}\r\n`
  if (what.startsWith('error')) return `-ERR you sent ${what}\r\n`
  return reply
}
