/** The example of docs/endpoints.md, run against a DNS server. */
import { getServers, setServers } from 'node:dns'
import { once } from 'node:events'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type EndpointList, line, type PoolEvents } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { suite } from '../../../pool-worker/test/kit/kit.ts'
import { blocksOf, transpile, writeBlocks } from '../support/docs.ts'
import { startNamed } from '../support/named-server.ts'
import { closing } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'
import { type SrvRecord, startSrv } from '../support/srv-server.ts'

const test = suite('endpoints out of DNS')
const keep = closing(test)
const before = getServers()
test.after.each(() => ask(before))

/** Whoever looks up records from now on asks these servers. */
function ask(servers: readonly string[]): void {
  setServers(servers)
  syncBuiltinESMExports() // each function belongs to its resolver
}

type FromSrv = (service: string, signal: AbortSignal) => AsyncIterable<EndpointList>

/** What the page shows. */
async function shown(): Promise<FromSrv> {
  const blocks = blocksOf('docs/endpoints.md').filter(({ path }) => path.endsWith('/services'))
  const folder = writeBlocks(blocks)
  await transpile(folder, blocks, new Map())
  const { fromSrv } = (await import(pathToFileURL(join(folder, `${blocks[0]?.path}.js`)).href)) as { fromSrv: FromSrv }
  return fromSrv
}

const record = (port: number, more: Partial<SrvRecord> = {}): SrvRecord => ({ priority: 1, weight: 5, port, target: 'localhost', ...more })

test('a pool is fed by SRV records: those of the best priority, with their weights; a lookup that fails is told of', async () => {
  const fromSrv = await shown()
  const [a, b, spare] = await Promise.all(['a', 'b', 'spare'].map((name) => keep(startNamed(name))))
  assert.ok(a && b && spare)
  const dns = await keep(startSrv([]))
  ask([dns.address])
  const leaving = new AbortController()
  const pool = await createPool({
    endpoint: fromSrv('_line._tcp.example.com', leaving.signal),
    protocol: line(),
    shards: 0,
    balancing: 'round-robin',
    maxConnections: 4,
    minConnections: 4,
    backoff: { initialMs: 1, maxMs: 5 },
  })
  const [{ error }] = (await once(pool.events, 'endpointsFailed')) as [PoolEvents['endpointsFailed']]
  assert.is((error.cause as NodeJS.ErrnoException).code, 'ESERVFAIL')
  dns.records = [record(spare.port, { priority: 2 }), record(a.port), record(b.port, { weight: 0 })]
  await pool.ready()
  assert.equal(
    pool.stats().endpoints.map(({ endpoint, weight }) => [endpoint, weight]),
    [
      [`tcp://localhost:${a.port}`, 5],
      [`tcp://localhost:${b.port}`, 1],
    ],
  )
  const names = new Set<string>()
  while (names.size < 2) names.add(await pool.request('who'))
  assert.equal([...names].sort(), ['a', 'b'])
  leaving.abort()
  await pool.close()
})

test.run()
