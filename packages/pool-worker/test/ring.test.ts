import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { HEADER_BYTES, Kind } from '../src/frame.ts'
import { createRing, type OnFrame, RingConsumer, RingProducer } from '../src/ring.ts'
import { suite } from './kit/kit.ts'

const test = suite('ring')

/** Where both indexes start so that they soon pass 2³¹ (a signed word turns negative) or 2³² (it is 0 again). */
const ORIGINS = [0, 2 ** 31 - 4096, 2 ** 31 - 16, 2 ** 32 - 4096, 2 ** 32 - 16]

interface Frame {
  readonly kind: number
  readonly flags: number
  readonly slot: number
  readonly serial: number
  readonly id: number
  readonly payload: string
}

interface Bells {
  consumer: number
  producer: number
}

function open(bytes: number, origin = 0, shared = true): { producer: RingProducer; consumer: RingConsumer; rung: Bells } {
  const memory = createRing(bytes, shared, origin)
  const rung = { consumer: 0, producer: 0 }
  const producer = new RingProducer(memory, () => rung.consumer++)
  const consumer = new RingConsumer(memory, () => rung.producer++)
  return { producer, consumer, rung }
}

function write(producer: RingProducer, frame: Frame): boolean {
  const at = producer.reserve(frame.payload.length)
  if (at < 0) return false
  assert.ok(at + frame.payload.length <= producer.bytes.length, 'a frame is in one piece')
  producer.bytes.write(frame.payload, at, 'latin1')
  producer.commit(frame.kind, frame.flags, frame.slot, frame.serial, frame.id, frame.payload.length)
  return true
}

function frame(i: number, length: number): Frame {
  const payload = String.fromCharCode(97 + (i % 26)).repeat(length)
  return { kind: 1 + (i % 255), flags: (i * 7) % 256, slot: (i * 1009) % 65_536, serial: i * 0x1003_0201, id: -i, payload }
}

/** As the frame comes out: the words are signed. */
function signed(one: Frame): Frame {
  return { ...one, serial: one.serial | 0, id: one.id | 0 }
}

function reader(consumer: RingConsumer): { readonly frames: Frame[]; readonly onFrame: OnFrame } {
  const frames: Frame[] = []
  const onFrame: OnFrame = (kind, flags, slot, serial, id, start, end) =>
    frames.push({ kind, flags, slot, serial, id, payload: consumer.bytes.toString('latin1', start, end) })
  return { frames, onFrame }
}

test('a size that is no power of two, or below 128, is refused', () => {
  for (const bytes of [0, 64, 127, 129, 192, 1000, -128]) assert.throws(() => createRing(bytes, false), /power of two/)
  assert.is(createRing(128, true).data.byteLength, 128)
})

test('memory is shared, or is not, as asked', () => {
  assert.instance(createRing(128, true).data, SharedArrayBuffer)
  assert.instance(createRing(128, true).control, SharedArrayBuffer)
  assert.instance(createRing(128, false).data, ArrayBuffer)
})

for (const bytes of [128, 256, 4096]) {
  for (const origin of ORIGINS) {
    test(`a ring of ${bytes} bytes keeps order and content while its indexes wrap (origin ${origin})`, () => {
      const { producer, consumer } = open(bytes, origin)
      const { frames, onFrame } = reader(consumer)
      const expected: Frame[] = []
      for (let i = 0; i < 1_500; i++) {
        const next = frame(i, (i * 13) % (producer.maxPayload + 1))
        expected.push(signed(next))
        if (!write(producer, next)) {
          producer.publish()
          while (consumer.drain(onFrame, 2));
          assert.ok(write(producer, next), 'an empty ring takes any frame')
        }
        if (i % 3 === 0) producer.publish()
      }
      producer.publish()
      while (consumer.drain(onFrame, 5));
      assert.equal(frames, expected)
    })
  }
}

