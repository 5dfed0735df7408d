import type { OpenRequest, PoolError } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'
import { ManualWorld } from '../../pool-worker/test/kit/clock.ts'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { type ListedEndpoint, Site } from '../src/books/sites.ts'
import { ShardSlots, type Slot } from '../src/books/slots.ts'
import type { Link } from '../src/link.ts'
import { readOptions } from '../src/options.ts'
import { Preparing } from '../src/preparing.ts'
import { Numbers } from '../src/stats.ts'
import { Traces } from '../src/telemetry/traces.ts'
import { at, type Names, names, notFound } from './support/names.ts'

const test = suite('preparing')

const NAMED = 'tcp://db:1'
const BARE = 'tcp://127.0.0.1:1'

interface Rig {
  readonly clock: ManualWorld
  readonly world: Names
  readonly preparing: Preparing
  /** What the shard was told. */
  readonly opened: { readonly timeoutMs: number; readonly request: OpenRequest }[]
  readonly refused: PoolError[]
  open(): Slot
}

function rig(options: Readonly<Record<string, unknown>>, known: Readonly<Record<string, readonly string[]>> = { db: ['10.0.0.1'] }): Rig {
  const clock = new ManualWorld(5_000)
  const world = names(known, clock)
  const settings = readOptions(options)
  const [listed] = settings.endpoint as readonly ListedEndpoint[]
  if (listed === undefined) throw new Error('there is no endpoint')
  const site = new Site(listed, settings)
  const preparing = new Preparing(settings, world, new Traces('pool', world), new Numbers())
  const opened: Rig['opened'] = []
  const refused: PoolError[] = []
  const link = { open: (_slot: Slot, timeoutMs: number, request: OpenRequest) => opened.push({ timeoutMs, request }) } as unknown as Link // all that it is asked to do
  const open = (): Slot => {
    const home = new ShardSlots(0)
    const slot = home.take(site.cell(home))
    slot.state = 'opening'
    preparing.open(link, slot, (error) => refused.push(error))
    return slot
  }
  return { clock, world, preparing, opened, refused, open }
}

