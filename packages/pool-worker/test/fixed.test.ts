import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { builtins, fixed, fixedCodec, raw } from '../src/protocols/index.ts'
import { codeOf, cutAt, cuts, encoded, frameChunks, holds, thrownBy } from './framing.ts'
import { suite } from './kit/kit.ts'

const test = suite('fixed and raw')

test('messages are the same wherever the stream is cut', () => {
  for (const chunks of cuts(Buffer.from('abcdefghij'))) {
    const codec = fixedCodec({ bytes: 4 })
    assert.equal(
      frameChunks(codec.createFramer(), chunks).map((frame) => codec.decode(frame.bytes).toString()),
      ['abcd', 'efgh'],
    )
  }
  holds(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.uint8Array(), fc.array(fc.nat()), (bytes, stream, places) => {
      const frames = frameChunks(fixedCodec({ bytes }).createFramer(), cutAt(Buffer.from(stream), places))
      assert.is(frames.length, Math.floor(stream.length / bytes))
      assert.equal(Buffer.concat(frames.map((frame) => frame.bytes)), Buffer.from(stream.slice(0, frames.length * bytes)))
    }),
  )
})

test('a request of another length, or of no bytes, is refused', () => {
  const codec = fixedCodec({ bytes: 2 })
  assert.equal(encoded(codec, Buffer.from('ab')), Buffer.from('ab'))
  assert.is(
    codeOf(() => encoded(codec, Buffer.from('a'))),
    'BAD_REQUEST',
  )
  assert.is(
    codeOf(() => encoded(codec, 'ab' as never)),
    'BAD_REQUEST',
  )
})

test('a reply shares no memory with the buffer that it was read from', () => {
  const bytes = Buffer.from('abcd')
  const reply = fixedCodec({ bytes: 2 }).decodeRange(bytes, 1, 3)
  bytes.fill(0)
  assert.is(reply.toString(), 'bc')
})

test('options are checked by name', () => {
  assert.match(String(thrownBy(() => fixed({} as never))), /bytes is missing/)
  assert.match(String(thrownBy(() => fixed(undefined as never))), /bytes is missing/)
  assert.match(String(thrownBy(() => fixed({ bytes: 0 }))), /bytes must be a whole number from 1 up/)
  assert.is(
    codeOf(() => fixed({ bytes: 1.5 })),
    'BAD_OPTION',
  )
})

test('raw has no requests, and whatever comes is a reply that nobody is owed', () => {
  assert.equal(raw().reference, { builtin: 'raw', options: undefined })
  const definition = builtins.get('raw')
  if (definition === undefined || !('codec' in definition) || typeof definition.codec === 'function') throw new Error('raw has a codec')
  const { codec } = definition
  assert.is(
    codeOf(() => encoded(codec, 'x')),
    'BAD_REQUEST',
  )
  assert.equal(
    frameChunks(codec.createFramer(), [Buffer.from('a'), Buffer.from('bc')]).map(({ kind, bytes }) => `${kind} ${bytes}`),
    ['reply a', 'reply bc'],
  )
})

test('each built-in protocol is found by the name in its reference', () => {
  assert.equal([...builtins.keys()].sort(), ['fixed', 'lengthPrefixed', 'line', 'raw', 'resp'])
  for (const [name, definition] of builtins) assert.is(definition.name, name)
})

test.run()
