import { PoolError, ReplyError } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { withoutData } from '../src/telemetry/redact.ts'
import { assertSilent, secret } from './support/secrets.ts'

const test = suite('redaction')

const framesOf = ({ stack = '' }: Error): string[] => stack.split('\n').filter((line) => line.startsWith('    at '))

function thrownByTheUser(message: string): Error {
  return Object.assign(new RangeError(message), { code: 'ERANGE', data: secret('property') })
}

test("an error of the user's keeps its name, its code and where it was thrown, and nothing else", () => {
  const thrown = thrownByTheUser(`not ${secret('message')}`)
  const told = withoutData(thrown)
  assert.equal([told.name, Reflect.get(told, 'code')], ['RangeError', 'ERANGE'])
  assert.equal(framesOf(told), framesOf(thrown))
  assert.match(String(told.stack), 'thrownByTheUser')
  assertSilent(told, 'the error')
})

test('lines of a message that look like frames are none', () => {
  const message = `several lines\n    at ${secret('frame')} (file.js:1:1)\nand more`
  const thrown = thrownByTheUser(message)
  const changed = thrownByTheUser(message)
  void changed.stack // made now, with the words of now
  changed.message = 'other words'
  for (const error of [thrown, changed]) assertSilent(withoutData(error), 'the error')
  assert.equal(framesOf(withoutData(thrown)), framesOf(thrown).slice(1))
  assert.equal(framesOf(withoutData(changed)), [])
})

test('an error of the pool keeps what it knows, and the cause what the system said', () => {
  const system = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED', syscall: 'connect' })
  const counts = { connections: 1, idle: 0, opening: 1, pending: 2 }
  const details = { phase: 'connect', outcome: 'not-sent', counts, stalled: 'shard', cause: system } as const
  const told = withoutData(new PoolError('CONNECT_FAILED', 'it did not come', details))
  assert.ok(PoolError.is(told))
  const { code, message, phase, outcome, stalled, cause } = told
  assert.equal([code, message, phase, outcome, stalled], ['CONNECT_FAILED', 'it did not come', 'connect', 'not-sent', 'shard'])
  assert.is(told.counts, counts)
  assert.is(cause, system)
})

test('of a chain each error is told by its own rule', () => {
  const reply = new ReplyError('WRONGPASS', `wrong: ${secret('password')}`)
  const refused = new PoolError('AUTH_FAILED', `the server says: ${secret('password')}`, { cause: reply })
  const told = withoutData(new PoolError('ACQUIRE_TIMEOUT', 'in vain', { cause: refused }))
  assertSilent(told, 'the chain')
  const inner = told.cause as PoolError
  assert.equal([inner.code, (inner.cause as ReplyError).code], ['AUTH_FAILED', 'WRONGPASS'])
})

test('a message that quotes what is below it is withheld, whatever its code', () => {
  const thrown = new Error(`the server said: ${secret('word')}`)
  const hook = new PoolError('HOOK_FAILED', `onConnect failed: ${thrown.message}`, { cause: thrown })
  for (const [code, cause] of [
    ['UNAVAILABLE', hook],
    ['CONNECTION_LOST', new PoolError('HOOK_FAILED', 'its own words', { cause: thrown })],
    ['CONNECTION_LOST', thrown],
    ['CONNECTION_LOST', Object.assign(new Error(secret('row')), { code: 'ER_DUP_ENTRY', errno: 1062 })],
    ['CONNECTION_LOST', secret('text')],
  ] as const) {
    const words = cause instanceof Error ? cause.message : cause
    const told = withoutData(new PoolError(code, `it ended: ${words}: ${thrown.message}`, { cause }))
    assertSilent(told, code)
    assert.is((told as PoolError).code, code)
  }
  const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' })
  assert.is(
    withoutData(new PoolError('CONNECTION_LOST', 'it broke: read ECONNRESET', { cause: reset })).message,
    'it broke: read ECONNRESET',
  )
})

test('of several causes in one, all must be of the system', () => {
  const system = Object.assign(new Error('connect ECONNREFUSED ::1:1'), { code: 'ECONNREFUSED', syscall: 'connect' })
  const all = new AggregateError([system, system], '')
  assert.is(withoutData(new PoolError('CONNECT_FAILED', 'in vain', { cause: all })).cause, all)
  const mixed = new AggregateError([system, new Error(secret('one'))], '')
  assertSilent(withoutData(new PoolError('CONNECT_FAILED', 'in vain', { cause: mixed })), 'the error')
})

test('what is no error, and names and codes that are none, are told as nothing', () => {
  const odd = Object.assign(new Error('words'), { name: `two words ${secret('name')}`, code: secret('code') })
  for (const value of [secret('text'), undefined, { secret: secret('object') }, odd]) {
    const told = withoutData(value)
    assertSilent(told, 'the error')
    assert.equal([told.name, Reflect.get(told, 'code')], ['Error', undefined])
  }
})

test.run()
