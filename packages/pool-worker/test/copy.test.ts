/** Bytes come out as they went in, wherever they are and whoever shares the memory. */
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { copyBytes } from '../src/copy.ts'
import { suite } from './kit/kit.ts'

const test = suite('copies')

const SIZE = 40_000

function memory(shared: boolean, offset: number): Buffer {
  const buffer = shared ? new SharedArrayBuffer(SIZE + offset) : new ArrayBuffer(SIZE + offset)
  return Buffer.from(buffer as ArrayBuffer, offset) // a Buffer over shared memory is allowed; the types know only ArrayBuffer
}

function numbered(bytes: Buffer): Buffer {
  for (let at = 0; at < bytes.length; at++) bytes[at] = (at * 7 + (at >> 8)) & 0xff
  return bytes
}

test('any part of any memory is copied to its place, and nothing beside it is touched', () => {
  const place = fc.record({ shared: fc.boolean(), offset: fc.nat(9), at: fc.nat(2_000) })
  const length = fc.oneof(fc.nat(300), fc.integer({ min: 16_370, max: 16_400 }), fc.integer({ min: 32_760, max: 32_790 }))
  const whole = numbered(memory(false, 0))
  fc.assert(
    fc.property(place, place, length, (from, to, bytes) => {
      const source = numbered(memory(from.shared, from.offset))
      const target = memory(to.shared, to.offset)
      copyBytes(source, from.at, from.at + bytes, target, to.at)
      assert.ok(target.subarray(to.at, to.at + bytes).equals(whole.subarray(from.at, from.at + bytes)))
      assert.ok(target.subarray(0, to.at).every((byte) => byte === 0))
      assert.ok(target.subarray(to.at + bytes).every((byte) => byte === 0))
    }),
    { numRuns: 300 },
  )
})

test('all of a memory is copied as well as a part', () => {
  for (const length of [1, 48, 49, 191, 192, 1_000]) {
    const source = numbered(Buffer.alloc(length))
    const target = Buffer.alloc(length + 10)
    copyBytes(source, 0, length, target, 5)
    assert.ok(target.subarray(5, 5 + length).equals(source))
  }
})

test.run()
