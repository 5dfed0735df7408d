import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { checkCallOptions } from '../src/call-options.ts'
import { complaint } from './support/refusals.ts'
import { DURATION, FLAG, WHOLE } from './support/wrong-values.ts'

const test = suite('options of calls')

test('call options are checked by name, and only those that the call takes', () => {
  const all = ['timeoutMs', 'signal', 'priority', 'idempotent', 'onProgress'] as const
  for (const timeoutMs of DURATION)
    assert.match(
      complaint(() => checkCallOptions({ timeoutMs }, all)),
      /^timeoutMs: /,
    )
  for (const signal of [1, {}, null, { aborted: false }])
    assert.match(
      complaint(() => checkCallOptions({ signal }, all)),
      /^signal: /,
    )
  for (const priority of [...WHOLE, 10, Infinity])
    assert.match(
      complaint(() => checkCallOptions({ priority }, all)),
      /^priority: /,
    )
  for (const idempotent of FLAG)
    assert.match(
      complaint(() => checkCallOptions({ idempotent }, all)),
      /^idempotent: /,
    )
  for (const onProgress of [1, {}, null])
    assert.match(
      complaint(() => checkCallOptions({ onProgress }, all)),
      /^onProgress: /,
    )
  assert.match(
    complaint(() => checkCallOptions({ onProgress: () => 1 }, ['timeoutMs'])),
    /^options.onProgress: is unknown/,
  )
  assert.match(
    complaint(() => checkCallOptions({ timeout: 1 }, all)),
    /did you mean timeoutMs\?/,
  )
  assert.match(
    complaint(() => checkCallOptions(5, all)),
    /^options: must be an object/,
  )
  const { signal } = new AbortController()
  assert.equal(checkCallOptions({ timeoutMs: Infinity, signal, priority: 9, idempotent: true }, all), {
    timeoutMs: Infinity,
    signal,
    priority: 9,
    idempotent: true,
    onProgress: undefined,
  })
  assert.is(checkCallOptions(undefined, all).timeoutMs, undefined)
})

test.run()
