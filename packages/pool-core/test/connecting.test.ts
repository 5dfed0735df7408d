import { PoolError, realWorld, type World } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { ShardSlots } from '../src/books/slots.ts'
import { Connecting } from '../src/connecting.ts'
import type { Link } from '../src/link.ts'
import { readOptions } from '../src/options.ts'
import { Traces } from '../src/telemetry/traces.ts'

const test = suite('connecting')

/** A world whose timers never fire; `timers` are those that were not cancelled. */
function standstill(): World & { readonly timers: Set<object> } {
  const timers = new Set<object>()
  const timer = (): (() => void) => {
    const key = {}
    timers.add(key)
    return () => void timers.delete(key)
  }
  return { ...realWorld, timer, timers }
}

test('once it is stopped, it waits neither for credentials that do not come nor for its pause to end', async () => {
  const world = standstill()
  let answer: (credentials: object) => void = () => undefined
  const credentials = () => new Promise<object>((resolve) => (answer = resolve))
  const connecting = new Connecting(
    readOptions({ endpoint: 'tcp://127.0.0.1:1', credentials }),
    world,
    () => undefined,
    new Traces('pool', world),
  )
  const slot = new ShardSlots(0, 1, false).take()
  slot.state = 'opening'
  const told: string[] = []
  const link = { open: () => told.push('opened') } as unknown as Link // all that it is asked to do
  connecting.open(link, slot, () => told.push('refused'))
  connecting.failed(new PoolError('CONNECT_FAILED', 'no server'))
  assert.is(world.timers.size, 2)
  connecting.stop()
  assert.is(world.timers.size, 0)
  answer({})
  await new Promise(setImmediate)
  assert.equal(told, [])
})

test.run()