/** Credentials that come when the test says. */
function later(): { readonly credentials: () => Promise<object>; readonly asked: () => number; answer(credentials: object): void } {
  const answers: ((credentials: object) => void)[] = []
  return {
    credentials: () => new Promise<object>((resolve) => answers.push(resolve)),
    asked: () => answers.length,
    answer: (credentials) => answers.at(-1)?.(credentials),
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('an address without credentials goes to the shard at once, and no name is looked up', () => {
  const { world, opened, open } = rig({ endpoint: BARE })
  open()
  assert.is(opened.length, 1)
  assert.equal([opened[0]?.timeoutMs, opened[0]?.request.addresses], [5_000, undefined])
  assert.equal(world.asked, [])
})

test('the shard is told the addresses, how long the name took, and what is left of connectTimeoutMs', async () => {
  const { clock, world, opened, open } = rig({ endpoint: NAMED }, { db: ['10.0.0.1', '::1'] })
  world.hanging.add('db')
  open()
  clock.pass(1_200)
  world.hanging.clear()
  world.answer()
  await turn()
  assert.equal(opened[0]?.request.addresses, at('10.0.0.1', '::1'))
  assert.equal([opened[0]?.timeoutMs, opened[0]?.request.lookup], [3_800, 1_200_000])
  assert.is(clock.timers.length, 0)
})

test('with addresses that are known the shard is told at once, until a connect has failed', async () => {
  const { world, preparing, opened, open } = rig({ endpoint: NAMED })
  open()
  await turn()
  open()
  assert.equal([opened.length, opened[1]?.request.lookup], [2, undefined])
  assert.equal(opened[1]?.request.addresses, at('10.0.0.1'))
  world.known.set('db', at('10.0.0.2'))
  preparing.failed({ transport: 'tcp', host: 'db', port: 1 })
  open()
  await turn()
  assert.equal(opened[2]?.request.addresses, at('10.0.0.2'))
  assert.is(world.asked.length, 2)
})

test('credentials are asked for once the name is resolved, within the same time', async () => {
  const { credentials, asked, answer } = later()
  const { clock, world, opened, refused, open } = rig({ endpoint: NAMED, credentials })
  world.hanging.add('db')
  open()
  await turn()
  assert.is(asked(), 0)
  clock.pass(1_000)
  world.hanging.clear()
  world.answer()
  await turn()
  assert.is(asked(), 1)
  clock.pass(500)
  answer({ password: 'p' })
  await turn()
  assert.equal([opened[0]?.timeoutMs, opened[0]?.request.lookup], [3_500, 1_000_000])
  assert.is(opened[0]?.request.credentials?.password, 'p')
  assert.equal(refused, [])
})

test('what has not come in time is told, and asks for nothing more', async () => {
  const { credentials, asked, answer } = later()
  const { clock, world, opened, refused, open } = rig({ endpoint: NAMED, credentials })
  world.hanging.add('db')
  open()
  clock.pass(5_000)
  await turn()
  assert.is(refused[0]?.code, 'CONNECT_TIMEOUT')
  assert.equal([refused[0]?.phase, refused[0]?.outcome, refused[0]?.stalled], ['connect', 'not-sent', undefined])
  assert.match(refused[0]?.message ?? '', /within 5000 ms: the name has not been resolved$/)
  world.hanging.clear()
  world.answer()
  await turn()
  assert.is(asked(), 0)
  open()
  await turn()
  clock.pass(5_000)
  await turn()
  assert.match(refused[1]?.message ?? '', /within 5000 ms: credentials has not answered$/)
  answer({})
  await turn()
  assert.equal([opened.length, refused.length], [0, 2])
})

test('with connectTimeoutMs Infinity it waits as long as it takes', async () => {
  const { clock, world, opened, open } = rig({ endpoint: NAMED, connectTimeoutMs: Number.POSITIVE_INFINITY })
  world.hanging.add('db')
  open()
  assert.is(clock.timers.length, 0)
  clock.pass(10 ** 9)
  world.hanging.clear()
  world.answer()
  await turn()
  assert.is(opened[0]?.timeoutMs, Number.POSITIVE_INFINITY)
})

test('an answer that came while the calling thread stood still counts; one that did not is no fault of the server', async () => {
  const { clock, world, opened, refused, open } = rig({ endpoint: NAMED })
  open()
  clock.stall(6_000) // the answer is there, but nobody could look
  await turn()
  assert.equal([opened.length, refused.length], [1, 0])
  assert.is(opened[0]?.timeoutMs, 5_000)
  world.known.clear()
  clock.pass(30_000)
  world.hanging.add('db')
  open()
  clock.stall(6_000)
  await turn()
  assert.is(refused[0]?.stalled, 'main')
  assert.match(refused[0]?.message ?? '', /the calling thread stood still for 1000 ms/)
})

test('a name that is not found fails its connect as the system says', async () => {
  const { opened, refused, open } = rig({ endpoint: NAMED }, {})
  open()
  await turn()
  const [error] = refused
  assert.equal([error?.code, error?.phase, error?.outcome], ['CONNECT_FAILED', 'connect', 'not-sent'])
  assert.is(error?.message, 'cannot connect: getaddrinfo ENOTFOUND db')
  assert.equal({ ...(error?.cause as object) }, { ...notFound('db') })
  assert.equal(opened, [])
})

test('a slot that was taken away meanwhile is left alone, and so is the next connection in it', async () => {
  const { world, opened, refused, open } = rig({ endpoint: NAMED })
  world.hanging.add('db')
  const closing = open()
  const other = open()
  closing.state = 'closing'
  other.serial++
  world.hanging.clear()
  world.answer()
  await turn()
  assert.equal([opened, refused], [[], []])
})

test('once it is stopped, it waits no more for what does not come', async () => {
  const { credentials, answer } = later()
  const { clock, preparing, opened, refused, open } = rig({ endpoint: BARE, credentials })
  open()
  assert.is(clock.timers.length, 1)
  preparing.stop()
  assert.is(clock.timers.length, 0)
  answer({})
  await turn()
  assert.equal([opened, refused], [[], []])
})

test.run()
