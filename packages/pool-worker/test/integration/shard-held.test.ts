/** The memory of a connection: bytes that wait, requests that wait, in whatever pieces they came. */
import * as assert from 'uvu/assert'
import { HeldBytes } from '../../src/held.ts'
import { BufferStock, Outbox } from '../../src/outbox.ts'
import { OwedQueue } from '../../src/owed.ts'
import { suite } from '../kit/kit.ts'

const test = suite('what a connection holds')

/** A small generator of numbers, the same in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) & 0x7fffffff
    return state % below
  }
}

test('held bytes come out as they went in, whole or piece by piece', () => {
  const random = numbers(7)
  const held = new HeldBytes()
  let expected = Buffer.alloc(0)
  for (let step = 0; step < 2_000; step++) {
    const piece = Buffer.alloc(random(step % 50 === 0 ? 9_000 : 40), step)
    const start = random(piece.length + 1)
    held.append(piece, start, piece.length)
    expected = Buffer.concat([expected, piece.subarray(start)])
    assert.is(held.length, expected.length)
    if (step % 3 === 0) {
      const limit = random(60)
      const parts: Buffer[] = []
      held.drain(limit, (part) => parts.push(Buffer.from(part)))
      const drained = Buffer.concat(parts)
      assert.is(drained.length, Math.min(limit, expected.length))
      assert.ok(drained.equals(expected.subarray(0, drained.length)))
      expected = expected.subarray(drained.length)
    }
    if (step % 97 === 0) assert.ok(held.join(Buffer.from('abc'), 1, 2).equals(Buffer.concat([expected, Buffer.from('b')])))
    if (step % 401 === 0) {
      held.clear()
      expected = Buffer.alloc(0)
    }
  }
})

test('an outbox grows, gives up a piece, and hands over all', () => {
  const stock = new BufferStock()
  const outbox = new Outbox(stock)
  const big = Buffer.alloc(40_000, 'b')
  outbox.append(Buffer.from('xhellox'), 1, 6)
  outbox.append(big, 0, big.length)
  outbox.append(Buffer.from('end'), 0, 3)
  outbox.remove(5, big.length)
  assert.is(outbox.length, 8)
  assert.is(outbox.take()?.toString('latin1', 0, 8), 'helloend')
  assert.is(outbox.length, 0)
  assert.is(outbox.take(), undefined)
})

test('a queue of owed replies keeps its order through removals', () => {
  const queue = new OwedQueue()
  const make = (callId: number) => ({
    callId,
    ordinal: callId,
    local: undefined,
    unwritten: 10,
    written: false,
    complete: true,
    abandoned: false,
  })
  for (let i = 0; i < 600; i++) queue.push(make(i))
  for (let i = 0; i < 300; i++) queue.shift()
  assert.is(queue.head?.callId, 300)
  const item = queue.find(310)
  if (item === undefined) throw new Error('it is not there')
  assert.is(queue.remove(item), 100)
  assert.is(queue.find(310), undefined)
  assert.is(queue.find(5), undefined)
  assert.is(queue.length, 299)
  assert.is(queue.clear().length, 299)
  assert.is(queue.head, undefined)
})

test.run()