test('an eighth of the ring is the longest frame, and eight of them fit', () => {
  const { producer } = open(1024)
  assert.is(producer.maxPayload, 128 - HEADER_BYTES)
  for (let i = 0; i < 8; i++) assert.ok(write(producer, frame(i, producer.maxPayload)))
  assert.not.ok(write(producer, frame(8, 0)))
})

test('the smallest ring carries payload', () => {
  assert.is(open(128).producer.maxPayload, 16)
})

test('a frame that does not fit before the end goes to the start, behind a PAD that nobody sees', () => {
  const { producer, consumer } = open(128, 112)
  const { frames, onFrame } = reader(consumer)
  const at = producer.reserve(16)
  assert.is(at, HEADER_BYTES)
  producer.commit(Kind.DATA, 0, 0, 0, 0, 16)
  producer.publish()

  assert.not.ok(consumer.drain(onFrame, 1))
  assert.is(frames.length, 1)
})

test('a payload may begin any number of bytes behind its header, at the end of the ring as well, and is read where it was written', () => {
  for (const origin of ORIGINS) {
    const { producer, consumer } = open(256, origin)
    const { frames, onFrame } = reader(consumer)
    for (let turn = 0; turn < 40; turn++) {
      const skew = turn % 8
      const payload = String.fromCharCode(97 + (turn % 26)).repeat(turn % (producer.maxPayload + 1))
      const at = producer.reserve(payload.length, skew)
      assert.is(at % 8, skew)
      producer.bytes.write(payload, at, 'latin1')
      producer.commit(Kind.SEND, 0, 1, 2, turn, payload.length, skew)
      producer.publish()
      consumer.drain(onFrame, 10)
      assert.equal(frames.pop(), { kind: Kind.SEND, flags: 0, slot: 1, serial: 2, id: turn, payload })
    }
  }
})

test('what is reserved for more may be committed with less', () => {
  const { producer, consumer } = open(1024)
  const { frames, onFrame } = reader(consumer)
  const at = producer.reserve(100)
  producer.bytes.write('abc', at, 'latin1')
  producer.commit(Kind.SEND, 0, 1, 2, 3, 3)
  assert.ok(write(producer, frame(1, 10)))
  producer.publish()
  consumer.drain(onFrame, 10)
  assert.equal(
    frames.map((one) => one.payload),
    ['abc', 'b'.repeat(10)],
  )
})

test('frames show only when published, all at once', () => {
  const { producer, consumer } = open(1024)
  const { frames, onFrame } = reader(consumer)
  write(producer, frame(1, 1))
  write(producer, frame(2, 2))
  assert.ok(producer.unpublished)
  assert.not.ok(consumer.drain(onFrame, 10))
  assert.is(frames.length, 0)

  producer.publish()
  assert.not.ok(producer.unpublished)
  consumer.drain(onFrame, 10)
  assert.is(frames.length, 2)
})

test('a consumer is born asleep, and the bell rings once for each sleep', () => {
  const { producer, consumer, rung } = open(1024)
  const { onFrame } = reader(consumer)
  const publish = (): void => {
    write(producer, frame(0, 0))
    producer.publish()
  }
  publish()
  publish()
  assert.is(rung.consumer, 1)

  consumer.drain(onFrame, 10)
  publish()
  assert.is(rung.consumer, 1, 'it is awake')

  consumer.drain(onFrame, 10)
  assert.ok(consumer.sleep())
  producer.publish()
  assert.is(rung.consumer, 1, 'nothing was published')
  publish()
  assert.is(rung.consumer, 2)
})

test('a consumer that says it stays awake is not rung until it sleeps again, and finds what came', () => {
  const { producer, consumer, rung } = open(1024)
  const { frames, onFrame } = reader(consumer)
  consumer.stayAwake()
  write(producer, frame(0, 0))
  producer.publish()
  assert.is(rung.consumer, 0)
  assert.not.ok(consumer.sleep(), 'something has come')
  consumer.drain(onFrame, 10)
  assert.is(frames.length, 1)
  assert.ok(consumer.sleep())
  write(producer, frame(0, 0))
  producer.publish()
  assert.is(rung.consumer, 1)
})

