import { MessageChannel } from 'node:worker_threads'
import * as assert from 'uvu/assert'
import { PortBell } from '../src/bell.ts'
import { realWorld } from '../src/world.ts'
import { suite } from './kit/kit.ts'

const test = suite('doorbells')

const LAST = 'last'

/** A bell whose turns end when the test says so; `close` tells how often it was rung until then. */
function bellByHand(): { bell: PortBell; endTurn(): void; rings(): Promise<number> } {
  const { port1, port2 } = new MessageChannel()
  const ends: (() => void)[] = []
  const bell = new PortBell(port1, {
    ...realWorld,
    immediate: (action) => {
      ends.push(action)
      return () => undefined
    },
  })
  let rung = 0
  const rings = async (): Promise<number> => {
    port1.postMessage(LAST) // in order: when it has come, so has every ring before it
    await new Promise<void>((resolve) => {
      port2.on('message', (message) => {
        if (message !== LAST) rung++
        else resolve()
      })
    })
    port1.close()
    return rung
  }
  return {
    bell,
    endTurn: () => {
      for (const end of ends.splice(0)) end()
    },
    rings,
  }
}

test('asked many times in one turn, it rings once when the turn ends', async () => {
  const { bell, endTurn, rings } = bellByHand()
  for (let time = 0; time < 5; time++) bell.ringSoon()
  endTurn()
  endTurn()
  assert.is(await rings(), 1)
})

test('before the turn has ended it has not rung', async () => {
  const { bell, rings } = bellByHand()
  bell.ringSoon()
  assert.is(await rings(), 0)
})

test('hurried, it rings at once and not again when the turn ends', async () => {
  const { bell, endTurn, rings } = bellByHand()
  bell.hurry()
  bell.ringSoon()
  bell.hurry()
  endTurn()
  assert.is(await rings(), 1)
})

test('each turn that asks gets its own ring', async () => {
  const { bell, endTurn, rings } = bellByHand()
  for (let turn = 0; turn < 3; turn++) {
    bell.ringSoon()
    endTurn()
  }
  assert.is(await rings(), 3)
})

test('closed in the turn that asked, it does not ring', () => {
  const { bell, endTurn } = bellByHand()
  let rung = 0
  bell.ring = () => void rung++
  bell.ringSoon()
  bell.close()
  endTurn()
  assert.is(rung, 0)
})

test.run()
