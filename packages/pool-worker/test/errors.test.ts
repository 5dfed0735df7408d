import { inspect } from 'node:util'
import * as assert from 'uvu/assert'
import { decodeError, type ErrorData, encodeError, PoolError, ReplyError } from '../src/errors.ts'
import { suite } from './kit/kit.ts'

const test = suite('errors')

function cross(thrown: unknown): Error & { code?: unknown; errno?: unknown; syscall?: unknown } {
  return decodeError(structuredClone(encodeError(thrown)))
}

test('a PoolError keeps its class, code, phase, outcome and stack across a thread', () => {
  const error = new PoolError('CONNECT_FAILED', 'nobody listens', { phase: 'connect', outcome: 'not-sent' })

  const back = cross(error)

  assert.ok(PoolError.is(back))
  assert.ok(back instanceof PoolError)
  assert.is(back.code, 'CONNECT_FAILED')
  assert.is(back.message, 'nobody listens')
  assert.is(back.phase, 'connect')
  assert.is(back.outcome, 'not-sent')
  assert.is(back.stack, error.stack)
})

test('which thread stood still is known across a thread too', () => {
  const back = cross(
    new PoolError('CONNECT_TIMEOUT', 'late', { stalled: 'shard', cause: new PoolError('REQUEST_TIMEOUT', 'x', { stalled: 'main' }) }),
  )
  assert.ok(PoolError.is(back) && PoolError.is(back.cause))
  assert.equal([back.stalled, back.cause.stalled], ['shard', 'main'])
})

test('how the pool stood, and who held its connections, is known across a thread too', () => {
  const counts = { connections: 2, idle: 0, opening: 1, pending: 7 }
  const oldest = [{ kind: 'handler', connection: '0/1/2', heldMs: 5, handler: 'sum' } as const]
  const back = cross(new PoolError('ACQUIRE_TIMEOUT', 'late', { counts, oldest }))
  assert.ok(PoolError.is(back))
  assert.equal([back.counts, back.oldest], [counts, oldest])
})

test('a ReplyError keeps its class and code', () => {
  const back = cross(new ReplyError('WRONGTYPE', 'WRONGTYPE Operation against a key'))

  assert.ok(ReplyError.is(back))
  assert.not.ok(PoolError.is(back))
  assert.is(back.code, 'WRONGTYPE')
})

test('causes are kept, each with its code, errno and syscall', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', errno: -111, syscall: 'connect' })
  const middle = new TypeError('in the middle', { cause: refused })

  const back = cross(new PoolError('CONNECT_FAILED', 'failed', { cause: middle }))

  assert.ok(back.cause instanceof Error)
  assert.is(back.cause.name, 'TypeError')
  const inner = back.cause.cause
  assert.ok(inner instanceof Error)
  const { code, errno, syscall } = inner as NodeJS.ErrnoException // made by Object.assign above
  assert.equal({ code, errno, syscall }, { code: 'ECONNREFUSED', errno: -111, syscall: 'connect' })
  assert.match(inspect(back), /ECONNREFUSED/)
})

test('the errors of an AggregateError are kept', () => {
  const one = Object.assign(new Error('::1'), { code: 'ECONNREFUSED' })
  const two = Object.assign(new Error('127.0.0.1'), { code: 'ETIMEDOUT' })

  const back = cross(Object.assign(new AggregateError([one, two], 'all failed'), { code: 'ECONNREFUSED' }))

  assert.is(back.code, 'ECONNREFUSED')
  assert.ok(back instanceof AggregateError)
  assert.equal(
    back.errors.map((error: NodeJS.ErrnoException) => [error.message, error.code]),
    [
      ['::1', 'ECONNREFUSED'],
      ['127.0.0.1', 'ETIMEDOUT'],
    ],
  )
})

test('what is thrown and is no Error comes back as one that shows it', () => {
  assert.is(cross('a text').message, 'a text')
  assert.is(cross(undefined).message, 'undefined')
  assert.is(cross(null).message, 'null')
  assert.match(cross({ reason: 7 }).message, /reason: 7/)
  assert.match(cross(Symbol('s')).message, /Symbol\(s\)/)
})

test('an error that cannot be cloned crosses as data', () => {
  const error = Object.assign(new Error('holds a function'), { code: () => 1, extra: () => 2 })

  const back = cross(error)

  assert.is(back.message, 'holds a function')
  assert.is(back.code, undefined)
})

test('getters and proxies that throw do not make encodeError throw', () => {
  const hostile = new Error('hostile')
  for (const key of ['code', 'cause', 'stack', 'name', 'message']) {
    Object.defineProperty(hostile, key, {
      get() {
        throw new Error(`no ${key} for you`)
      },
    })
  }
  assert.match(cross(hostile).message, /cannot be read/)
  assert.match(encodeError(new PoolError('HANDLER_FAILED', 'handler', { cause: hostile })).cause?.message ?? '', /cannot be read/)
  const proxy = new Proxy(new Error('x'), {
    getPrototypeOf() {
      throw new Error('no')
    },
  })
  assert.match(cross(proxy).message, /cannot be read/)
})

test('errors in a circle end at a depth, also when each holds many', () => {
  const circle = new Error('circle')
  circle.cause = circle
  let depth = 0
  for (let data: ErrorData | undefined = encodeError(circle); data !== undefined; data = data.cause) depth++
  assert.is(depth, 9)

  const many = new AggregateError([], 'many')
  many.errors = new Array(16).fill(many)
  assert.ok(JSON.stringify(encodeError(many)).length < 1_000_000)
})

test('an error of another copy of the package is known by its brand', () => {
  const foreign = Object.assign(new Error('foreign'), { code: 'QUEUE_FULL' })
  Object.defineProperty(foreign, Symbol.for('cenote.PoolError'), { value: true })

  assert.ok(PoolError.is(foreign))
  assert.is(cross(foreign).code, 'QUEUE_FULL')
  assert.not.ok(PoolError.is(new Error('plain')))
  assert.not.ok(PoolError.is(undefined))
})

test.run()
