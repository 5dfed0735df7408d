import { subscribe } from 'node:diagnostics_channel'
import { MessageChannel, type Worker } from 'node:worker_threads'
import { MAX_SLOTS, type PoolError, realWorld, type Settled, type World } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { RemoteControl, type ShardHost } from '../../src/host.ts'
import { readOptions, type Settings } from '../../src/options.ts'
import { type ShardEvent, Shards } from '../../src/shards.ts'
import type { RoughOptions } from '../fixtures/rough-shard.ts'

const test = suite('shards')

const WORKER = new URL('../fixtures/rough-shard.js', import.meta.url)

interface Rig {
  readonly shards: Shards
  readonly events: ShardEvent[]
  /** The host of the shard's present life. */
  host(shard?: number): ShardHost
}

const rigs: Rig[] = []

function roughSettings(options: Record<string, unknown>, rough: RoughOptions): Settings {
  const backoff = { initialMs: 1, maxMs: 5 }
  const protocol = { reference: { builtin: 'rough', options: rough } }
  return readOptions({ endpoint: 'tcp://127.0.0.1:1', shards: 1, ringBytes: 4096, worker: { url: WORKER }, backoff, protocol, ...options })
}

function rig(settings: Settings, world: World = realWorld): Rig {
  const events: ShardEvent[] = []
  const shards = new Shards(settings, world, (event) => void events.push(event))
  const host = (shard = 0): ShardHost => {
    const event = events.findLast((candidate) => candidate.shard === shard && candidate.type === 'started')
    if (event?.type !== 'started') throw new Error(`shard ${shard} has not started`)
    return event.host
  }
  const made = { shards, events, host }
  rigs.push(made)
  return made
}

function rough(options: Record<string, unknown> = {}, told: RoughOptions = {}, world: World = realWorld): Rig {
  return rig(roughSettings(options, told), world)
}

/** Whoever asked a host, by call. */
const asked = new WeakMap<ShardHost, ((result: Settled<unknown>) => void)[]>()

/** Asks the rough shard for something. Never settles when the shard dies first. */
function ask(host: ShardHost, name: string, input?: unknown): Promise<Settled<unknown>> {
  const callers = asked.get(host) ?? []
  if (!asked.has(host)) host.parcels.listen(({ callId, result }) => callers[callId]?.(result))
  asked.set(host, callers)
  host.setRef(true)
  return new Promise((resolve) => host.parcels.post({ callId: callers.push(resolve) - 1, name, input }, []))
}

const types = (events: readonly ShardEvent[]): string[] => events.map((event) => event.type)

/** The cause of the first loss. */
function lossOf(events: readonly ShardEvent[]): PoolError & { cause: Error & { code?: string } } {
  const event = events.find((candidate) => candidate.type === 'lost')
  assert.ok(event?.type === 'lost' && event.error.code === 'SHARD_LOST' && event.error.cause instanceof Error)
  return event.error as ReturnType<typeof lossOf> // asserted above
}

const threads = new Set<unknown>()
subscribe('worker_threads', (message) => {
  const { worker } = message as { worker: Worker } // so Node documents this channel
  threads.add(worker)
  worker.once('exit', () => threads.delete(worker))
})

/** All threads have ended by now; the ports that piscina keeps of them close a moment later. */
async function nothingLeft(): Promise<void> {
  assert.is(threads.size, 0, 'a thread is left')
  await until(() => ports() === 0, 'no port is left')
}

/** Ports that keep the process alive. */
const ports = (): number => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length

test.after.each(async () => {
  for (const { shards } of rigs.splice(0)) await shards.stop(5_000)
  await nothingLeft()
})

test('all shards start, answer calls, and are gone after stop', async () => {
  const { shards, events, host } = rough({ shards: 2 })
  await shards.start()
  assert.equal(types(events), ['started', 'started'])
  assert.equal(events.map((event) => event.shard).sort(), [0, 1])
  for (const shard of [0, 1]) {
    assert.equal(await ask(host(shard), 'echo', { shard }), { ok: true, value: { shard } })
    assert.ok(host(shard).busy().busyMs >= 0)
    assert.is(host(shard).info.protocol, 'rough')
  }
  await shards.stop(5_000)
  await nothingLeft()
  assert.equal(types(events), ['started', 'started'])
})

