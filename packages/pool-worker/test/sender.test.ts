import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { Flag, Kind } from '../src/frame.ts'
import { localLanes } from '../src/lane.ts'
import { createRing, RingConsumer, RingProducer } from '../src/ring.ts'
import { FrameSender } from '../src/sender.ts'
import { suite } from './kit/kit.ts'

const test = suite('FrameSender')

interface Message {
  readonly kind: number
  readonly flags: number
  readonly slot: number
  readonly serial: number
  readonly id: number
  readonly payload: string
}

interface Line {
  readonly sender: FrameSender
  readonly messages: Message[]
  readonly pieces: string[]
  readonly fragments: { readonly length: number; readonly more: boolean }[]
  /** Reads up to `budget` frames, putting messages together again. */
  drain(budget?: number): void
}

function open(bytes: number, origin = 0): Line {
  const memory = createRing(bytes, false, origin)
  const [lane, other] = localLanes()
  const pieces: string[] = []
  const sender = new FrameSender(new RingProducer(memory, () => undefined), lane)
  const consumer = new RingConsumer(memory, () => undefined)
  const messages: Message[] = []
  const fragments: { length: number; more: boolean }[] = []
  let parts = ''
  const drain = (budget = 1_000_000): void => {
    consumer.drain((kind, flags, slot, serial, id, start, end) => {
      const more = (flags & Flag.MORE) !== 0
      if ((flags & Flag.BESIDE) !== 0) {
        const piece = other.take()
        consumer.tookBeside(piece.length)
        pieces.push(String(piece))
      }
      fragments.push({ length: end - start, more })
      parts += consumer.bytes.toString('latin1', start, end)
      if (more) return
      messages.push({ kind, flags, slot, serial, id, payload: parts })
      parts = ''
    }, budget)
  }
  return { sender, messages, pieces, fragments, drain }
}

function message(i: number, length: number): Message {
  const payload = Array.from({ length }, (_, at) => String.fromCharCode(33 + ((i + at) % 90))).join('')
  return { kind: Kind.DATA, flags: i % 2 === 0 ? Flag.END : 0, slot: i % 65_536, serial: i, id: -i, payload }
}

function send(sender: FrameSender, { kind, flags, slot, serial, id, payload }: Message): void {
  sender.send(kind, flags, slot, serial, id, Buffer.from(payload, 'latin1'))
}

test('a message within one frame is one frame', () => {
  const { sender, messages, fragments, drain } = open(1024)
  send(sender, message(1, sender.ring.maxPayload))
  send(sender, message(2, 0))
  assert.ok(sender.flush())
  drain()
  assert.equal(messages, [message(1, sender.ring.maxPayload), message(2, 0)])
  assert.is(fragments.length, 2)
})

test('a longer one is cut into frames, all but the last with MORE', () => {
  const { sender, messages, fragments, drain } = open(1024)
  const { maxPayload } = sender.ring
  send(sender, message(1, 2 * maxPayload + 1))
  sender.ring.publish()
  drain()
  assert.equal(messages, [message(1, 2 * maxPayload + 1)])
  assert.equal(fragments, [
    { length: maxPayload, more: true },
    { length: maxPayload, more: true },
    { length: 1, more: false },
  ])
})

test('a multiple of the frame length has no empty last frame', () => {
  const { sender, fragments, drain } = open(1024)
  send(sender, message(1, 2 * sender.ring.maxPayload))
  sender.ring.publish()
  drain()
  assert.is(fragments.length, 2)
})

test('a part of a payload is sent alone', () => {
  const { sender, messages, drain } = open(1024)
  sender.send(Kind.DATA, 0, 0, 0, 0, Buffer.from('0123456789'), 3, 7)
  sender.ring.publish()
  drain()
  assert.is(messages[0]?.payload, '3456')
})

test('what finds no room is kept, follows in order, and is counted', () => {
  const { sender, messages, drain } = open(128)
  const expected = Array.from({ length: 50 }, (_, i) => message(i, (i * 7) % 60))
  for (const one of expected) send(sender, one)
  assert.ok(sender.spilling)
  assert.ok(sender.spilledBytes > 0)
  assert.not.ok(sender.flush())
  while (sender.spilling) {
    drain(1)
    sender.flush()
  }
  drain()
  assert.is(sender.spilledBytes, 0)
  assert.equal(messages, expected)
})

