import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { FrameWriter } from '../src/codec.ts'
import { suite } from './kit/kit.ts'

const test = suite('FrameWriter')

test('a message that fits stays where it was begun, and touches nothing beside', () => {
  const target = Buffer.alloc(64, 0xee)
  const writer = new FrameWriter()

  writer.begin(target, 10, 20)
  writer.latin1('12345')
  writer.bytes(Buffer.from('67890'))

  assert.ok(writer.inPlace)
  assert.is(writer.length, 10)
  assert.is(writer.written.toString(), '1234567890')
  assert.is(target.toString('latin1', 10, 20), '1234567890')
  assert.ok(target.subarray(0, 10).every((byte) => byte === 0xee))
  assert.ok(target.subarray(20).every((byte) => byte === 0xee))
})

test('a message that outgrows its place moves to memory of its own', () => {
  const target = Buffer.alloc(64, 0xee)
  const writer = new FrameWriter()

  writer.begin(target, 10, 20)
  writer.latin1('12345')
  writer.utf8('ünïcödé')

  assert.not.ok(writer.inPlace)
  assert.is(writer.written.toString(), '12345ünïcödé')
  assert.ok(target.subarray(20).every((byte) => byte === 0xee))
})

test('an overflow does not keep the next message from being in place', () => {
  const target = Buffer.alloc(64)
  const writer = new FrameWriter()
  writer.begin(target, 0, 4)
  writer.bytes(Buffer.alloc(100_000, 1))
  assert.is(writer.length, 100_000)

  writer.begin(target, 0, 4)
  writer.latin1('abcd')

  assert.ok(writer.inPlace)
  assert.is(target.toString('latin1', 0, 4), 'abcd')
})

test('integers are written high byte first, or last', () => {
  const writer = new FrameWriter()
  writer.begin()
  writer.uint(0x01020304, 4)
  writer.uint(0xfffefdfc, 4, true)
  writer.uint(0xabcd, 2)
  writer.uint(7, 1)
  assert.is(writer.written.toString('hex'), '01020304fcfdfeffabcd07')
})

test('lone surrogates become the replacement character, as in Buffer', () => {
  const writer = new FrameWriter()
  writer.begin()
  writer.utf8('a\ud800b')
  assert.equal(writer.written, Buffer.from('a\ud800b'))
})

type Step = readonly [kind: 'byte' | 'decimal' | 'uint', value: number] | readonly [kind: 'latin1' | 'utf8' | 'bytes', text: string]

const step = fc.oneof(
  fc.tuple(fc.constant('byte' as const), fc.integer({ min: 0, max: 255 })),
  fc.tuple(fc.constantFrom('decimal' as const, 'uint' as const), fc.nat(0xffffffff)),
  fc.tuple(fc.constantFrom('latin1' as const, 'bytes' as const), fc.string({ maxLength: 300 })),
  fc.tuple(fc.constant('utf8' as const), fc.string({ unit: 'binary', maxLength: 300 })),
)

function write(writer: FrameWriter, [kind, value]: Step): Buffer {
  switch (kind) {
    case 'byte':
      writer.byte(value)
      return Buffer.from([value])
    case 'decimal':
      writer.decimal(value)
      return Buffer.from(String(value))
    case 'uint': {
      writer.uint(value, 4)
      const expected = Buffer.alloc(4)
      expected.writeUInt32BE(value)
      return expected
    }
    case 'latin1':
      writer.latin1(value)
      return Buffer.from(value, 'latin1')
    case 'bytes':
      writer.bytes(Buffer.from(value))
      return Buffer.from(value)
    case 'utf8':
      writer.utf8(value)
      return Buffer.from(value)
  }
}

test('whatever is written, in whatever room, reads back the same', () => {
  const writer = new FrameWriter() // one for all: what a message leaves behind must not show in the next
  const message = fc.record({ room: fc.option(fc.nat(400)), steps: fc.array(step, { maxLength: 30 }) })
  return fc.assert(
    fc.property(message, ({ room, steps }) => {
      const target = Buffer.alloc(1024, 0xee)
      if (room === null) writer.begin()
      else writer.begin(target, 100, 100 + room)
      const expected = Buffer.concat(steps.map((one) => write(writer, one)))
      assert.is(writer.length, expected.length)
      assert.ok(writer.written.equals(expected))
      assert.is(writer.inPlace, room !== null && expected.length <= room)
      const end = room === null ? 100 : 100 + room
      assert.ok(target.subarray(0, 100).every((byte) => byte === 0xee))
      assert.ok(target.subarray(end).every((byte) => byte === 0xee))
    }),
    { numRuns: 400 },
  )
})

test('it tells where in a word a message should begin for its last long bytes to begin where their source does', () => {
  const writer = new FrameWriter()
  const memory = Buffer.allocUnsafeSlow(2_000) // begins at a word
  const target = Buffer.alloc(8_192)
  for (let from = 0; from < 8; from++)
    for (const prefix of [1, 2, 4] as const) {
      writer.begin(target, 128, target.length)
      writer.uint(1, prefix)
      writer.bytes(memory.subarray(from, from + 1_500))
      writer.latin1('.')
      assert.is((writer.skew + prefix) % 8, from)
    }
  writer.begin(target, 128, target.length)
  writer.bytes(memory.subarray(3, 100))
  assert.is(writer.skew, 0, 'for a short one it does not matter')
})

test('a message that was taken is not written to by those that follow, however long they are', () => {
  const writer = new FrameWriter()
  const target = Buffer.alloc(64)
  const taken: Buffer[] = []
  const lengths = [5, 40, 3_000, 70_000, 200_000, 60_000, 100_000, 10]
  for (const [i, length] of lengths.entries()) {
    if (i % 2 === 0) writer.begin()
    else writer.begin(target, 0, 64)
    writer.byte(i)
    writer.bytes(Buffer.alloc(length, i))
    taken.push(writer.take())
  }
  for (const [i, length] of lengths.entries()) assert.ok(taken[i]?.equals(Buffer.alloc(length + 1, i)), `${length} bytes`)
})

test.run()