test('a call of the control plane rejects when the shard has ended, whether it was under way or comes later', async () => {
  const { port1, port2 } = new MessageChannel()
  const bell = { ring: () => undefined, listen: () => undefined, setRef: () => undefined, close: () => undefined }
  const control = new RemoteControl(3, port1, bell)
  assert.is(ports(), 0)
  const under = control.close()
  assert.is(ports(), 1, 'it keeps the process alive')
  control.end(new Error('boom'))
  assert.is(ports(), 0)
  for (const call of [under, control.close()]) {
    const error = await rejects(call, 'SHARD_LOST')
    assert.is(error.outcome, 'maybe-executed')
    assert.match(error.message, /shard 3 .*boom/)
  }
  for (const port of [port1, port2]) port.close()
})

test('rings, words and bell are shared with the thread', async () => {
  const { shards, host } = rough({ maxConnections: 3 })
  await shards.start()
  const { memory, bell } = host()
  assert.is(memory.words.byteLength, 4 * MAX_SLOTS) // whatever the pool is resized to
  assert.is(memory.toMain.data.byteLength, 4096)
  assert.ok(memory.toShard.data instanceof SharedArrayBuffer)
  const rung = new Promise<void>((resolve) => bell.listen(resolve))
  bell.setRef(true)
  bell.ring()
  await rung
  bell.setRef(false)
})

test('a parcel that cannot be cloned throws and was not sent', async () => {
  const { shards, host } = rough()
  await shards.start()
  assert.throws(
    () => host().parcels.post({ callId: 1, name: 'echo', input: { hook: () => 1 } }, []),
    (error: Error) => error.name === 'DataCloneError',
  )
  assert.equal(await ask(host(), 'echo', 'still there'), { ok: true, value: 'still there' })
})

for (const [how, message, code] of [
  ['throw', /boom/, 'EBOOM'],
  ['exit', /code 3/, undefined],
] as const) {
  test(`a shard that dies by ${how} is lost with its cause, then gone, then started anew`, async () => {
    const { shards, events, host } = rough()
    await shards.start()
    const before = host()
    void ask(before, how)
    await until(() => types(events).filter((type) => type === 'started').length === 2, 'the shard is back')
    assert.equal(types(events), ['started', 'lost', 'gone', 'started'])
    assert.match(lossOf(events).cause.message, message)
    assert.is(lossOf(events).cause.code, code)
    assert.is(lossOf(events).outcome, 'maybe-executed')
    assert.is.not(host().memory.words, before.memory.words)
    assert.equal(await ask(host(), 'echo', 'alive'), { ok: true, value: 'alive' })
  })
}

test('a shard that runs out of memory is replaced; the others live on', async () => {
  const { shards, events, host } = rough({ shards: 2, worker: { url: WORKER, resourceLimits: { maxOldGenerationSizeMb: 24 } } })
  await shards.start()
  void ask(host(1), 'memory')
  await until(() => types(events).length === 5, 'the shard is back')
  assert.equal(types(events), ['started', 'started', 'lost', 'gone', 'started'])
  assert.is(lossOf(events).cause.code, 'ERR_WORKER_OUT_OF_MEMORY')
  assert.ok(events.slice(2).every((event) => event.shard === 1))
  assert.equal(await ask(host(0), 'echo', 1), { ok: true, value: 1 })
})

for (const how of ['throw', 'reject', 'exit'] as const) {
  test(`a shard whose start ends in ${how} fails the start, and everything is torn down`, async () => {
    const starts = new Int32Array(new SharedArrayBuffer(4))
    const { shards, events } = rough({ shards: 2 }, { starts, failFrom: 2, how })
    const error = await rejects(shards.start(), 'NO_SHARD')
    assert.ok(error.cause instanceof Error)
    if (how !== 'exit') assert.match(error.message, /no start today/)
    await nothingLeft()
    assert.not.ok(types(events).includes('lost'))
  })
}

test('a start that takes too long is ended, even one that never yields', async () => {
  for (const how of ['hang', 'spin'] as const) {
    const world: World = { ...realWorld, timer: (ms, ref, action) => realWorld.timer(ms === 10_000 ? 300 : ms, ref, action) }
    const { shards } = rough({}, { failFrom: 1, how }, world)
    const error = await rejects(shards.start(), 'NO_SHARD')
    assert.match(error.message, /within 10000 ms/)
    await nothingLeft()
  }
})

