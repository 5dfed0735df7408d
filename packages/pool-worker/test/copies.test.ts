import * as assert from 'uvu/assert'
import { copyBytes, copyOf, LONG, ownCopyOf, skewOf } from '../src/copies.ts'
import { suite } from './kit/kit.ts'

const test = suite('copies')

const WORD = 8

test('bytes are copied to their place, short or long, whole or in part', () => {
  const source = Buffer.from(Array.from({ length: 200 }, (_, i) => i))
  for (const [start, end] of [
    [0, 0],
    [0, 48],
    [3, 40],
    [0, 200],
    [7, 199],
  ] as const) {
    const target = Buffer.alloc(300)
    copyBytes(source, start, end, target, 5)
    assert.ok(target.subarray(5, 5 + end - start).equals(source.subarray(start, end)))
    assert.ok(target.subarray(5 + end - start).every((byte) => byte === 0))
  }
})

test('a copy of shared memory has its bytes and none of its memory, and begins at a word', () => {
  const ring = Buffer.from(new SharedArrayBuffer(65_536) as unknown as ArrayBuffer).subarray(3)
  for (let i = 0; i < ring.length; i++) ring[i] = (i * 31) & 0xff
  for (const length of [0, 1, 48, 49, LONG - 1, LONG, LONG + 1, 5_000, 40_000])
    for (let start = 0; start < WORD; start++) {
      const copy = copyOf(ring, start, start + length)
      assert.ok(copy.equals(ring.subarray(start, start + length)), `${length} bytes from ${start}`)
      assert.is.not(copy.buffer, ring.buffer)
      assert.is(copy.byteOffset % WORD, 0, 'whoever reads numbers in it may')
      const own = ownCopyOf(ring, start, start + length)
      assert.ok(own.equals(copy))
      assert.is(own.buffer.byteLength, length, 'nothing of anybody else')
    }
})

test('a short copy begins where it likes', () => {
  const source = Buffer.alloc(LONG + WORD)
  assert.is(skewOf(source, 3, LONG - 1), 0)
  assert.is(skewOf(source, 3, LONG), (source.byteOffset + 3) % WORD)
})

test.run()
