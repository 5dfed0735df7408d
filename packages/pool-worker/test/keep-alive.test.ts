import * as assert from 'uvu/assert'
import { PoolError } from '../src/errors.ts'
import { Kind } from '../src/frame.ts'
import { tellKeepAlive } from '../src/keep-alive.ts'
import type { Place } from '../src/side.ts'
import { suite } from './kit/kit.ts'

const test = suite('keep-alive of a server')

/** What is told of it: the id of the frame. */
function told(ms: unknown): number {
  const frames: number[][] = []
  const place: Pick<Place, 'send'> = { send: (...frame) => void frames.push(frame as number[]) }
  tellKeepAlive(place, ms)
  const [frame] = frames
  assert.is(frames.length, 1)
  assert.equal(frame?.slice(0, 2), [Kind.KEEP, 0])
  return frame?.[2] ?? -1
}

test('two seconds are taken off, or half of what is less than four', () => {
  assert.is(told(60_000), 58_000)
  assert.is(told(5_000), 3_000)
  assert.is(told(4_000), 2_000)
  assert.is(told(1_000), 500)
  assert.is(told(15), 7)
})

test('it is always whole milliseconds, at least one, and fits into a frame; Infinity is told as 0', () => {
  for (const ms of [Number.MIN_VALUE, 0.5, 1, 2]) assert.is(told(ms), 1)
  assert.is(told(1e12), 0x7fff_ffff)
  assert.is(told(Number.POSITIVE_INFINITY), 0)
})

test('what is no time is refused, and nothing is told', () => {
  for (const ms of [0, -1, Number.NaN, '5', undefined, null, {}]) {
    try {
      told(ms)
      assert.unreachable(String(ms))
    } catch (error) {
      assert.ok(PoolError.is(error), String(error))
      assert.is(error.code, 'BAD_OPTION')
      assert.match(error.message, /^keepAlive/)
    }
  }
})

test.run()
