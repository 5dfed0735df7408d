/** Handlers in a shard: both halves of the start, requests, cancelling, losses, progress, what the connection is worth afterwards. */
import { deserialize } from 'node:v8'
import * as assert from 'uvu/assert'
import type { ClientProtocol, CodecProtocol } from '../../src/define.ts'
import { decodeError, PoolError } from '../../src/errors.ts'
import { Flag, Kind } from '../../src/frame.ts'
import type { Handler } from '../../src/load.ts'
import type { Settled } from '../../src/messages.ts'
import { lineCodec } from '../../src/protocols/index.ts'
import { ManualWorld } from '../kit/clock.ts'
import { suite, until } from '../kit/kit.ts'
import { onLines, type Peer, peer, type Rig, rig, turns } from './shard-rig.ts'

const test = suite('handlers in a shard')

let server: Peer
let it: Rig

async function begin(handlers: Record<string, Handler>, extra: Partial<CodecProtocol<unknown, unknown>> = {}): Promise<void> {
  server = await peer((socket) => onLines(socket, (line) => line !== 'silence' && socket.write(`${line}!\n`)))
  const codec = { name: 'lines', pipelining: 8, codec: lineCodec() as unknown as CodecProtocol<unknown, unknown>['codec'], ...extra }
  it = await rig({ codec, handlers, protocolOptions: { colour: 'blue' } })
  await it.open(server.port)
}

test.after.each(async () => {
  await it?.close()
  await server?.close()
})

function errorOf(result: Settled<unknown>): PoolError {
  if (result.ok) throw new Error('it did not fail')
  return decodeError(result.error) as PoolError
}

const join: Handler = async (input, { connection }) => {
  const replies = await Promise.all([connection.request(`${input} a`), connection.request(`${input} b`)])
  return replies.join(' ')
}

test('a handler runs when the frame comes first, and when the call comes first', async () => {
  await begin({ join })
  it.send(Kind.EXECUTE, 1, 5)
  await turns(5)
  assert.equal(await it.execute(5, 'join', 'x'), { ok: true, value: 'x a! x b!' })
  assert.is((await it.next(Kind.DONE)).flags, Flag.WHOLE | Flag.CLEAN)

  const result = it.execute(6, 'join', 'y')
  await turns(5)
  it.send(Kind.EXECUTE, 1, 6)
  assert.equal(await result, { ok: true, value: 'y a! y b!' })
  assert.is((await it.next(Kind.DONE)).id, 6)
})

test('its context holds signal, options, progress; its view ends with it', async () => {
  let leaked: Promise<unknown> = Promise.resolve()
  await begin({
    look(_input, { connection, options, signal, progress }) {
      progress({ step: 1 })
      setTimeout(() => {
        leaked = connection.request('late')
      }, 5)
      return [options, signal.aborted]
    },
  })
  it.send(Kind.EXECUTE, 1, 1)
  assert.equal(await it.execute(1, 'look', undefined), { ok: true, value: [{ colour: 'blue' }, false] })
  const progress = await it.next(Kind.PROGRESS)
  assert.is(progress.id, 1)
  assert.equal(deserialize(progress.payload), { step: 1 })
  await new Promise((resolve) => setTimeout(resolve, 20))
  const error = await leaked.catch((thrown: unknown) => thrown)
  assert.is((error as PoolError).code, 'LEASE_RELEASED')
})

test('a rejected handler is HANDLER_FAILED with its error as the cause; the connection stays', async () => {
  await begin({
    fail: () => Promise.reject(Object.assign(new RangeError('too far'), { code: 'FAR' })),
    bad: (_input, { progress }) => progress(() => 1),
  })
  it.send(Kind.EXECUTE, 1, 1)
  const error = errorOf(await it.execute(1, 'fail', 0))
  assert.is(error.code, 'HANDLER_FAILED')
  assert.is((error.cause as NodeJS.ErrnoException).code, 'FAR')
  assert.is((await it.next(Kind.DONE)).flags, Flag.CLEAN)
  it.send(Kind.EXECUTE, 1, 2)
  assert.is((errorOf(await it.execute(2, 'bad', 0)).cause as PoolError).code, 'NOT_CLONEABLE')
  it.send(Kind.EXECUTE, 1, 3)
  assert.is(errorOf(await it.execute(3, 'absent', 0)).code, 'BAD_REQUEST')
})