test('a message longer than the whole ring passes through it', () => {
  const { sender, messages, drain } = open(128)
  send(sender, message(1, 1_000))
  do drain()
  while (!sender.flush())
  drain()
  assert.equal(messages, [message(1, 1_000)])
})

test('once something is kept back, nothing overtakes it, though it would fit', () => {
  const { sender, messages, drain } = open(128)
  send(sender, message(1, 500))
  drain()
  send(sender, message(2, 0))
  assert.is(messages.length, 0)
  while (!sender.flush()) drain()
  drain()
  assert.equal(
    messages.map(({ serial }) => serial),
    [1, 2],
  )
})

test('a payload may be overwritten as soon as it was sent', () => {
  const { sender, messages, drain } = open(128)
  const payload = Buffer.from('x'.repeat(300))
  sender.send(Kind.DATA, 0, 0, 0, 0, payload)
  assert.ok(sender.spilling)
  payload.fill('!')
  while (!sender.flush()) drain()
  drain()
  assert.is(messages[0]?.payload, 'x'.repeat(300))
})

test('the spill does not share memory with others', () => {
  const { sender } = open(128)
  const pooled = Buffer.from('y'.repeat(200)) // out of Node's pool of 8 KiB
  for (let i = 0; i < 3; i++) sender.send(Kind.DATA, 0, 0, 0, 0, pooled)
  assert.ok(sender.spilledBytes < 600)
})

test('a spill of thousands drains in order', () => {
  const { sender, messages, drain } = open(256)
  const expected = Array.from({ length: 5_000 }, (_, i) => message(i, i % 5))
  for (const one of expected) send(sender, one)
  while (!sender.flush()) drain()
  drain()
  assert.equal(messages, expected)
})

test('random messages through random rings, read at random, come out as they went in', () => {
  const operation = fc.oneof(
    { weight: 3, arbitrary: fc.nat(400).map((length) => ({ type: 'send' as const, length })) },
    { weight: 2, arbitrary: fc.integer({ min: 1, max: 10 }).map((budget) => ({ type: 'drain' as const, budget })) },
    { weight: 2, arbitrary: fc.constant({ type: 'flush' as const }) },
  )
  const setup = fc.record({
    bytes: fc.constantFrom(128, 256, 1024),
    origin: fc.constantFrom(0, 2 ** 31 - 4096, 2 ** 32 - 4096),
    operations: fc.array(operation, { maxLength: 120 }),
  })
  return fc.assert(
    fc.property(setup, ({ bytes, origin, operations }) => {
      const { sender, messages, drain } = open(bytes, origin)
      const expected: Message[] = []
      for (const [i, one] of operations.entries()) {
        if (one.type === 'send') {
          expected.push(message(i, one.length))
          send(sender, message(i, one.length))
        } else if (one.type === 'drain') drain(one.budget)
        else assert.is(sender.flush(), !sender.spilling)
      }
      while (!sender.flush()) drain(3)
      drain()
      assert.equal(messages, expected)
      assert.is(sender.spilledBytes, 0)
    }),
    { numRuns: 300 },
  )
})

test('what is given away goes beside the ring, in its place among the others', () => {
  const { sender, pieces, messages, drain } = open(1024)
  send(sender, message(1, 100))
  sender.give(Kind.REPLY, 0, 3, 4, 5, Buffer.allocUnsafeSlow(700).fill('a'))
  send(sender, message(2, 100))
  sender.flush()
  drain()
  assert.equal(
    messages.map(({ id, flags }) => [id, flags & Flag.BESIDE]),
    [
      [-1, 0],
      [5, Flag.BESIDE],
      [-2, 0],
    ],
  )
  assert.equal(pieces, ['a'.repeat(700)])
})

test('what finds no room beside the ring waits in its place, and its bytes are counted', () => {
  const { sender, pieces, messages, drain } = open(2048)
  for (const letter of ['a', 'b', 'c']) sender.give(Kind.REPLY, 0, 3, 4, 5, Buffer.allocUnsafeSlow(700).fill(letter))
  send(sender, message(1, 10))
  assert.ok(sender.spilling)
  assert.is(sender.spilledBytes, 710)
  assert.not.ok(sender.flush())
  drain()
  assert.is(pieces.length, 2)
  assert.ok(sender.flush())
  assert.is(sender.spilledBytes, 0)
  drain()
  assert.equal(pieces, ['a'.repeat(700), 'b'.repeat(700), 'c'.repeat(700)])
  assert.is(messages.at(-1)?.id, -1)
})

test.run()
