/** Names of hosts: looked up on the calling thread, once for all shards. The names here are known to nobody but the test's own world. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { type Pool, type PoolOptions, raw } from '@cenote/pool-core'
import { realWorld } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'
import { makeCertificates } from '../../../pool-worker/test/kit/certificates.ts'
import { rejects, skipUnless, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { listeningFor, stepsOf, tracesOf } from '../support/listening.ts'
import { at, type Names, names } from '../support/names.ts'
import { atRest, closing, echo, type Peer, startPeer } from '../support/peers.ts'
import { createPoolIn } from '../support/pools.ts'

skipUnless('openssl')

const test = suite('resolving')
const keep = closing(test)
const { connects } = listeningFor(test)

const SOON = { initialMs: 2, maxMs: 10 }

interface Rig {
  readonly peer: Peer
  readonly world: Names
  readonly pool: Pool
}

/** A pool whose server is known as `db`, here at 127.0.0.1 unless it is said otherwise. */
async function rig(options: Partial<PoolOptions>, addresses: readonly string[] = ['127.0.0.1']): Promise<Rig> {
  const peer = await keep(startPeer(echo))
  const world = names({ db: addresses })
  const pool = await keep(createPoolIn(world)({ endpoint: `tcp://db:${peer.port}`, protocol: raw(), backoff: SOON, ...options }))
  return { peer, world, pool }
}

/** One connection, opened and destroyed. */
const connectOnce = (pool: Pool): Promise<void> => pool.use((lease) => void lease.destroy())

for (const shards of [0, 2]) {
  const where = shards === 0 ? 'on the calling thread' : 'in two threads'

  test(`${where}: ten connections cost one look-up`, async () => {
    const { peer, world, pool } = await rig({ shards, maxConnections: 10, minConnections: 10 })
    await pool.ready()
    await until(() => peer.accepted === 10, 'all have arrived')
    assert.equal(world.asked, ['db'])
    assert.is(pool.stats().counters.lookups, 1)
    await connectOnce(pool)
    assert.equal(world.asked, ['db'])
    await atRest(pool)
  })

  test(`${where}: when lookupTtlMs has passed, the next connect looks the name up again`, async () => {
    const { world, pool } = await rig({ shards, lookupTtlMs: 1 })
    await connectOnce(pool)
    assert.is(world.asked.length, 1)
    const found = realWorld.now()
    await until(() => realWorld.now() > found + 1, 'it has passed')
    await connectOnce(pool)
    assert.is(world.asked.length, 2)
  })

  test(`${where}: a server that has moved is found after one connect to the old address has failed`, async () => {
    const { peer, world, pool } = await rig({ shards, lookupTtlMs: Number.POSITIVE_INFINITY })
    await connectOnce(pool)
    await peer.close()
    const moved = await keep(listenAt(peer.port, '127.0.0.2'))
    world.known.set('db', at('127.0.0.2'))
    const arrived = once(moved.server, 'connection')
    await connectOnce(pool)
    await arrived
    assert.equal(world.asked, ['db', 'db'])
    assert.is(pool.stats().counters.connectFailures, 1)
  })

  test(`${where}: a look-up that hangs fails with CONNECT_TIMEOUT; its answer, when it comes, serves all`, async () => {
    const { peer, world, pool } = await rig({ shards, connectTimeoutMs: 20, failFastAfter: 1 })
    world.hanging.add('db')
    const error = await rejects(pool.acquire(), 'CONNECT_TIMEOUT')
    assert.match(error.message, /within 20 ms: the name has not been resolved/)
    assert.equal([error.phase, error.outcome], ['connect', 'not-sent'])
    await until(() => pool.stats().counters.connectFailures > 3, 'it is tried again')
    assert.equal(world.asked, ['db'])
    assert.is(peer.accepted, 0)
    const up = once(pool.events, 'endpointUp')
    world.hanging.clear()
    world.answer()
    await up
    await connectOnce(pool)
    assert.equal(world.asked, ['db'])
  })

  test(`${where}: a dead address before a living one is passed over`, async () => {
    const { peer, world, pool } = await rig({ shards, maxConnections: 4, minConnections: 4 }, ['::1', '127.0.0.1'])
    await pool.ready()
    await until(() => peer.accepted === 4, 'all have arrived')
    assert.is(pool.stats().counters.connectFailures, 0)
    assert.equal(world.asked, ['db'])
  })

  test(`${where}: when no address answers, the error has one cause for each`, async () => {
    const { peer, pool } = await rig({ shards, failFastAfter: 1 }, ['127.0.0.1', '127.0.0.2'])
    await peer.close()
    const { cause } = await rejects(pool.acquire(), 'CONNECT_FAILED')
    const all: unknown = (cause as { errors?: unknown }).errors
    assert.equal(
      (all as NodeJS.ErrnoException[]).map(({ code, message }) => [code, /127\.0\.0\.\d/.exec(message)?.[0]]),
      [
        ['ECONNREFUSED', '127.0.0.1'],
        ['ECONNREFUSED', '127.0.0.2'],
      ],
    )
  })

  test(`${where}: a name that nobody has fails as dns.lookup says, and is asked for anew`, async () => {
    const { world, pool } = await rig({ shards, failFastAfter: 2 })
    world.known.delete('db')
    const { message, cause } = await rejects(pool.acquire(), 'CONNECT_FAILED')
    assert.match(message, /cannot connect: getaddrinfo ENOTFOUND db$/)
    const { code, syscall, hostname } = cause as { code?: string; syscall?: string; hostname?: string }
    assert.equal([code, syscall, hostname], ['ENOTFOUND', 'getaddrinfo', 'db'])
    const up = once(pool.events, 'endpointUp')
    world.known.set('db', at('127.0.0.1'))
    await up
    assert.ok(world.asked.length >= 3)
    assert.is(pool.stats().counters.lookups, world.asked.length)
  })

  test(`${where}: a pool that closes while a name is looked up does not wait for it`, async () => {
    const told = connects()
    const { world, pool } = await rig({ shards, minConnections: 2, connectTimeoutMs: 100_000 })
    world.hanging.add('db')
    const other = await keep(createPoolIn(world)({ endpoint: 'tcp://db:1', shards, minConnections: 2 }))
    await until(() => stepsOf(told).length >= 4, 'all have begun')
    await other.close()
    assert.is(other.stats().counters.connectsAbandoned, 2)
    world.hanging.clear()
    world.answer()
    await pool.ready()
    const given = tracesOf(told).filter(({ pool: name }) => name === other.name)
    for (const { error } of given) assert.match(String(error), /given up/)
    assert.is(given.length, 2)
  })

  test(`${where}: observers are told of the look-up: how long it took, or why it failed`, async () => {
    const told = connects()
    const { world, pool } = await rig({ shards, failFastAfter: 1 })
    world.known.delete('db')
    await rejects(pool.acquire(), 'CONNECT_FAILED')
    const up = once(pool.events, 'endpointUp')
    world.known.set('db', at('127.0.0.1'))
    await up
    await connectOnce(pool)
    await pool.use(async () => undefined)
    const traces = tracesOf(told)
    assert.equal(stepsOf(told)[0], ['start', 'end', 'error', 'asyncStart', 'asyncEnd'])
    const codes = [traces[0]?.error, traces[0]?.error?.cause].map((error) => Reflect.get(error as Error, 'code'))
    assert.equal([...codes, traces[0]?.phase, traces[0]?.lookupMs], ['CONNECT_FAILED', 'ENOTFOUND', 'connect', undefined])
    const [first, second] = traces.filter(({ error }) => error === undefined)
    assert.ok((first?.lookupMs ?? -1) >= 0 && (first?.totalMs ?? 0) >= (first?.lookupMs ?? 0))
    assert.is(second?.lookupMs, undefined)
  })
}

