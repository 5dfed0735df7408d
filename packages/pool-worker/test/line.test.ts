import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { type LineOptions, line, lineCodec } from '../src/protocols/index.ts'
import { codeOf, cutAt, cuts, encoded, frameChunks, holds, thrownBy } from './framing.ts'
import { suite } from './kit/kit.ts'

const test = suite('line')

function lines(stream: string, options?: LineOptions): string[][] {
  const codec = lineCodec(options)
  const bytes = Buffer.from(stream, options?.encoding ?? 'utf8')
  return Array.from(cuts(bytes), (chunks) => frameChunks(codec.createFramer(), chunks).map((frame) => codec.decode(frame.bytes)))
}

function everyCut(stream: string, options: LineOptions | undefined, expected: string[]): void {
  for (const found of lines(stream, options)) assert.equal(found, expected)
}

test('lines are the same wherever the stream is cut', () => {
  everyCut('one\ntwo\r\n\n\r\nžluťoučký 🐎\nrest', undefined, ['one', 'two', '', '', 'žluťoučký 🐎'])
  everyCut('one\r\ntwo\n\r\n\r\r\n', { delimiter: '\r\n' }, ['one', 'two\n', '\r'])
  everyCut('caf\xe9;\xff;', { delimiter: ';', encoding: 'latin1' }, ['caf\xe9', '\xff'])
})

test('a delimiter that begins like itself is found wherever the stream is cut', () => {
  everyCut('xaabaabaaab-aabaaac', { delimiter: 'aabaaab' }, ['xaab'])
  everyCut('ababababac.abac', { delimiter: 'abac' }, ['ababab', '.'])
  everyCut('aaaaa', { delimiter: 'aa' }, ['', ''])
  everyCut('x→y⇒z→', { delimiter: '→' }, ['x', 'y⇒z'])
})

test('lines and cuts of any kind give the lines back', () => {
  const delimiters = fc.constantFrom('\n', '\r\n', 'ab', 'aab', 'abab', 'aba')
  const words = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'x', '\r') }), { maxLength: 12 })
  holds(
    fc.property(delimiters, words, fc.array(fc.nat()), (delimiter, requests, places) => {
      const codec = lineCodec({ delimiter })
      const sent = requests.filter((request) => !`${request}${delimiter}`.slice(0, -1).includes(delimiter))
      const stream = Buffer.concat(sent.map((request) => encoded(codec, request)))
      const found = frameChunks(codec.createFramer(), cutAt(stream, places)).map(({ bytes }) => codec.decodeRange(bytes, 0, bytes.length))
      assert.equal(
        found,
        sent.map((request) => (delimiter === '\n' ? request.replace(/\r$/, '') : request)),
      )
    }),
  )
})

test('decoding in the middle of a buffer does not look beyond its range', () => {
  const codec = lineCodec()
  assert.is(codec.decodeRange(Buffer.from('\r\n-\n'), 1, 2), '')
  assert.is(codec.decodeRange(Buffer.from('xxab\r\nyy'), 2, 6), 'ab')
})

test('a request that would be read as more than one is refused', () => {
  for (const request of ['a\nb', '\n'])
    assert.is(
      codeOf(() => encoded(lineCodec(), request)),
      'BAD_REQUEST',
    )
  assert.is(
    codeOf(() => encoded(lineCodec({ delimiter: 'aa' }), 'xa')),
    'BAD_REQUEST',
  )
  assert.is(
    codeOf(() => encoded(lineCodec({ encoding: 'latin1' }), 'x\u010ay')),
    'BAD_REQUEST',
  )
  assert.is(
    codeOf(() => encoded(lineCodec(), 'x\ud800')),
    'BAD_REQUEST',
  )
  assert.is(
    codeOf(() => encoded(lineCodec(), 5 as never)),
    'BAD_REQUEST',
  )
  assert.equal(encoded(lineCodec({ delimiter: '\r\n' }), 'x\r'), Buffer.from('x\r\r\n'))
})

test('a line above maxLineBytes ends the connection before its end has come', () => {
  for (const delimiter of ['\n', '\r\n']) {
    const framer = lineCodec({ delimiter, maxLineBytes: 4 }).createFramer()
    frameChunks(framer, [Buffer.from(`ab${delimiter}`), Buffer.from('ab')])
    assert.match(String(thrownBy(() => framer.push(Buffer.from('secret'), () => {}))), /maxLineBytes \(4\)$/)
  }
})

test('options are checked by name', () => {
  assert.match(
    String(thrownBy(() => line({ delimeter: ';' } as never))),
    /unknown option delimeter; it has delimiter, encoding, maxLineBytes/,
  )
  assert.match(String(thrownBy(() => line({ delimiter: '' }))), /delimiter must be a string that is not empty/)
  assert.match(String(thrownBy(() => line({ maxLineBytes: 0 }))), /maxLineBytes must be a whole number from 1 up/)
  assert.match(String(thrownBy(() => line({ encoding: 'utf16le' as never }))), /encoding must be one of utf8, latin1/)
  assert.match(String(thrownBy(() => line({ encoding: 'latin1', delimiter: '→' }))), /delimiter has characters that latin1 has not/)
  assert.equal(line({ delimiter: ';' }).reference, { builtin: 'line', options: { delimiter: ';' } })
})

test.run()
