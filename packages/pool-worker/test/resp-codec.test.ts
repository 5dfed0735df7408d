import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { ReplyError } from '../src/errors.ts'
import { type RespReply, respCodec } from '../src/protocols/index.ts'
import { recorded } from './fixtures/resp-streams.ts'
import { attributes, comparable, otherDecoder, pushes, values2, values3 } from './fixtures/resp-values.ts'
import { cutAt, cuts, type Framed, frameChunks, holds, thrownBy } from './framing.ts'
import { suite } from './kit/kit.ts'

const test = suite('resp codec')
const codec = respCodec()

function replyTo(bytes: Buffer, buffers = false): RespReply | ReplyError {
  try {
    return respCodec({ buffers }).decode(bytes)
  } catch (error) {
    if (ReplyError.is(error)) return error
    throw error
  }
}

const decode = (text: string): RespReply => codec.decode(Buffer.from(text))
const framed = (chunks: readonly Buffer[]): Framed[] => frameChunks(codec.createFramer(), chunks)
/** With the bulk strings of pushes as Buffers, as the other decoder gives them. */
const decoded = (frames: readonly Framed[]): unknown[] =>
  frames.map(({ kind, bytes }) => [kind, comparable(replyTo(bytes, kind === 'push'))])

test('a recorded stream gives the replies and pushes that @redis/client reads, wherever it is cut', () => {
  for (const stream of [recorded.resp2, recorded.resp3]) {
    const whole = framed([stream])
    for (const chunks of cuts(stream)) assert.equal(framed(chunks), whole)
    // The other decoder does not know attributes: the one reply that has one is left out.
    const plain = whole.filter(({ bytes }) => bytes.toString('latin1', 0, 1) !== '|')
    assert.equal(decoded(plain), otherDecoder(Buffer.concat(plain.map(({ bytes }) => bytes))))
    assert.is(whole.length - plain.length, stream === recorded.resp3 ? 1 : 0)
  }
})

test('generated streams of RESP2 give the replies that @redis/client reads, wherever they are cut', () => {
  holds(
    fc.property(fc.array(values2, { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 20 }), (parts, places) => {
      const stream = Buffer.concat(parts)
      const frames = framed(cutAt(stream, places))
      assert.equal(
        frames.map(({ bytes }) => bytes),
        parts,
      )
      assert.equal(decoded(frames), otherDecoder(stream))
    }),
  )
})

test('generated streams of RESP3 give the replies and pushes that @redis/client reads, wherever they are cut', () => {
  holds(
    fc.property(fc.array(fc.oneof(values3, pushes), { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 20 }), (parts, places) => {
      const stream = Buffer.concat(parts)
      const frames = framed(cutAt(stream, places))
      assert.equal(
        frames.map(({ bytes }) => bytes),
        parts,
      )
      assert.equal(decoded(frames), otherDecoder(stream))
      assert.equal(
        frames.map(({ kind }) => kind),
        parts.map((part) => (part.subarray(0, 1).toString() === '>' ? 'push' : 'reply')),
      )
    }),
  )
})

test('generated streams cut at every single offset give the same frames', () => {
  holds(
    fc.property(fc.array(fc.oneof(values3, pushes), { maxLength: 3 }), (parts) => {
      const stream = Buffer.concat(parts)
      if (stream.length > 400) return
      for (const chunks of cuts(stream)) {
        assert.equal(
          framed(chunks).map(({ bytes }) => bytes),
          parts,
        )
      }
    }),
  )
})

test('with buffers, bulk strings are the bytes that @redis/client reads', () => {
  holds(
    fc.property(values3, (bytes) => {
      // It gives verbatim strings and errors as strings too.
      assert.equal([['reply', comparable(replyTo(bytes, true))]], otherDecoder(bytes, true))
    }),
  )
})

