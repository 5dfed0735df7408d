import * as assert from 'uvu/assert'
import { ManualWorld } from '../../pool-worker/test/kit/clock.ts'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { nameIn, Resolver } from '../src/resolver.ts'
import { Numbers } from '../src/stats.ts'
import { at, type Names, names, notFound } from './support/names.ts'

const test = suite('resolver')

interface Rig {
  readonly clock: ManualWorld
  readonly world: Names
  readonly numbers: Numbers
  readonly resolver: Resolver
}

function rig(known: Readonly<Record<string, readonly string[]>>, lookupTtlMs = 1_000): Rig {
  const clock = new ManualWorld(5_000)
  const world = names(known, clock)
  const numbers = new Numbers()
  return { clock, world, numbers, resolver: new Resolver({ lookupTtlMs }, world, numbers) }
}

const messageOf = (asked: Promise<unknown>): Promise<unknown> =>
  asked.then(
    () => assert.unreachable('it was found'),
    (error: unknown) => (error instanceof Error ? error.message : error),
  )

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('a host is a name or an address; a path is neither', () => {
  assert.is(nameIn({ transport: 'tcp', host: 'Db.Example', port: 1 }), 'db.example')
  assert.is(nameIn({ transport: 'tls', host: 'localhost', port: 1, servername: 'x' }), 'localhost')
  for (const host of ['127.0.0.1', '::1', 'fe80::1']) assert.is(nameIn({ transport: 'tcp', host, port: 1 }), undefined)
  assert.is(nameIn({ transport: 'unix', path: '/a' }), undefined)
})

test('who asks while a name is looked up gets the same answer: all its addresses', async () => {
  const { world, numbers, resolver } = rig({ db: ['10.0.0.1', '::1'] })
  const answers = await Promise.all([resolver.ask('db'), resolver.ask('db'), resolver.ask('db')])
  for (const answer of answers) assert.equal(answer, at('10.0.0.1', '::1'))
  assert.equal(world.asked, ['db'])
  assert.is(numbers.lookups, 1)
})

test('addresses are known for lookupTtlMs from when they were found, then no more', async () => {
  const { clock, world, resolver } = rig({ db: ['10.0.0.1'] })
  assert.is(resolver.known('db'), undefined)
  world.hanging.add('db')
  const asked = resolver.ask('db')
  clock.pass(700)
  assert.is(resolver.known('db'), undefined)
  world.hanging.clear()
  world.answer()
  await asked
  clock.pass(999)
  assert.equal(resolver.known('db'), at('10.0.0.1'))
  clock.pass(1)
  assert.is(resolver.known('db'), undefined)
  world.known.set('db', at('10.0.0.2'))
  assert.equal(await resolver.ask('db'), at('10.0.0.2'))
  assert.equal(resolver.known('db'), at('10.0.0.2'))
})

test('with lookupTtlMs Infinity they are known for ever, unless they are forgotten', async () => {
  const { clock, resolver } = rig({ db: ['10.0.0.1'] }, Number.POSITIVE_INFINITY)
  await resolver.ask('db')
  clock.pass(10 ** 12)
  assert.equal(resolver.known('db'), at('10.0.0.1'))
  resolver.forget('db')
  assert.is(resolver.known('db'), undefined)
})

test('a failure reaches all who asked, as it is, and is not kept', async () => {
  const { world, numbers, resolver } = rig({})
  const missed = await Promise.all([resolver.ask('db'), resolver.ask('db')].map(messageOf))
  assert.equal(missed, [notFound('db').message, notFound('db').message])
  assert.is(resolver.known('db'), undefined)
  world.known.set('db', at('10.0.0.1'))
  assert.equal(await resolver.ask('db'), at('10.0.0.1'))
  assert.is(numbers.lookups, 2)
})

test('two names at a time are looked up, the others in the order in which they were asked for; a failure gives its place on as well', async () => {
  const { world, resolver } = rig({ a: ['10.0.0.1'], c: ['10.0.0.3'], d: ['10.0.0.4'] })
  for (const name of ['a', 'b', 'c', 'd']) world.hanging.add(name)
  const answers = ['a', 'b', 'c', 'd'].map((name) => resolver.ask(name).catch((error: Error) => error.message))
  await turn()
  assert.equal(world.asked, ['a', 'b'])
  world.hanging.delete('b')
  world.answer()
  await turn()
  assert.equal(world.asked, ['a', 'b', 'c'])
  world.hanging.clear()
  world.answer()
  assert.equal(await Promise.all(answers), [at('10.0.0.1'), notFound('b').message, at('10.0.0.3'), at('10.0.0.4')])
  assert.is(world.most, 2)
  await Promise.all(['a', 'c'].map((name) => resolver.ask(name)))
  assert.is(world.most, 2)
  await resolver.ask('d')
  assert.is(world.asked.length, 7)
})

test.run()
