/**
 * A pool's numbers for Prometheus, through prom-client. `pool.stats()` is read once whenever somebody scrapes; nothing is counted twice and
 * nothing is measured in between.
 *
 *   ENDPOINT=tcp://127.0.0.1:6379 PORT=9464 node examples/prometheus.ts      (Node 22.18 or later; or build it first)
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createPool, type PoolStats, resp } from '@cenote/pool-core'
import { Counter, Gauge, Registry } from 'prom-client'

type Labels = Readonly<Record<string, string | number>>
type Read = (stats: PoolStats) => Iterable<readonly [labels: Labels, value: number]>

/** Puts a pool's numbers into a registry. */
function register(registry: Registry, pool: { readonly name: string; stats(): PoolStats }): void {
  let stats: PoolStats | undefined
  const look = (): PoolStats => {
    if (stats === undefined) queueMicrotask(() => (stats = undefined)) // all metrics of a scrape are collected in one turn
    stats ??= pool.stats()
    return stats
  }
  const add = (Kind: typeof Counter | typeof Gauge, name: string, help: string, labelNames: string[], read: Read): void => {
    new Kind({
      name: `cenote_${name}`,
      help,
      labelNames: ['pool', ...labelNames],
      registers: [registry],
      collect() {
        this.reset() // the pool counts: each scrape tells its numbers as they are
        for (const [labels, value] of read(look())) this.inc({ pool: pool.name, ...labels }, value)
      },
    })
  }

  add(Gauge, 'connections', 'Connections by state.', ['state'], ({ idle, inUse, opening, resetting, closing }) =>
    Object.entries({ idle, inUse, opening, resetting, closing }).map(([state, count]) => [{ state }, count]),
  )
  add(Gauge, 'connections_limit', 'Connections that there may be.', [], ({ limits }) => [[{}, limits.maxConnections]])
  add(Gauge, 'pending', 'Callers who wait.', ['for'], ({ pending }) => [
    [{ for: 'connection' }, pending.leases],
    [{ for: 'place' }, pending.requests],
  ])
  add(Gauge, 'requests_in_flight', 'Requests with a connection.', [], ({ inFlight }) => [[{}, inFlight]])
  add(Counter, 'shard_busy_seconds_total', "Busy time of a shard's event loop: its rate is the busy share.", ['shard'], ({ shards }) =>
    shards.map(({ shard, busyMs }) => [{ shard }, busyMs / 1000]),
  )
  add(Counter, 'calls_total', 'Calls by how they ended.', ['kind', 'outcome'], ({ counters: { ended } }) =>
    Object.entries(ended).flatMap(([kind, outcomes]) => Object.entries(outcomes).map(([outcome, count]) => [{ kind, outcome }, count])),
  )
  add(Counter, 'failures_total', 'Calls that failed, by code.', ['code'], ({ counters }) =>
    Object.entries(counters.failedBy).map(([code, count]) => [{ code }, count]),
  )
  add(Counter, 'connections_opened_total', 'Connections opened.', [], ({ counters }) => [[{}, counters.opened]])
  add(Counter, 'connections_closed_total', 'Connections that ended, by reason.', ['reason'], ({ counters }) =>
    Object.entries(counters.closedBy).map(([reason, count]) => [{ reason }, count]),
  )
}

const { ENDPOINT = 'tcp://127.0.0.1:6379', PORT = '9464' } = process.env
const pool = await createPool({ endpoint: ENDPOINT, protocol: resp(), name: 'example' })
const registry = new Registry()
register(registry, pool)
await pool.request(['PING'])

const server = createServer((_request, response) => {
  registry.metrics().then(
    (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
    (error: unknown) => response.writeHead(500).end(String(error)),
  )
})
server.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`) // of a TCP server that listens
})

process.once('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
  void pool.close()
})
