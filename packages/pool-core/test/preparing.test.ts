import { realWorld, type World } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { ShardSlots } from '../src/books/slots.ts'
import type { Link } from '../src/link.ts'
import { readOptions } from '../src/options.ts'
import { Preparing } from '../src/preparing.ts'
import { Traces } from '../src/telemetry/traces.ts'

const test = suite('preparing')

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

test('once it is stopped, it waits no more for credentials that do not come', async () => {
  const world = standstill()
  let answer: (credentials: object) => void = () => undefined
  const credentials = () => new Promise<object>((resolve) => (answer = resolve))
  const preparing = new Preparing(readOptions({ endpoint: 'tcp://127.0.0.1:1', credentials }), world, new Traces('pool', world))
  const slot = new ShardSlots(0, 1, false).take()
  slot.state = 'opening'
  const told: string[] = []
  const link = { open: () => told.push('opened') } as unknown as Link // all that it is asked to do
  preparing.open(link, slot, () => told.push('refused'))
  assert.is(world.timers.size, 1)
  preparing.stop()
  assert.is(world.timers.size, 0)
  answer({})
  await new Promise(setImmediate)
  assert.equal(told, [])
})

test.run()
