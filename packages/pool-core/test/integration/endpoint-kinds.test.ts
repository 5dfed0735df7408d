import type { Socket } from 'node:net'
import { type Endpoint, line, type PoolOptions } from '@cenote/pool-core'
import { printEndpoint } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'
import { type Certificates, makeCertificates } from '../../../pool-worker/test/kit/certificates.ts'
import { skipUnless, suite } from '../../../pool-worker/test/kit/kit.ts'
import { atRest, closing, type Peer, startPeer } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'

skipUnless('openssl')

const test = suite('endpoints of all kinds')
const keep = closing(test)

let certificates: Certificates
test.before(() => {
  certificates = makeCertificates()
})
test.after(() => certificates.remove())

/** Answers each line with a name. */
const naming = (name: string) => (socket: Socket) =>
  void socket.setEncoding('utf8').on('data', (text: string) => socket.write(`${name}\n`.repeat(text.split('\n').length - 1)))

/** One of each kind, and a second one that speaks TLS, which shows another certificate. */
async function startAll(): Promise<Map<string, string>> {
  const { good, wrongName } = certificates
  const peers: [string, Peer][] = [
    ['tcp', await keep(startPeer(naming('tcp')))],
    ['unix', await keep(startPeer(naming('unix'), { transport: 'unix' }))],
    ['tls', await keep(startPeer(naming('tls'), { tls: { cert: good.cert, key: good.key } }))],
    ['wrong', await keep(startPeer(naming('wrong'), { tls: { cert: wrongName.cert, key: wrongName.key } }))],
  ]
  return new Map(peers.map(([name, { endpoint }]) => [endpoint, name]))
}

for (const shards of [0, 2]) {
  const where = shards === 0 ? 'on the calling thread' : 'in two threads'

  test(`${where}: tcp, unix and tls in one list; each connection is of the endpoint that it names, and credentials are asked for that one`, async () => {
    const names = await startAll()
    const asked: string[] = []
    const credentials = async (endpoint: Endpoint): Promise<object> => {
      asked.push(printEndpoint(endpoint))
      return {}
    }
    const options: PoolOptions<string, string> = {
      endpoint: [...names.keys()],
      protocol: line(),
      credentials,
      tls: { ca: certificates.ca.cert },
      shards,
      maxConnections: 9,
      minConnections: 9,
      maxLifetimeMs: 40,
      backoff: { initialMs: 1, maxMs: 5 },
      ejection: { afterFailures: Number.POSITIVE_INFINITY },
    }
    const pool = await createPool(options)
    await pool.ready()
    const seen = new Set<string>()
    for (let round = 0; round < 10; round++) {
      const leases = await Promise.all(Array.from({ length: 9 }, () => pool.acquire()))
      for (const lease of leases) {
        const { endpoint } = lease.connection
        assert.is(await lease.request('who'), names.get(endpoint))
        seen.add(endpoint)
        lease.release()
      }
    }
    const [tcp, unix, tls, wrong] = [...names.keys()]
    assert.equal([...seen].sort(), [tcp, unix, tls].sort())
    const opened = new Map(pool.stats().endpoints.map(({ endpoint, counters }) => [endpoint, counters.opened]))
    assert.is(opened.get(String(wrong)), 0, 'a certificate of another name is never trusted, whatever the others show')
    for (const endpoint of names.keys())
      assert.ok(asked.filter((each) => each === endpoint).length >= Math.max(1, opened.get(endpoint) ?? 0), `asked for ${endpoint}`)
    await pool.close()
  })
}

test('the same address under two names is two endpoints, each checked by its own', async () => {
  const { cert, key } = certificates.good
  const { port } = await keep(startPeer(naming('tls'), { tls: { cert, key } }))
  const [mine, other] = ['localhost', 'wrong.example'].map(
    (servername): Endpoint => ({ transport: 'tls', host: '127.0.0.1', port, servername }),
  )
  const pool = await createPool({
    endpoint: [mine, other].flatMap((endpoint) => endpoint ?? []),
    protocol: line(),
    tls: { ca: certificates.ca.cert },
    shards: 1,
    maxConnections: 4,
    backoff: { initialMs: 1, maxMs: 5 },
    ejection: { afterFailures: Number.POSITIVE_INFINITY },
  })
  for (let turn = 0; turn < 20; turn++) assert.is(await pool.request('x'), 'tls')
  const [first, second] = pool.stats().endpoints
  assert.ok((first?.counters.opened ?? 0) > 0)
  assert.is(second?.counters.opened, 0)
  assert.is(second?.state, 'down')
  await pool.close({ timeoutMs: 1_000 })
  await atRest(pool)
})

test.run()
