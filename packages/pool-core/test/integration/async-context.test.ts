import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { type Credentials, handlersAt, type Pool, type PoolOptions, protocolAt, resp } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { suite, until } from '../../../pool-worker/test/kit/kit.ts'
import type * as contextHandlers from '../fixtures/context-handlers.ts'
import type * as contextProtocol from '../fixtures/context-protocol.ts'
import { collectUntil } from '../support/collecting.ts'
import { atRest, closing, echo, type Peer, startPeer } from '../support/peers.ts'
import { createPool } from '../support/pools.ts'

const test = suite('async contexts')
const made = closing(test)

/** As `context-protocol.ts` finds it. */
const shared: contextProtocol.Shared = { context: new AsyncLocalStorage<string>(), seen: [] }
Reflect.set(globalThis, Symbol.for('cenote.test.async-context'), shared)
const { context, seen } = shared
const here = (): string | undefined => context.getStore()

const fixture = (name: string): URL => new URL(`../fixtures/${name}.js`, import.meta.url)

type ContextPool = Pool<string, string, typeof contextHandlers>

let peer: Peer

test.before.each(async () => {
  seen.length = 0
  peer = await made(startPeer(echo))
})

/** A pool that is made in the context 'maker'. */
function open(options: Partial<Omit<PoolOptions, 'protocol' | 'handlers'>>): Promise<ContextPool> {
  const protocol = protocolAt<typeof contextProtocol>(fixture('context-protocol'))
  const handlers = handlersAt<typeof contextHandlers>(fixture('context-handlers'))
  return context.run('maker', () => made(createPool({ endpoint: peer.endpoint, maxConnections: 1, ...options, protocol, handlers })))
}

/** What a caller meets after each of its calls; every one of them has waited for others. */
async function contextsOf(pool: ContextPool, name: string): Promise<(string | undefined)[]> {
  const met: (string | undefined)[] = []
  const lease = await pool.acquire()
  met.push(here())
  await lease.request(`change ${name}`)
  met.push(here())
  lease.release()
  await pool.request(name)
  met.push(here())
  await pool.use(async (used) => {
    met.push(here())
    await used.request(name)
    met.push(here())
  })
  met.push(here())
  await pool.handlers.ask(name, { onProgress: () => met.push(here()) })
  met.push(here())
  await pool.acquire({ timeoutMs: 1e-3 }).then(
    (free) => free.release(),
    () => undefined,
  )
  met.push(here())
  return met
}

for (const shards of [0, 1]) {
  const where = shards === 0 ? 'on the calling thread' : 'in a thread'

  test(`${where}: after each call a caller is in his own context, whoever served him, and so is what he gave with it`, async () => {
    const pool = await open({ shards })
    const names = Array.from({ length: 8 }, (_, index) => `caller ${index}`)
    const met = await Promise.all(names.map((name) => context.run(name, () => contextsOf(pool, name))))
    assert.equal(
      met,
      names.map((name) => Array(10).fill(name)),
    )
  })

  test(`${where}: what a caller's context holds is let go when he is done, though others keep the clock of the pool going`, async () => {
    const pool = await open({ shards, maxConnections: 4 })
    const large = new AsyncLocalStorage<object>()
    const once = async (): Promise<WeakRef<object>> => {
      const store = {}
      await large.run(store, () => contextsOf(pool, 'first')) // who comes first starts the timers
      return new WeakRef(store)
    }
    const [left] = await Promise.all([once(), pool.request('beside')])
    let goes = true
    const others = (async () => {
      while (goes) await pool.request('goes on')
    })()
    await collectUntil(() => left.deref() === undefined, 'nothing holds it')
    goes = false
    await others
  })

  test(`${where}: hooks and handlers are in no caller's context`, async () => {
    const pool = await open({ shards, probeAfterIdleMs: 1e-3 })
    await context.run('caller', async () => {
      await pool.use((lease) => lease.request('change it'))
      await atRest(pool)
      await pool.handlers.ask('handled')
      await atRest(pool)
      await pool.request('probed')
    })
    const expected = ['onConnect', 'onConnect', 'reset', 'probe', 'handler', 'handler', 'probe'].map((what) => `${what} maker`)
    assert.equal(seen, shards === 0 ? expected : [])
  })

  test(`${where}: the function of credentials and the events of the pool are in the context that it was made in`, async () => {
    const met: string[] = []
    const credentials = (): Credentials => {
      met.push(`credentials ${here()}`)
      return { username: 'somebody' }
    }
    const pool = await open({ shards, credentials, leakDetectionMs: 1 })
    const { events } = pool
    context.run('listener', () => {
      for (const name of ['connectionOpened', 'connectionClosed', 'leak', 'leakReturned'] as const)
        events.on(name, () => met.push(`${name} ${here()}`))
    })
    await context.run('caller', async () => {
      const lease = await pool.acquire()
      await once(events, 'leak')
      assert.is(here(), 'caller')
      lease.destroy()
    })
    await until(() => met.length === 5, 'all are told')
    const expected = ['credentials', 'connectionOpened', 'leak', 'leakReturned', 'connectionClosed'].map((what) => `${what} maker`)
    assert.equal(met.sort(), expected.sort())
  })

  test(`${where}: events of a stream are in the context of stream(), what was given to write() in that of its caller`, async () => {
    const pool = await context.run('maker', () => made(createPool({ endpoint: peer.endpoint, shards, maxConnections: 1 })))
    const met = new Set<string>()
    const note = (what: string) => (): void => void met.add(`${what} ${here()}`)
    const lease = await pool.acquire()
    const stream = context.run('opener', () => lease.stream())
    for (const event of ['data', 'drain', 'finish', 'end', 'close']) stream.on(event, note(event))
    context.run('writer', () => stream.write(Buffer.alloc(2 ** 23), note('written'))) // more than there is credit for
    await once(stream, 'drain')
    context.run('ender', () => stream.end(note('ended')))
    await once(stream, 'close')
    assert.equal([...met].sort(), [
      'close opener',
      'data opener',
      'drain opener',
      'end opener',
      'ended ender',
      'finish opener',
      'written writer',
    ])
  })

  test(`${where}: the error of a stream is told in the context of stream()`, async () => {
    const pool = await made(createPool({ endpoint: peer.endpoint, shards, maxConnections: 1 }))
    const lease = await pool.acquire()
    const stream = context.run('opener', () => lease.stream())
    const told = new Promise((resolve) => stream.on('error', () => resolve(here())))
    await until(() => peer.sockets.size === 1, 'it is connected')
    for (const socket of peer.sockets) socket.resetAndDestroy()
    assert.is(await told, 'opener')
  })

  test(`${where}: a listener of pushes is in the context of onPush(), one of a lease's signal in that of who first asked for it`, async () => {
    const server = await made(startPeer((socket) => void socket.on('data', () => socket.write('+OK\r\n>1\r\n+news\r\n'))))
    const pool = await made(createPool({ endpoint: server.endpoint, protocol: resp({ version: 2 }), shards, maxConnections: 1 }))
    const lease = await pool.acquire()
    const pushed = new Promise((resolve) => context.run('listener', () => lease.onPush(() => resolve(here()))))
    const aborted = new Promise((resolve) =>
      context.run('asker', () => lease.signal.addEventListener('abort', () => resolve(here()), { once: true })),
    )
    await context.run('caller', () => lease.request(['PING']))
    assert.is(await pushed, 'listener')
    for (const socket of server.sockets) socket.resetAndDestroy()
    assert.is(await aborted, 'asker')
    lease.release()
  })
}

test.run()
