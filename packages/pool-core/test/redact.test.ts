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
  const system = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' })
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

test('what is no error, and names and codes that are none, are told as nothing', () => {
  const odd = Object.assign(new Error('words'), { name: `two words ${secret('name')}`, code: secret('code') })
  for (const value of [secret('text'), undefined, { secret: secret('object') }, odd]) {
    const told = withoutData(value)
    assertSilent(told, 'the error')
    assert.equal([told.name, Reflect.get(told, 'code')], ['Error', undefined])
  }
})

test.run()