test('an attribute belongs to the reply behind it, and its value is left out', () => {
  holds(
    fc.property(
      fc.array(attributes, { minLength: 1, maxLength: 2 }),
      values3,
      fc.array(fc.nat(), { maxLength: 9 }),
      (before, value, places) => {
        const stream = Buffer.concat([...before, value, ...before, value])
        const frames = framed(cutAt(stream, places))
        assert.is(frames.length, 2)
        assert.equal(decoded(frames), [...decoded(framed([value])), ...decoded(framed([value]))])
      },
    ),
  )
  assert.equal(decode('*2\r\n|1\r\n+ttl\r\n:5\r\n:1\r\n|0\r\n:2\r\n'), [1, 2])
  assert.equal(
    framed([Buffer.from('|1\r\n+k\r\n+v\r\n>1\r\n+p\r\n')]).map(({ kind }) => kind),
    ['push'],
  )
})

test('decoding in the middle of a buffer neither reads beyond its range nor keeps its memory', () => {
  const bytes = Buffer.from('+1\r\n*2\r\n$2\r\nab\r\n:7\r\n$3\r\nxyz\r\n')
  for (const buffers of [false, true]) {
    const slab = Buffer.from(bytes)
    const reply = respCodec({ buffers }).decodeRange(slab, 4, 20)
    slab.fill(0)
    assert.equal(comparable(reply), [comparable(buffers ? Buffer.from('ab') : 'ab'), 7])
  }
  for (let end = 5; end < 20; end++) assert.match(String(thrownBy(() => codec.decodeRange(bytes, 4, end))), /^Error: not RESP: .*cut off/)
  assert.match(String(thrownBy(() => codec.decodeRange(bytes, 4, 21))), /bytes after the end/)
})

test('each type becomes the value that its documentation says', () => {
  assert.is(decode('$0\r\n\r\n'), '')
  assert.is(decode('+\r\n'), '')
  assert.is(decode('+OK\r\n'), 'OK')
  assert.is(decode('$-1\r\n'), null)
  assert.is(decode('*-1\r\n'), null)
  assert.is(decode('_\r\n'), null)
  assert.equal(decode('*0\r\n'), [])
  assert.is(decode(':-12\r\n'), -12)
  assert.ok(Object.is(decode(':-0\r\n'), 0))
  assert.is(decode(':9007199254740991\r\n'), Number.MAX_SAFE_INTEGER)
  assert.is(decode(':-9007199254740991\r\n'), Number.MIN_SAFE_INTEGER)
  assert.is(decode(':9007199254740993\r\n'), 9007199254740993n)
  assert.is(decode(':-9223372036854775808\r\n'), -9223372036854775808n)
  assert.is(decode(':+9223372036854775807\r\n'), 9223372036854775807n)
  assert.is(decode('(12\r\n'), 12n)
  assert.is(decode(',1.5e3\r\n'), 1500)
  assert.is(decode(',-inf\r\n'), Number.NEGATIVE_INFINITY)
  assert.is(decode('#t\r\n'), true)
  assert.is(decode('=7\r\ntxt:a→\r\n'.replace('7', '8')), 'a→')
  assert.equal(decode('~2\r\n:1\r\n:1\r\n'), [1, 1])
  assert.equal(decode('>2\r\n+message\r\n:1\r\n'), ['message', 1])
})

test('a map has no prototype, so that no key of the server is taken for one of ours', () => {
  const map = decode('%3\r\n$9\r\n__proto__\r\n:1\r\n:2\r\n+two\r\n+constructor\r\n_\r\n')
  if (map === null || typeof map !== 'object') throw new Error('a map is an object')
  assert.is(Object.getPrototypeOf(map), null)
  assert.equal(Object.entries(map), [
    ['2', 'two'],
    ['__proto__', 1],
    ['constructor', null],
  ])
})

test('an error on the top level is thrown, one inside another value is a value', () => {
  for (const text of ['-WRONGTYPE not a list\r\n', '!20\r\nWRONGTYPE not a list\r\n', '|1\r\n+k\r\n+v\r\n-WRONGTYPE not a list\r\n']) {
    const error = thrownBy(() => decode(text))
    if (!ReplyError.is(error)) throw new Error('it must be a ReplyError')
    assert.is(error.code, 'WRONGTYPE')
    assert.is(error.message, 'WRONGTYPE not a list')
  }
  const [first, second] = decode('*2\r\n-ERR\r\n:1\r\n') as readonly RespReply[] // an array was sent
  assert.ok(ReplyError.is(first) && first.code === 'ERR')
  assert.is(second, 1)
})

