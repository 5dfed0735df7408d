import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { lengthPrefixed, lengthPrefixedCodec } from '../src/protocols/index.ts'
import { codeOf, cutAt, cuts, encoded, frameChunks, holds, thrownBy } from './framing.ts'
import { suite } from './kit/kit.ts'

const test = suite('length-prefixed')

const FORMS = [1, 2, 4].flatMap((size) =>
  [false, true].flatMap((littleEndian) =>
    [false, true].map((includesHeader) => ({ size: size as 1 | 2 | 4, littleEndian, includesHeader })),
  ),
)

test('messages are the same wherever the stream is cut, in every form', () => {
  const messages = ['', 'a', '', 'hello', 'x'.repeat(200)].map((text) => Buffer.from(text))
  for (const form of FORMS) {
    const codec = lengthPrefixedCodec(form)
    const stream = Buffer.concat(messages.map((message) => encoded(codec, message)))
    for (const chunks of cuts(stream)) {
      assert.equal(
        frameChunks(codec.createFramer(), chunks).map((frame) => codec.decode(frame.bytes)),
        messages,
      )
    }
  }
})

test('messages and cuts of any kind give the messages back', () => {
  holds(
    fc.property(fc.constantFrom(...FORMS), fc.array(fc.uint8Array({ maxLength: 80 })), fc.array(fc.nat()), (form, messages, places) => {
      const codec = lengthPrefixedCodec(form)
      const stream = Buffer.concat(messages.map((message) => encoded(codec, message)))
      const frames = frameChunks(codec.createFramer(), cutAt(stream, places))
      assert.equal(
        frames.map((frame) => codec.decodeRange(frame.bytes, 0, frame.bytes.length)),
        messages.map((message) => Buffer.from(message)),
      )
    }),
  )
})

test('the length stands before the message as the form says', () => {
  const hex = (options: Parameters<typeof lengthPrefixedCodec>[0]) =>
    encoded(lengthPrefixedCodec(options), Buffer.from('ab')).toString('hex')
  assert.is(hex(undefined), '000000026162')
  assert.is(hex({ size: 2, littleEndian: true }), '02006162')
  assert.is(hex({ size: 2, includesHeader: true }), '00046162')
  assert.is(hex({ size: 1 }), '026162')
})

test('a length from 2³¹ up is not taken for a negative one', () => {
  const big = lengthPrefixedCodec().createFramer()
  assert.equal(frameChunks(big, [Buffer.from('ffffffff616263', 'hex')]), [])
  const little = lengthPrefixedCodec({ littleEndian: true }).createFramer()
  assert.equal(frameChunks(little, [Buffer.from('00000080616263', 'hex')]), [])
})

test('a length less than its own bytes ends the connection', () => {
  const framer = lengthPrefixedCodec({ includesHeader: true }).createFramer()
  assert.match(String(thrownBy(() => framer.push(Buffer.from([0, 0, 0, 3]), () => {}))), /less than its own bytes/)
})

test('a reply shares no memory with the buffer that it was read from', () => {
  const codec = lengthPrefixedCodec({ size: 1 })
  const bytes = Buffer.from([2, 97, 98])
  const reply = codec.decodeRange(bytes, 0, 3)
  bytes.fill(0)
  assert.is(reply.toString(), 'ab')
})

test('requests that are no bytes, or too long for their length, are refused', () => {
  assert.is(
    codeOf(() => encoded(lengthPrefixedCodec(), 'text' as never)),
    'BAD_REQUEST',
  )
  assert.is(
    codeOf(() => encoded(lengthPrefixedCodec({ size: 1 }), Buffer.alloc(256))),
    'BAD_REQUEST',
  )
  assert.is(
    codeOf(() => encoded(lengthPrefixedCodec({ size: 1, includesHeader: true }), Buffer.alloc(255))),
    'BAD_REQUEST',
  )
  assert.is(encoded(lengthPrefixedCodec({ size: 1 }), Buffer.alloc(255)).length, 256)
})

test('options are checked by name', () => {
  assert.match(String(thrownBy(() => lengthPrefixed({ size: 3 as never }))), /size must be one of 1, 2, 4/)
  assert.match(String(thrownBy(() => lengthPrefixed({ bytes: 4 } as never))), /unknown option bytes/)
  assert.equal(lengthPrefixed().reference, { builtin: 'lengthPrefixed', options: undefined })
})

test.run()