test('a consumer that lies down while frames have come is told to drain again', () => {
  const { producer, consumer, rung } = open(1024)
  const { onFrame } = reader(consumer)
  write(producer, frame(0, 0))
  producer.publish()
  assert.not.ok(consumer.sleep())
  write(producer, frame(0, 0))
  producer.publish()
  assert.is(rung.consumer, 1, 'the first one, at birth: it did not lie down after')
  consumer.drain(onFrame, 10)
  assert.ok(consumer.sleep())
})

test('a producer that found no room is rung once, when there is some', () => {
  const { producer, consumer, rung } = open(128)
  const { onFrame } = reader(consumer)
  while (write(producer, frame(1, 0)));
  producer.publish()
  assert.not.ok(write(producer, frame(1, 0)))
  assert.is(rung.producer, 0)

  consumer.drain(onFrame, 1)
  assert.is(rung.producer, 1)
  consumer.drain(onFrame, 1)
  assert.is(rung.producer, 1)
  assert.ok(write(producer, frame(1, 0)))
})

/** Runs `meanwhile` right before the first of these atomic stores: what another thread might do at that moment. */
function beforeStore(index: number, value: number, meanwhile: () => void, action: () => void): void {
  const store = Atomics.store
  let armed = true
  const spy = (array: Int32Array, at: number, next: number): number => {
    if (armed && at === index && next === value) {
      armed = false
      meanwhile()
    }
    return store(array, at, next)
  }
  Atomics.store = spy as typeof Atomics.store // the ring stores into an Int32Array alone
  try {
    action()
  } finally {
    Atomics.store = store
  }
  assert.not.ok(armed, 'the store was met')
}

const SLEEPS = 16
const WAITS = 48

test('room that is made just before the producer says that it waits is seen: nobody would ring', () => {
  const { producer, consumer, rung } = open(128)
  const { onFrame } = reader(consumer)
  while (write(producer, frame(1, 0)));
  producer.publish()
  consumer.drain(onFrame, 1)
  assert.ok(write(producer, frame(1, 0)))
  producer.publish()
  const rungBefore = rung.producer

  beforeStore(
    WAITS,
    1,
    () => consumer.drain(onFrame, 100),
    () => assert.ok(write(producer, frame(1, 0))),
  )

  assert.is(rung.producer, rungBefore)
})

test('a frame that is published just before the consumer says that it sleeps is seen: nobody would ring', () => {
  const { producer, consumer, rung } = open(128)
  write(producer, frame(1, 0))
  producer.publish()
  consumer.drain(() => undefined, 100)
  const publish = (): void => {
    write(producer, frame(1, 0))
    producer.publish()
  }

  beforeStore(SLEEPS, 1, publish, () => assert.not.ok(consumer.sleep()))

  assert.is(rung.consumer, 1, 'for the first frame alone')
})

test('the budget bounds a drain, which then says that frames are left', () => {
  const { producer, consumer } = open(1024)
  const { frames, onFrame } = reader(consumer)
  for (let i = 0; i < 5; i++) write(producer, frame(i, 0))
  producer.publish()
  assert.ok(consumer.drain(onFrame, 3))
  assert.is(frames.length, 3)
  assert.not.ok(consumer.drain(onFrame, 2))
  assert.is(frames.length, 5)
})

test('a frame whose reader throws is not met again, and its room is given back', () => {
  const { producer, consumer, rung } = open(128)
  const { frames, onFrame } = reader(consumer)
  for (let i = 0; write(producer, frame(i, 0)); i++);
  producer.publish()
  const fails: OnFrame = () => {
    throw new Error('not this one')
  }
  assert.throws(() => consumer.drain(fails, 10), /not this one/)
  assert.is(rung.producer, 1)
  consumer.drain(onFrame, 10)
  assert.is(frames.length, 7)
  assert.is(frames[0]?.payload, '')
  assert.is(frames[0]?.id, -1)
})

