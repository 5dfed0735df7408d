import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import * as assert from 'uvu/assert'
import { ConnectWatch } from '../src/connect-times.ts'
import { ManualWorld } from './kit/clock.ts'
import { suite } from './kit/kit.ts'

const test = suite('connect times')

test('each step is told by itself; the look-up, made elsewhere before, is part of the total but not of what has elapsed here', () => {
  const world = new ManualWorld(1_000)
  const watch = new ConnectWatch(world, true, 700)
  const socket = new EventEmitter() as Socket // all that it listens to
  watch.watch(socket)
  world.pass(3)
  socket.emit('connect')
  world.pass(5)
  watch.ready()
  world.pass(7)
  assert.equal(watch.times(true), { lookup: 700, connect: 3_000, tls: 5_000, handshake: 7_000 })
  assert.equal([watch.elapsed, watch.total], [15_000, 15_700])
})

test('a step that was not needed, or not reached, is absent', () => {
  const world = new ManualWorld(1_000)
  const watch = new ConnectWatch(world, false, undefined)
  world.pass(2)
  assert.equal(watch.times(false), { lookup: undefined, connect: undefined, tls: undefined, handshake: undefined })
  assert.equal([watch.elapsed, watch.total], [2_000, 2_000])
})

test.run()
