import { type CloseReason, PoolError, type PoolErrorCode } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { isFault } from '../src/endpoints.ts'

const test = suite('what speaks against an endpoint')

type Ended = Parameters<typeof isFault>[0]

const IDLE: Ended = { closing: undefined, stream: undefined, run: undefined }
const OWED = { settled: false }
const ABANDONED = { settled: true }

const error = (code: PoolErrorCode, stalled?: 'shard'): PoolError => new PoolError(code, 'it has ended', { phase: 'reply', stalled })

test('a connection that ends with a reply owed does, and one with a handler on it', () => {
  for (const reason of ['peer-end', 'peer-reset', 'error'] as const) {
    assert.ok(isFault(IDLE, [ABANDONED, OWED], reason, undefined), reason)
    assert.ok(isFault({ ...IDLE, run: {} }, [], reason, error('CONNECTION_LOST')), reason)
  }
})

test('one that ends while idle does not, nor one whose callers have all gone', () => {
  for (const reason of ['peer-end', 'peer-reset', 'error'] as const) {
    assert.not(isFault(IDLE, [], reason, undefined))
    assert.not(isFault(IDLE, [ABANDONED], reason, new Error('read ECONNRESET')))
  }
})

test('a failed probe does, and what breaks the protocol, whoever waits', () => {
  assert.ok(isFault(IDLE, [], 'probe', undefined))
  assert.ok(isFault(IDLE, [], 'error', error('PROTOCOL_ERROR')))
})

test('a stream that is cut off does; one that the server has ended after all was said does not', () => {
  assert.ok(isFault({ ...IDLE, stream: { over: false } }, [], 'peer-end', undefined))
  assert.ok(isFault({ ...IDLE, stream: { over: true } }, [], 'peer-reset', undefined))
  assert.not(isFault({ ...IDLE, stream: { over: true } }, [], 'peer-end', undefined))
})

test('what was decided here does not, nor what the machine or the user has done', () => {
  const others: CloseReason[] = ['idle', 'lifetime', 'uses', 'abort', 'stray-bytes', 'shard-lost', 'shutdown', 'drain', 'balance']
  for (const reason of others) assert.not(isFault(IDLE, [OWED], reason, undefined), reason)
  assert.not(isFault({ ...IDLE, closing: 'recycle' }, [OWED], 'peer-end', undefined))
  for (const code of ['HOOK_FAILED', 'REPLY_TOO_LARGE', 'RESOURCE_EXHAUSTED'] as const)
    assert.not(isFault(IDLE, [OWED], 'error', error(code)), code)
})

test('nothing does that was found late because a thread stood still', () => {
  assert.ok(isFault(IDLE, [OWED], 'error', error('CONNECTION_LOST')))
  assert.not(isFault(IDLE, [OWED], 'error', error('CONNECTION_LOST', 'shard')))
})

test.run()