test('frames that are written while a drain goes on are read by it', () => {
  const { producer, consumer } = open(1024)
  let read = 0
  write(producer, frame(0, 0))
  producer.publish()
  const left = consumer.drain(() => {
    read++
    if (read === 5) return
    write(producer, frame(0, 0))
    producer.publish()
  }, 100)
  assert.is(read, 5)
  assert.not.ok(left)
})

test('random writes, publishes, drains and sleeps agree with a queue', () => {
  const operation = fc.oneof(
    { weight: 6, arbitrary: fc.record({ type: fc.constant('write' as const), length: fc.nat(600) }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('publish' as const) }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('drain' as const), budget: fc.integer({ min: 1, max: 12 }) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('sleep' as const) }) },
  )
  const setup = fc.record({
    bytes: fc.constantFrom(128, 256, 512, 4096),
    origin: fc.oneof(
      fc.constantFrom(...ORIGINS),
      fc.nat(2 ** 28 - 1).map((n) => n * 16),
    ),
    operations: fc.array(operation, { maxLength: 200 }),
  })
  return fc.assert(
    fc.property(setup, ({ bytes, origin, operations }) => {
      const { producer, consumer, rung } = open(bytes, origin)
      const { frames, onFrame } = reader(consumer)
      const unpublished: Frame[] = []
      const queue: Frame[] = []
      let asleep = true
      let seen = 0
      operations.forEach((one, i) => {
        const before = { ...rung }
        if (one.type === 'write') {
          const next = frame(i, one.length % (producer.maxPayload + 1))
          if (write(producer, next)) unpublished.push(signed(next))
          else assert.ok(unpublished.length + queue.length > 0, 'an empty ring takes any frame')
        } else if (one.type === 'publish') {
          producer.publish()
          assert.is(rung.consumer - before.consumer, asleep && unpublished.length > 0 ? 1 : 0)
          if (unpublished.length > 0) asleep = false
          queue.push(...unpublished.splice(0))
        } else if (one.type === 'drain') {
          const left = consumer.drain(onFrame, one.budget)
          const read = queue.splice(0, one.budget)
          assert.equal(frames.slice(seen), read)
          seen += read.length
          assert.is(left, queue.length > 0)
        } else {
          const lies = consumer.sleep()
          assert.is(lies, queue.length === 0)
          asleep = lies
        }
      })
      producer.publish()
      queue.push(...unpublished)
      while (consumer.drain(onFrame, 1_000));
      assert.equal(frames.slice(seen), queue)
    }),
    { numRuns: 400 },
  )
})

test('beside the ring goes as much as it holds and one piece more; the one who waits is woken', () => {
  const { producer, consumer, rung } = open(4096)
  assert.ok(producer.hasRoomBeside())
  producer.wentBeside(4095)
  assert.not.ok(producer.hasRoomBeside(), 'counted in units of 1 KiB')
  assert.is(rung.producer, 0)
  consumer.tookBeside(4095)
  assert.is(rung.producer, 1)
  assert.ok(producer.hasRoomBeside())
  producer.wentBeside(3_000)
  producer.wentBeside(2 ** 33)
  assert.not.ok(producer.hasRoomBeside())
  consumer.tookBeside(3_000)
  assert.not.ok(producer.hasRoomBeside())
  consumer.tookBeside(2 ** 33)
  assert.ok(producer.hasRoomBeside())
  assert.is(rung.producer, 3)
})

test('the counts of what goes beside the ring wrap', () => {
  const { producer, consumer } = open(4096)
  const half = 2 ** 30 * 1024
  for (let i = 0; i < 8; i++) {
    producer.wentBeside(half)
    assert.not.ok(producer.hasRoomBeside())
    consumer.tookBeside(half)
    assert.ok(producer.hasRoomBeside())
  }
})

test.run()