test('malformed streams end in an error that shows none of their bytes, wherever they are cut', () => {
  const streams = [
    'HTTP/1.1 400\r\n',
    '\r\n',
    'S',
    '$3\r\nsecret\r\n',
    '$3\r\nabcS\n',
    '$3x\r\nabc\r\n',
    '$\r\n',
    '$-2\r\n',
    '$--1\r\n',
    '$+3\r\n',
    '$1-\r\n',
    '$-\r\n',
    '$-1\rS',
    '$3\rSabc\r\n',
    '*1\r\nS',
    '*-3\r\n',
    '$99999999999\r\n',
    '$4294967295\r\n',
    '*2147483648\r\n',
    '+S\rS\n',
    ':1\r\r\n',
    '%-1\r\n',
    '>-1\r\n',
    '=3\r\ntxt\r\n',
    '*1\r\n>1\r\n+S\r\n',
    '|1\r\n>1\r\n+S\r\n',
    '*?\r\n',
    '$?\r\n;4\r\nsecr\r\n',
    '*1\r\n'.repeat(200),
    '|1\r\n+k\r\n'.repeat(200),
  ]
  for (const stream of streams) {
    for (const chunks of cuts(Buffer.from(stream))) {
      const error = thrownBy(() => framed(chunks))
      assert.match(String(error), /^Error: not RESP: /, JSON.stringify(stream))
      assert.not.match(
        String(error)
          .replace('RESP', '')
          .replace(/^Error/, ''),
        /S|secr/,
      )
    }
  }
  assert.match(String(thrownBy(() => framed([Buffer.from('*?\r\n')]))), /streamed values are not supported/)
  assert.match(String(thrownBy(() => framed([Buffer.from('*1\r\n'.repeat(129))]))), /more than 128 aggregates/)
  assert.is(framed([Buffer.from(`${'*1\r\n'.repeat(128)}:1\r\n`)]).length, 1)
})

test('frames whose content is malformed are refused by the decoder', () => {
  const frames = [
    ':\r\n',
    ':-\r\n',
    ':1a\r\n',
    ':0x1\r\n',
    '#x\r\n',
    '_x\r\n',
    ',\r\n',
    ',1x\r\n',
    ',0x10\r\n',
    '(1.5\r\n',
    '(\r\n',
    '%1\r\n*0\r\n:1\r\n',
    '%1\r\n-ERR\r\n:1\r\n',
  ]
  for (const frame of frames) {
    assert.is(framed([Buffer.from(frame)]).length, 1)
    const error = thrownBy(() => decode(frame))
    assert.not(ReplyError.is(error))
    assert.match(String(error), /^Error: not RESP: /)
  }
})

test('bytes of any kind never make the decoder read beyond them, hang or throw another error', () => {
  const bytes = fc
    .array(fc.constantFrom(...'+-:$*_,#!=(%~>|?01239t\r\nx'), { maxLength: 30 })
    .map((letters) => Buffer.from(letters.join('').replace(/x/g, '\r\n')))
  const guarded = (action: () => unknown): void => {
    try {
      action()
    } catch (error) {
      if (!ReplyError.is(error)) assert.match(String(error), /^Error: not RESP: /)
    }
  }
  holds(
    fc.property(bytes, fc.array(fc.nat()), (stream, places) => {
      guarded(() => codec.decode(stream))
      guarded(() => decoded(framed(cutAt(stream, places))))
    }),
  )
})

test('a bulk that comes in many chunks is one frame, and its bytes are not looked at', () => {
  const body = Buffer.alloc(3_000_000, '\r\n$-1\r\n')
  const stream = Buffer.concat([Buffer.from(`*2\r\n:1\r\n$${body.length}\r\n`), body, Buffer.from('\r\n+OK\r\n')])
  const chunks = Array.from({ length: Math.ceil(stream.length / 65_536) }, (_, i) => stream.subarray(i * 65_536, (i + 1) * 65_536))
  const frames = framed(chunks)
  assert.is(frames.length, 2)
  assert.equal(replyTo(frames[0]?.bytes ?? stream), [1, body.toString()])
})

test.run()
