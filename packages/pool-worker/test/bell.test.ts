import { setImmediate } from 'node:timers/promises'
import { MessageChannel } from 'node:worker_threads'
import * as assert from 'uvu/assert'
import { localBells, PortBell } from '../src/bell.ts'
import { realWorld } from '../src/world.ts'
import { suite } from './kit/kit.ts'

const test = suite('doorbells')

const LAST = 'last'

/** A bell; `rings` tells how often it was rung until then. */
function bellOfPort(): { bell: PortBell; rings(): Promise<number> } {
  const { port1, port2 } = new MessageChannel()
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
  return { bell: new PortBell(port1), rings }
}

test('asked many times, it rings once when it is hurried', async () => {
  const { bell, rings } = bellOfPort()
  for (let time = 0; time < 5; time++) bell.ringSoon()
  bell.hurry()
  bell.hurry()
  assert.is(await rings(), 1)
})

test('asked and not hurried, it has not rung', async () => {
  const { bell, rings } = bellOfPort()
  bell.ringSoon()
  assert.is(await rings(), 0)
})

test('hurried without being asked, it does not ring', async () => {
  const { bell, rings } = bellOfPort()
  bell.hurry()
  assert.is(await rings(), 0)
})

test('each time that it is asked and hurried it rings', async () => {
  const { bell, rings } = bellOfPort()
  for (let turn = 0; turn < 3; turn++) {
    bell.ringSoon()
    bell.hurry()
  }
  assert.is(await rings(), 3)
})

test('closed after it was asked, it does not ring', () => {
  const { bell } = bellOfPort()
  let rung = 0
  bell.ring = () => void rung++
  bell.ringSoon()
  bell.close()
  bell.hurry()
  assert.is(rung, 0)
})

test('within one thread the shard is told at once that it is rung for, and calls the other side when its turn ends; closed, neither', async () => {
  const [callers, shards] = localBells(realWorld)
  const rung: string[] = []
  callers.listen(() => rung.push('caller'))
  shards.listen(() => rung.push('shard'))
  callers.ring()
  assert.equal(rung.splice(0), ['shard'])
  shards.endTurn()
  shards.ringSoon()
  shards.ringSoon()
  shards.hurry()
  assert.equal(rung, [])
  shards.endTurn()
  shards.endTurn()
  assert.equal(rung.splice(0), ['caller'])
  shards.ring()
  assert.equal(rung, [])
  await setImmediate()
  assert.equal(rung.splice(0), ['caller'])
  shards.ringSoon()
  shards.ring()
  callers.close()
  shards.endTurn()
  callers.ring()
  await setImmediate()
  assert.equal(rung, [])
})

test('within one thread the other side is called at once for what only one waits for, unless it is closed meanwhile', async () => {
  const [callers, shards] = localBells(realWorld)
  let [rung, alone] = [0, true]
  callers.listen(
    () => rung++,
    () => alone,
  )
  shards.ringSoon()
  assert.is(rung, 0, 'not before the callback is over')
  await Promise.resolve()
  assert.is(rung, 1)
  shards.endTurn()
  assert.is(rung, 1)
  alone = false
  shards.ringSoon()
  await Promise.resolve()
  assert.is(rung, 1)
  shards.endTurn()
  assert.is(rung, 2)
  alone = true
  shards.ringSoon()
  callers.close()
  await Promise.resolve()
  assert.is(rung, 2)
})

test.run()