test('the wait before a restart grows with each failure, jitters in full, and never ends for good', async () => {
  const starts = new Int32Array(new SharedArrayBuffer(4))
  const waits: number[] = []
  const world: World = {
    ...realWorld,
    random: () => 0.5,
    timer: (ms, ref, action) => {
      if (!ref) waits.push(ms)
      return realWorld.timer(ref ? ms : 0, ref, action)
    },
  }
  const backoff = { initialMs: 1_000, maxMs: 5_000, factor: 2 }
  const { shards, events, host } = rough({ backoff }, { starts, failFrom: 2, failTo: 5, how: 'throw' }, world)
  await shards.start()
  void ask(host(), 'throw')
  await until(() => types(events).length === 4, 'the shard is back')
  assert.equal(types(events), ['started', 'lost', 'gone', 'started'])
  assert.equal(waits, [500, 1_000, 2_000, 2_500, 2_500])
})

test('a shard that lived long enough begins its back-off anew', async () => {
  let ahead = 0
  const waits: number[] = []
  const world: World = {
    ...realWorld,
    now: () => realWorld.now() + ahead,
    random: () => 0.5,
    timer: (ms, ref, action) => {
      if (!ref) waits.push(ms)
      return realWorld.timer(ref ? ms : 0, ref, action)
    },
  }
  const { shards, events, host } = rough({ backoff: { initialMs: 1_000, maxMs: 5_000 } }, {}, world)
  await shards.start()
  for (const lived of [0, 0, 11_000, 0]) {
    const { length } = events
    ahead += lived
    void ask(host(), 'exit')
    await until(() => events.length === length + 3, 'the shard is back')
  }
  assert.equal(waits, [500, 1_000, 500, 1_000])
})

test('stop ends a shard that does not close, by its deadline', async () => {
  const { shards } = rough({}, { how: 'hang' })
  await shards.start()
  const begun = performance.now()
  await shards.stop(400)
  assert.ok(performance.now() - begun < 1_000)
  await nothingLeft()
})

test('stop during a back-off starts nothing more', async () => {
  const starts = new Int32Array(new SharedArrayBuffer(4))
  const { shards, events, host } = rough({ backoff: { initialMs: 100_000, maxMs: 100_000 } }, { starts })
  await shards.start()
  void ask(host(), 'exit')
  await until(() => types(events).includes('gone'), 'the shard is gone')
  await shards.stop(5_000)
  assert.is(starts[0], 1)
})

test('a worker file that is not there fails the start with its cause', async () => {
  const { shards } = rough({ worker: { url: new URL('./absent.js', import.meta.url) } })
  const error = await rejects(shards.start(), 'NO_SHARD')
  assert.match(error.message, /absent/)
})

test('a bundler tells where the worker is through the global override', async () => {
  Object.assign(globalThis, { __bundlerPathsOverrides: { 'cenote-worker': WORKER.href } })
  try {
    const { shards, host } = rough({ worker: {} })
    await shards.start()
    assert.is(host().info.protocol, 'rough')
  } finally {
    Reflect.deleteProperty(globalThis, '__bundlerPathsOverrides')
  }
})

test('an idle shard keeps no process alive; one with setRef does', async () => {
  const { shards, host } = rough()
  await shards.start()
  await until(() => ports() === 0, 'no port is referenced')
  host().setRef(true)
  assert.ok(ports() > 0)
  host().setRef(false)
  assert.is(ports(), 0)
})

for (const shards of [0, 1]) {
  const real = (options: Record<string, unknown>): Rig => rig(readOptions({ endpoint: 'tcp://127.0.0.1:1', shards, ...options }))

  test(`the real shard starts, tells how busy it is, and closes, with shards: ${shards}`, async () => {
    const made = real({})
    await made.shards.start()
    assert.is(made.host().info.protocol, 'raw')
    const { busyMs, elapsedMs } = made.host().busy()
    assert.ok(busyMs >= 0 && busyMs <= elapsedMs)
    assert.type(made.host().delay.max, 'number')
    await made.shards.stop(5_000)
    await nothingLeft()
  })

  test(`a protocol module that is not there fails the start, with shards: ${shards}`, async () => {
    const url = new URL('./absent-protocol.js', import.meta.url).href
    const error = await rejects(real({ protocol: { reference: { url, options: undefined } } }).shards.start(), 'NO_SHARD')
    assert.match(error.message, /absent-protocol/)
  })

  test(`a handlers module that throws at import fails the start, with shards: ${shards}`, async () => {
    const url = new URL('../fixtures/throwing-handlers.js', import.meta.url)
    const error = await rejects(real({ handlers: { url } }).shards.start(), 'NO_SHARD')
    assert.match(`${error.message} ${String(error.cause)}`, /thrown at import/)
  })
}

test.run()
