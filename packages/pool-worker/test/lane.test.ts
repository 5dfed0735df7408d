import { once } from 'node:events'
import { MessageChannel } from 'node:worker_threads'
import * as assert from 'uvu/assert'
import { type Lane, localLanes, portLane } from '../src/lane.ts'
import { suite } from './kit/kit.ts'

const test = suite('lane')

function piece(value: number, bytes = 100): Buffer {
  return Buffer.allocUnsafeSlow(bytes).fill(value)
}

function lanes(how: 'port' | 'local'): { ends: [Lane, Lane]; close(): void } {
  if (how === 'local') {
    const ends = localLanes()
    return { ends, close: () => ends.forEach((end) => void end.close()) }
  }
  const { port1, port2 } = new MessageChannel()
  return { ends: [portLane(port1), portLane(port2)], close: () => port1.close() }
}

for (const how of ['port', 'local'] as const) {
  test(`pieces of a ${how} lane come in order, each way by itself, and are whole Buffers`, () => {
    const { ends, close } = lanes(how)
    const [a, b] = ends
    for (const value of [1, 2, 3]) a.put(piece(value, value * 1_000))
    b.put(piece(9))
    for (const value of [1, 2, 3]) {
      const got = b.take()
      assert.ok(got.equals(piece(value, value * 1_000)))
      assert.is(got.length, got.buffer.byteLength)
    }
    assert.ok(a.take().equals(piece(9)))
    close()
  })

  test(`a piece that was not sent is an error on a ${how} lane`, () => {
    const { ends, close } = lanes(how)
    ends[0].put(piece(1))
    assert.throws(() => ends[0].take(), /was not sent/)
    ends[1].take()
    assert.throws(() => ends[1].take(), /was not sent/)
    close()
  })
}

test('between threads nothing is copied: the memory has left whoever sent it', () => {
  const { ends, close } = lanes('port')
  const sent = piece(5)
  const { buffer } = sent
  ends[0].put(sent)
  assert.is(buffer.byteLength, 0)
  assert.is(ends[1].take().length, 100)
  close()
})

test('what was sent can be taken after the other end has closed', async () => {
  const { port1, port2 } = new MessageChannel()
  const [ours, theirs] = [portLane(port1), portLane(port2)]
  theirs.put(piece(1))
  theirs.put(piece(2))
  theirs.close()
  await once(port2, 'close')
  assert.is(ours.take()[0], 1)
  assert.is(ours.take()[0], 2)
  ours.close()
})

test.run()