test('CANCEL aborts the signal of a running handler, and stops one that has not begun', async () => {
  await begin({
    wait: (_input, { signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve('aborted'))),
  })
  it.send(Kind.EXECUTE, 1, 1)
  const result = it.execute(1, 'wait', 0)
  await turns(5)
  it.send(Kind.CANCEL, 1, 1)
  assert.equal(await result, { ok: true, value: 'aborted' })
  await it.next(Kind.DONE)

  it.send(Kind.EXECUTE, 1, 2)
  it.send(Kind.CANCEL, 1, 2)
  assert.is((await it.next(Kind.DONE)).flags, Flag.CLEAN)
  assert.is(errorOf(await it.execute(2, 'wait', 0)).outcome, 'not-sent')
  it.send(Kind.EXECUTE, 1, 3)
  it.send(Kind.CANCEL, 1, 3)
  await it.next(Kind.DONE)
})

test('a handler for a connection that is gone does not begin', async () => {
  await begin({ join })
  it.send(Kind.EXECUTE, 9, 1)
  const error = errorOf(await it.execute(1, 'join', 0))
  assert.is(error.code, 'CONNECTION_LOST')
  assert.is(error.outcome, 'not-sent')
})

test('a connection lost under a handler rejects its requests, and LOST follows DONE', async () => {
  await begin({
    async ask(_input, { connection }) {
      const error = await connection.request('silence').catch((thrown: unknown) => thrown)
      await new Promise((resolve) => setTimeout(resolve, 20))
      return PoolError.is(error) ? error.code : 'no error'
    },
  })
  it.send(Kind.EXECUTE, 1, 1)
  const result = it.execute(1, 'ask', 0)
  await until(() => server.text() === 'silence\n', 'it asks')
  server.socket.end()
  await turns(10)
  assert.is(it.words[0], 0)
  assert.not(it.messages.some((message) => message.kind === Kind.LOST))
  assert.equal(await result, { ok: true, value: 'CONNECTION_LOST' })
  assert.is((await it.next(Kind.DONE)).flags, Flag.WHOLE)
  const { info, written } = await it.lost()
  assert.is(info.reason, 'peer-end')
  assert.is(written, 0)
})

test('a handler that changed the connection has it reset; one that left replies owed has it destroyed', async () => {
  const scope = (request: unknown) => (String(request).startsWith('SET') ? 'lease' : 'shared')
  const reset: CodecProtocol<unknown, unknown>['reset'] = async (connection) => void (await connection.request('RESET'))
  await begin(
    {
      change: (_input, { connection }) => connection.request('SET x'),
      leave: (_input, { connection }) => void connection.request('silence'),
    },
    { scope, reset },
  )
  it.send(Kind.EXECUTE, 1, 1)
  await it.execute(1, 'change', 0)
  assert.is((await it.next(Kind.DONE)).flags, Flag.WHOLE)
  await it.next(Kind.IDLE)
  assert.is(server.text(), 'SET x\nRESET\n')
  it.send(Kind.EXECUTE, 1, 2)
  await it.execute(2, 'leave', 0)
  assert.is((await it.next(Kind.DONE)).flags, Flag.WHOLE)
  assert.is((await it.lost()).error?.code, 'DESYNC')
})

