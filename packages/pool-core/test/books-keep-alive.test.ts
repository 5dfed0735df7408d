import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { keepAlive } from '../src/books/keep-alive.ts'
import { Rig } from './books-rig.ts'

const test = suite('books: how long a connection may stay idle')

const sweep = (rig: Rig): number => rig.step(() => rig.books.sweep(rig.now))

test('a connection given back for a time closes after it, though minConnections wants it; another is opened in its place', () => {
  const rig = new Rig({ minConnections: 1, idleTimeoutMs: Number.POSITIVE_INFINITY })
  const slot = rig.leased()
  rig.release(slot, 100)
  assert.is(sweep(rig), rig.now + 100)
  rig.now += 99
  sweep(rig)
  assert.equal(rig.take(), [])
  rig.now += 1
  sweep(rig)
  assert.equal(rig.take(), ['close 0/0 idle'])
  rig.gone(slot)
  rig.step(() => rig.books.refill(rig.now))
  assert.equal(rig.take(), ['open 0/0'])
})

for (const scheduling of ['lifo', 'fifo'] as const) {
  test(`${scheduling}: one past its time is granted to nobody: not to a lease, nor to a request, nor for a probe`, () => {
    const rig = new Rig({ maxConnections: 3, scheduling, probeAfterIdleMs: 10 })
    const asks = [
      () => rig.tryLease(),
      () => rig.lease().slot,
      () => {
        rig.now += 20
        return rig.request().slot
      },
    ]
    for (const ask of asks) {
      const slot = rig.leased()
      rig.release(slot, 5)
      rig.now += 5
      assert.is(ask(), undefined)
      assert.match(rig.take().join(), `close 0/${slot.index} idle`)
      rig.gone(slot)
      for (const caller of [...rig.waiting]) rig.cancel(caller)
      for (const opening of rig.in('opening')) rig.gone(opening)
      rig.take()
    }
  })
}

test('the time counts for this one stay: whoever has used it since gives it back without', () => {
  const rig = new Rig({ idleTimeoutMs: Number.POSITIVE_INFINITY })
  const slot = rig.leased()
  rig.release(slot, 100)
  rig.lease()
  rig.release(slot)
  assert.is(sweep(rig), Number.POSITIVE_INFINITY)
  rig.now += 1_000
  assert.is(rig.tryLease(), slot)
})

test('given back to a waiter it has not been idle: the time is forgotten', () => {
  const rig = new Rig({ maxConnections: 1, idleTimeoutMs: Number.POSITIVE_INFINITY })
  const slot = rig.leased()
  const waiter = rig.request()
  rig.release(slot, 10)
  assert.is(waiter.slot, slot)
  rig.finish(slot)
  rig.now += 1_000
  assert.is(rig.tryLease(), slot)
})

test('the time begins when its reset is done', () => {
  const rig = new Rig()
  const slot = rig.leased()
  rig.reset(slot, 100)
  assert.is(sweep(rig), rig.now + 100)
  rig.now += 90
  rig.ready(slot)
  assert.is(sweep(rig), rig.now + 100)
})

test("a server's word counts for every stay from now on, until it says otherwise", () => {
  const rig = new Rig({ idleTimeoutMs: Number.POSITIVE_INFINITY })
  const slot = rig.leased()
  keepAlive(slot, 100, rig.now)
  assert.is(sweep(rig), rig.now + 100, 'in use: none is due earlier')
  for (let stay = 0; stay < 2; stay++) {
    rig.release(slot)
    assert.is(slot.idleUntil, rig.now + 100)
    rig.now += 50
    assert.is(rig.tryLease(), slot)
  }
  rig.release(slot, 60)
  assert.is(slot.idleUntil, rig.now + 60, 'the shorter of both')
  rig.lease()
  rig.release(slot, 200)
  assert.is(slot.idleUntil, rig.now + 100, 'the shorter of both')
  rig.now += 30
  keepAlive(slot, 200, rig.now)
  assert.is(slot.idleUntil, rig.now + 170, 'it has spoken, and its time counts anew; that of whoever gave it back goes on')
  keepAlive(slot, Number.POSITIVE_INFINITY, rig.now)
  assert.is(slot.idleUntil, rig.now + 170)
  keepAlive(slot, 150, rig.now)
  assert.is(sweep(rig), rig.now + 150)
  rig.lease()
  rig.release(slot)
  keepAlive(slot, Number.POSITIVE_INFINITY, rig.now)
  assert.is(sweep(rig), Number.POSITIVE_INFINITY, 'the next stay has no such end')
})

test('requests that share a connection keep to its time when the last has ended, and the next connection of the slot has none', () => {
  const rig = new Rig({ maxConnections: 1 })
  const slot = rig.idle()
  keepAlive(slot, 100, rig.now)
  rig.request()
  rig.now += 1_000
  rig.finish(slot)
  assert.is(slot.idleUntil, rig.now + 100)
  rig.now += 100
  sweep(rig)
  assert.equal(rig.take(), ['close 0/0 idle'])
  rig.gone(slot)
  assert.is(rig.idle(), slot)
  assert.is(slot.idleUntil, Number.POSITIVE_INFINITY)
})

test('idleTimeoutMs still ends the others, and of all times the sweep tells the next', () => {
  const rig = new Rig({ maxConnections: 3, idleTimeoutMs: 1_000 })
  const [one, two, three] = [rig.leased(), rig.leased(), rig.leased()]
  rig.release(one, 400)
  rig.release(two, 700)
  rig.release(three)
  assert.is(sweep(rig), rig.now + 400)
  rig.now += 400
  assert.is(sweep(rig), rig.now + 300)
  rig.now += 300
  assert.is(sweep(rig), rig.now + 300)
  rig.now += 300
  sweep(rig)
  assert.equal(rig.take(), ['close 0/0 idle', 'close 0/1 idle', 'close 0/2 idle'])
})

test.run()
