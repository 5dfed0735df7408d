import { CLOSE_REASONS, createRecorder, Noted, Recorder } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'
import { ManualWorld } from '../../pool-worker/test/kit/clock.ts'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { ShardSlots } from '../src/books/slots.ts'
import { readOptions } from '../src/options.ts'
import { shownOptions } from '../src/telemetry/dump.ts'
import { Flight } from '../src/telemetry/flight.ts'
import { Rig } from './books-rig.ts'

const test = suite('flight')

const wordsOf = (events: readonly { event: string; connection?: string; detail?: number | string }[]): string[] =>
  events.map(({ event, connection, detail }) => [event, connection, detail].filter((part) => part !== undefined).join(' '))

test("callers and the pool's own steps are kept apart, each with its time, its connection and what goes with it", () => {
  const world = new ManualWorld(1_000)
  const flight = new Flight(world)
  const slots = new ShardSlots(63)
  const cell = new Rig().site().cell(slots)
  let slot = slots.take(cell)
  while (slot.index < 65_535) slot = slots.take(cell)
  flight.caller('queued', undefined, 10_000)
  world.time = 1_250
  flight.caller('granted', slot, 250)
  flight.caller('queued', undefined, Number.POSITIVE_INFINITY)
  flight.pool('resized', 4)
  flight.pool('connect-failed', 0, slot)
  const { callers, pool, shards } = flight.read()
  assert.equal(wordsOf(callers), ['queued 10000', 'granted 63/65535/65536 250', `queued ${2 ** 31 - 1}`])
  assert.equal(wordsOf(pool), ['resized 4', 'connect-failed 63/65535/65536'])
  assert.equal(shards, [])
  assert.is((callers[1]?.at ?? 0) - (callers[0]?.at ?? 0), 250)
})

test('what a shard has noted is read in words, and that of its previous life until the next has ended too', () => {
  const flight = new Flight(new ManualWorld())
  const lives = [1, 2, 3].map((life) => {
    const memory = createRecorder(false)
    new Recorder(memory, 0).note(life, Noted.lost, life, 9, CLOSE_REASONS.indexOf('peer-end'))
    return memory
  })
  const told = (): string[] => flight.read().shards.flatMap(({ shard, life, events }) => [`${shard} ${life}`, ...wordsOf(events)])
  for (const [life, memory] of lives.entries()) {
    if (life > 0) flight.lost(5)
    flight.started(5, memory)
  }
  assert.equal(told(), ['5 previous', 'lost 5/2/9 peer-end', '5 present', 'lost 5/3/9 peer-end'])
  flight.lost(5)
  assert.equal(told(), ['5 previous', 'lost 5/3/9 peer-end'])
})

test('of the options those are shown that can hold no secret, as JSON has them', () => {
  const secret = 'canary'
  const settings = readOptions({
    endpoint: 'tls://[::1]:7',
    name: 'shown',
    credentials: { username: secret, password: secret },
    protocol: { reference: { builtin: 'resp', options: { password: secret } } },
    handlers: { url: `file:///${secret}.js` },
    tls: { passphrase: secret, servername: secret },
    worker: { env: { SECRET: secret }, execArgv: [`--${secret}`] },
    maxUses: Number.POSITIVE_INFINITY,
    retryBudget: { minPerSecond: Number.POSITIVE_INFINITY },
  })
  const shown = shownOptions(settings)
  assert.not.match(JSON.stringify(shown), secret)
  assert.equal(JSON.parse(JSON.stringify(shown)), shown)
  const { endpoint, name, maxUses, retryBudget, maxConnections, scheduling } = shown
  assert.equal([endpoint, name, maxUses, maxConnections, scheduling], ['tls://[::1]:7', 'shown', 'Infinity', 10, 'lifo'])
  assert.equal(retryBudget, { ratio: 0.2, minPerSecond: 'Infinity' })
})

test.run()