test('CLOSE under a handler aborts it, and DONE comes all the same', async () => {
  await begin({ ask: (_input, { connection }) => connection.request('silence') })
  it.send(Kind.EXECUTE, 1, 1)
  const result = it.execute(1, 'ask', 0)
  await until(() => server.text() === 'silence\n', 'it asks')
  it.send(Kind.CLOSE, 1)
  assert.is((errorOf(await result).cause as PoolError).code, 'CONNECTION_LOST')
  await it.next(Kind.CLOSED)
  await it.next(Kind.DONE)
})

test('results of quick handlers are told together; a slow one tells its own and those before it at once', async () => {
  const world = new ManualWorld(1_000)
  server = await peer()
  let begun = 0
  let go = (): void => undefined
  const gate = new Promise<void>((resolve) => {
    go = resolve
  })
  const wait = (): Promise<void> => {
    begun++
    return gate
  }
  it = await rig({ world, handlers: { wait, hold: (ms) => world.pass(Number(ms)) } })
  const others = [1, 2, 3, 4]
  for (const slot of [0, ...others]) await it.open(server.port, 1, 2_000, slot)
  const waiting = others.map((slot) => {
    it.send(Kind.EXECUTE, 1, 90 + slot, '', 0, slot)
    return it.execute(90 + slot, 'wait', undefined)
  })
  await until(() => begun === others.length, 'others may have the thread at any time')
  let calls = 0
  const bells = async (ms: number): Promise<readonly string[]> => {
    it.bells.length = 0
    it.send(Kind.EXECUTE, 1, ++calls)
    assert.equal(await it.execute(calls, 'hold', ms), { ok: true, value: undefined })
    return [...it.bells]
  }
  for (let quick = 0; quick < 8; quick++) assert.equal(await bells(0), quick < 7 ? ['now'] : ['soon', 'told'])
  assert.equal(await bells(0.25), ['soon', 'told'], 'at the end of a turn that brought no other')
  assert.equal(await bells(30), ['now'])
  assert.equal(await bells(0), ['now'], 'the next may be as slow')
  go()
  await Promise.all(waiting)
})

/** Of a library that never answers. */
const silent: ClientProtocol<unknown, unknown, unknown> = {
  name: 'library',
  connect: async (connection) => connection.socket(),
  execute: () => new Promise(() => undefined),
}

for (const [of, protocol] of Object.entries({ 'of a codec': {}, 'of a library': { client: silent } })) {
  test(`a result that waits for others is told when handlers that do not end have held the thread meanwhile, ${of}`, async () => {
    const world = new ManualWorld(1_000)
    server = await peer()
    let begun = 0
    const open: Record<string, () => void> = {}
    const gate = (name: string) => new Promise<void>((resolve) => Object.assign(open, { [name]: resolve }))
    const first = gate('first')
    const second = gate('second')
    const bells: string[][] = []
    const work: Handler = async (_input, { connection }) => {
      begun++
      await second
      bells.push([...it.bells])
      world.pass(30)
      await connection.request('and goes on')
    }
    const end: Handler = () => {
      begun++
      return first
    }
    it = await rig({ ...protocol, world, handlers: { quick: () => undefined, end, work } })
    const names = ['quick', 'end', 'work', 'work', 'work']
    for (const slot of names.keys()) await it.open(server.port, 1, 2_000, slot)
    const run = (name: string, slot: number, id: number): Promise<unknown> => {
      it.send(Kind.EXECUTE, 1, id, '', 0, slot)
      return it.execute(id, name, undefined)
    }
    for (let slot = 1; slot < names.length; slot++) void run(names[slot] as string, slot, 90 + slot) // within its length
    await until(() => begun === names.length - 1, 'all wait')
    for (let id = 1; id <= 8; id++) await run('quick', 0, id)
    await turns()
    it.bells.length = 0
    open.first?.()
    for (let task = 0; task < 9; task++) await undefined
    open.second?.()
    for (let task = 0; task < 9; task++) await undefined
    assert.equal(bells, [['soon'], ['soon', 'told'], ['soon', 'told']])
  })
}

test.run()
