import { PoolError } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'
import { ManualWorld } from '../../pool-worker/test/kit/clock.ts'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import type { Slot } from '../src/books/slots.ts'
import { Connecting } from '../src/connecting.ts'
import { Numbers } from '../src/stats.ts'
import { Events } from '../src/telemetry/events.ts'
import { Flight } from '../src/telemetry/flight.ts'
import { Rig } from './books-rig.ts'
import { collectUntil } from './support/collecting.ts'

const test = suite('connects that fail')

interface Parts {
  readonly rig: Rig
  readonly world: ManualWorld
  readonly connecting: Connecting
}

/** Of so many endpoints. A pause is half of the longest. */
function parts(...weights: number[]): Parts {
  const rig = new Rig({ maxConnections: 8 }, { weights })
  const world = new ManualWorld(rig.now)
  world.chance = 0.5
  return { rig, world, connecting: new Connecting(world, rig.books, new Numbers(), new Events(), new Flight(world), () => undefined) }
}

const refused = (message: string): PoolError => new PoolError('CONNECT_FAILED', message, { phase: 'connect' })

/** All that open fail. Returns which of them are told to be failures of their own. */
const failAll = ({ rig, connecting }: Parts, message = 'refused'): boolean[] =>
  rig.in('opening').map((slot) => rig.step(() => connecting.failed(slot, refused(message))))

test('those that fail within one pause are one failure, the first after it is another', () => {
  const all = parts(1)
  for (let lease = 0; lease < 5; lease++) all.rig.lease()
  assert.equal(failAll(all), [true, false, false, false, false])
  all.rig.step(() => all.world.pass(50))
  assert.equal(failAll(all), [true])
  all.connecting.stop()
})

test('a connection that ends as soon as it is open is a failure too, and those that end with it are none of their own', () => {
  const { rig, connecting } = parts(1)
  const leased = [rig.leased(), rig.leased()]
  for (const slot of leased) {
    slot.uses = 0 // as nobody's who was opened for `minIdle`
    rig.release(slot)
  }
  const lost = leased.map((slot) => rig.step(() => connecting.lost(slot, 'peer-end', undefined)))
  assert.equal(
    lost.map((failure) => failure?.single),
    [true, false],
  )
  connecting.stop()
})

test('the error of an endpoint that is known no more is the last no longer', () => {
  const all = parts(1)
  const { rig, world, connecting } = all
  rig.lease()
  failAll(all, 'of the first')
  rig.step(() => world.pass(50))
  assert.is(rig.in('opening').length, 1)
  assert.is(connecting.lastError?.message, 'of the first', 'it has been tried again, and not succeeded')
  rig.list(0, 1)
  for (const slot of rig.in('opening')) if (slot.worn !== undefined) rig.gone(slot)
  assert.is(rig.books.sites.all.length, 1)
  assert.is(connecting.lastError, undefined)
  failAll(all, 'of the second')
  assert.is(connecting.lastError?.message, 'of the second')
  connecting.stop()
})

test('it is kept no longer than until the next connect fails', async () => {
  const all = parts(1)
  const { rig, world, connecting } = all
  let collected = false
  const registry = new FinalizationRegistry(() => {
    collected = true
  })
  const fail = (slot: Slot): void => {
    const error = refused('of the first')
    registry.register(error, undefined)
    rig.step(() => connecting.failed(slot, error))
  }
  rig.lease()
  rig.in('opening').forEach(fail)
  rig.step(() => world.pass(50))
  rig.list(0, 1)
  for (const slot of rig.in('opening')) if (slot.worn !== undefined) rig.gone(slot)
  failAll(all)
  await collectUntil(() => collected, 'it is collected')
  connecting.stop()
})

test.run()
