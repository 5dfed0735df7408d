import * as assert from 'uvu/assert'
import { Arriving, LONG_BYTES } from '../src/arriving.ts'
import { suite } from './kit/kit.ts'

const test = suite('Arriving')

const NOISE = Buffer.from(Array.from({ length: 300_007 }, (_, at) => (at * 31 + (at >> 8)) & 0xff))

/** A small generator of numbers. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) & 0x7fffffff
    return (state >> 8) % below
  }
}

/** Reads as a socket does: into the room that there is, at most `most` bytes; returns the chunk. */
function read(arriving: Arriving, source: Buffer, at: number, most: number): Buffer {
  const room = arriving.room
  const size = Math.min(most, source.length - at, room?.length ?? 65_536)
  const chunk = (room ?? Buffer.allocUnsafeSlow(65_536)).subarray(0, size)
  source.copy(chunk, 0, at, at + size)
  return chunk
}

test('a frame comes out as it came in, whatever its length, its pieces, and what is known of it', () => {
  const seed = Date.now() & 0xffff
  const random = numbers(seed)
  const arriving = new Arriving()
  for (let round = 0; round < 400; round++) {
    const length = 1 + random(round % 4 === 0 ? 300_000 : 50_000)
    const start = random(7)
    const source = NOISE.subarray(start, start + length)
    const knows = random(3) // nothing, all, or a part of what is missing
    let at = 0
    for (;;) {
      const chunk = read(arriving, source, at, 1 + random(70_000))
      at += chunk.length
      if (at === length) {
        const whole = arriving.whole(chunk, 0, chunk.length)
        assert.ok(whole.equals(source), `seed ${seed}, round ${round}`)
        assert.is(whole.buffer.byteLength, length, `exact memory of its own; seed ${seed}, round ${round}`)
        break
      }
      arriving.keep(chunk, 0, chunk.length, knows === 0 ? 0 : knows === 1 ? length - at : 1 + random(length - at))
      assert.is(arriving.length, at)
      assert.ok(arriving.room === undefined || arriving.room.length > 0, 'a room has room')
    }
    arriving.clear()
    assert.is(arriving.length, 0)
    assert.is(arriving.room, undefined)
  }
})

test('a long frame whose length is known is read where it stays', () => {
  const arriving = new Arriving()
  const first = Buffer.from(NOISE.subarray(0, 1_000))
  arriving.keep(first, 0, first.length, 200_000 - 1_000)
  const { buffer } = arriving.room ?? NOISE
  assert.is(arriving.room?.length, 199_000)
  const chunk = read(arriving, NOISE.subarray(0, 200_000), 1_000, 199_000)
  const whole = arriving.whole(chunk, 0, chunk.length)
  assert.is(whole.buffer, buffer)
  assert.ok(whole.equals(NOISE.subarray(0, 200_000)))
})

test('short frames have no room of their own, and neither have those of unknown length', () => {
  const arriving = new Arriving()
  arriving.keep(NOISE, 0, 10, LONG_BYTES - 11)
  assert.is(arriving.room, undefined)
  arriving.keep(NOISE, 10, 200_000, 0)
  assert.is(arriving.room, undefined)
})

test('bytes behind the end of a frame, read in place because less was known, stay out of its memory', () => {
  const arriving = new Arriving()
  arriving.keep(Buffer.from(NOISE.subarray(0, 1_000)), 0, 1_000, 100_000)
  const chunk = read(arriving, NOISE, 1_000, 60_000)
  const whole = arriving.whole(chunk, 0, 50_000) // the protocol had said too much
  assert.is(whole.buffer.byteLength, 51_000)
  assert.ok(whole.equals(NOISE.subarray(0, 51_000)))
  arriving.clear()
  arriving.keep(chunk, 50_000, 60_000, 0)
  assert.ok(arriving.whole(NOISE, 0, 0).equals(NOISE.subarray(51_000, 61_000)))
})

test('whoever announces much and sends little makes nobody reserve much', () => {
  const arriving = new Arriving()
  arriving.keep(NOISE, 0, 10, 2 ** 31)
  assert.is(arriving.room?.buffer.byteLength, 2 ** 21)
  arriving.clear()
  arriving.keep(NOISE, 0, 300_000, 2 ** 31)
  assert.is(arriving.room?.buffer.byteLength, 8 * 300_000)
})

test.run()
