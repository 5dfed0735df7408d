import { PoolError } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { Journey } from '../src/retries.ts'

const test = suite('journey')

const always = { allow: () => true }
const lost = (code: 'PROTOCOL_ERROR' | 'SHARD_LOST' | 'REQUEST_TIMEOUT' | 'CONNECTION_LOST'): PoolError =>
  new PoolError(code, 'it is lost', { phase: 'reply', outcome: 'maybe-executed' })

test('an idempotent request goes on when its connection has died of whatever, and not when that lives or its shard has died', () => {
  const goes = (error: PoolError, lostBy: PoolError | undefined): boolean => new Journey(always, true).goesOn(error, lostBy)
  const [broken, shard] = [lost('PROTOCOL_ERROR'), lost('SHARD_LOST')]
  assert.is(goes(broken, broken), true)
  assert.is(goes(lost('CONNECTION_LOST'), undefined), true)
  assert.is(goes(broken, undefined), false)
  assert.is(goes(lost('REQUEST_TIMEOUT'), broken), false)
  assert.is(goes(shard, shard), false)
})

test('what was sent and is not idempotent goes nowhere', () => {
  const broken = lost('PROTOCOL_ERROR')
  assert.is(new Journey(always, false).goesOn(broken, broken), false)
})

test.run()