test('an address, or a path, is looked up by nobody', async () => {
  const world = names({})
  const peer = await keep(startPeer(echo, { transport: 'unix' }))
  for (const endpoint of [peer.endpoint, (await keep(startPeer(echo))).endpoint]) {
    const pool = await keep(createPoolIn(world)({ endpoint, shards: 1 }))
    await connectOnce(pool)
    assert.is(pool.stats().counters.lookups, 0)
  }
  assert.equal(world.asked, [])
})

test('the certificate has to show the name, whatever address it has', async () => {
  const certificates = makeCertificates()
  const { cert, key } = certificates.good
  const peer = await keep(startPeer(echo, { tls: { cert, key } }))
  const world = names({ localhost: ['127.0.0.1'], other: ['127.0.0.1'] })
  const open = (host: string) =>
    keep(createPoolIn(world)({ endpoint: `tls://${host}:${peer.port}`, tls: { ca: certificates.ca.cert }, shards: 1, backoff: SOON }))
  await connectOnce(await open('localhost'))
  const { message } = await rejects((await open('other')).acquire(), 'TLS_REJECTED')
  assert.match(message, /other/)
})

/** A server at another address of this machine. */
async function listenAt(port: number, address: string): Promise<{ readonly server: Server; close(): Promise<void> }> {
  const sockets = new Set<{ destroy(): void }>()
  const server = createServer((socket) => void sockets.add(socket.on('error', () => undefined)))
  server.listen(port, address)
  await once(server, 'listening')
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
  return { server, close }
}

test.run()
