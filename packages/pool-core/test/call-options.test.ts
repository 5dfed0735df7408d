import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { checkCallOptions } from '../src/call-options.ts'
import { complaint } from './support/refusals.ts'
import { DURATION, FLAG, WHOLE } from './support/wrong-values.ts'

const test = suite('options of calls')

test('call options are checked by name, and only those that the call takes', () => {
  for (const timeoutMs of DURATION)
    assert.match(
      complaint(() => checkCallOptions({ timeoutMs }, 'request')),
      /^timeoutMs: /,
    )
  for (const signal of [1, {}, null, { aborted: false }])
    assert.match(
      complaint(() => checkCallOptions({ signal }, 'request')),
      /^signal: /,
    )
  for (const priority of [...WHOLE, 10, Infinity])
    assert.match(
      complaint(() => checkCallOptions({ priority }, 'request')),
      /^priority: /,
    )
  for (const idempotent of FLAG)
    assert.match(
      complaint(() => checkCallOptions({ idempotent }, 'request')),
      /^idempotent: /,
    )
  for (const onProgress of [1, {}, null])
    assert.match(
      complaint(() => checkCallOptions({ onProgress }, 'handler')),
      /^onProgress: /,
    )
  assert.match(
    complaint(() => checkCallOptions({ onProgress: () => 1 }, 'close')),
    /^options.onProgress: is unknown/,
  )
  assert.match(
    complaint(() => checkCallOptions({ timeout: 1 }, 'request')),
    /did you mean timeoutMs\?/,
  )
  assert.match(
    complaint(() => checkCallOptions(5, 'request')),
    /^options: must be an object/,
  )
  const { signal } = new AbortController()
  assert.equal(checkCallOptions({ timeoutMs: Infinity, signal, priority: 9, idempotent: true }, 'request'), {
    timeoutMs: Infinity,
    signal,
    priority: 9,
    idempotent: true,
    onProgress: undefined,
  })
  assert.is(checkCallOptions(undefined, 'request').timeoutMs, undefined)
})

test.run()
