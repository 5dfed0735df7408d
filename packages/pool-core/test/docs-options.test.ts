import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { checkReleaseOptions, OPTION_NAMES, readOptions } from '../src/options.ts'
import { defaultOf, ENDPOINT, quantity } from './support/defaults.ts'
import { read } from './support/docs.ts'
import { fieldsTold, listsTold, optionsTold, type Told } from './support/options-page.ts'
import { refusalOf } from './support/refusals.ts'

const test = suite('docs-options')

const options = optionsTold()
const fields = fieldsTold()
const lists = new Map(listsTold().map((list) => [list.of, list.names]))

const MAX_MS = 2 ** 31 - 1

/** What has to be given with a value so that it contradicts nothing. */
const BESIDES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'backoff.maxMs': { backoff: { initialMs: Number.MIN_VALUE } },
  maxShardStallMs: { shardStallMs: Number.MIN_VALUE },
  'ejection.maxMs': { ejection: { baseMs: Number.MIN_VALUE } },
}

/** Those that no range can be told of: their sections tell them in words alone. */
const WORDS_ALONE = ['endpoint', 'credentials', 'protocol', 'handlers']

/** Option objects of calls, by the heading of their section and where their type stands. */
const CALLS: readonly (readonly [heading: string, type: string, file: string])[] = [
  ['Options of `pool.acquire` and `pool.use`', 'AcquireOptions', 'call-options.ts'],
  ['Options of `pool.request`', 'RequestOptions', 'call-options.ts'],
  ["Options of a handler's call", 'HandlerOptions', 'call-options.ts'],
  ['Options of `lease.request` and `pool.ready`', 'WaitOptions', 'call-options.ts'],
  ['Options of `pool.close`', 'CloseOptions', 'call-options.ts'],
  ['Options of `pool.resize`', 'ResizeOptions', 'option-types.ts'],
]

/** Values that a text about a range promises to be taken, and to be refused. Undefined: the text is not of the grammar. */
function promisesOf(takes: string): { readonly good: readonly unknown[]; readonly bad: readonly unknown[] } | undefined {
  const [, range = '', infinity] = /^(.*?)(, or Infinity)?$/.exec(takes) ?? []
  const ends = infinity === undefined ? { good: [], bad: [Infinity] } : { good: [Infinity], bad: [] }
  const [, kind = '', from = '', to] =
    /^(a whole number|a number|a power of two|a text of) (?:from )?(\S+(?: KiB)?) (?:up|to (.+?))( characters)?$/.exec(range) ?? []
  const min = quantity(from)
  const max = to === undefined ? undefined : quantity(to)
  if (/^milliseconds(, at most [\d,]+)?$/.test(range)) {
    const most = quantity(range.split('at most ')[1] ?? '') ?? MAX_MS
    return { good: [Number.MIN_VALUE, 0.5, most, ...ends.good], bad: [0, -1, most + 1, Number.NaN, ...ends.bad] }
  }
  if (range === 'true or false') return { good: [true, false], bad: [0, 1, 'true', ...ends.bad] }
  if (/^`'[\w-]+'`((, `'[\w-]+'`)* or `'[\w-]+'`)$/.test(range)) {
    const texts = [...range.matchAll(/'([\w-]+)'/g)].map(([, text]) => text)
    return { good: texts, bad: ['', `${texts[0]}x`, ...ends.bad] }
  }
  if (min === undefined || (to !== undefined && max === undefined)) return undefined
  if (kind === 'a text of') return { good: ['x'.repeat(min), 'x'.repeat(max ?? min)], bad: ['', 'x'.repeat((max ?? min) + 1)] }
  const beyond = max === undefined ? [] : kind === 'a power of two' ? [max * 2] : [max + 1]
  const below = kind === 'a power of two' ? [min / 2, min + 1] : kind === 'a whole number' ? [min - 1, min + 0.5] : [min - 0.5]
  return { good: [min, max ?? Number.MAX_SAFE_INTEGER, ...ends.good], bad: [...below, ...beyond, Number.NaN, ...ends.bad] }
}

/** Reads the options with one value for a name such as `maxIdle` or `backoff.factor`. */
function give(name: string, value: unknown): void {
  const [option = '', field] = name.split('.')
  const besides = BESIDES[name] ?? {}
  const given = field === undefined ? value : { ...Object(besides[option]), [field]: value }
  readOptions({ endpoint: ENDPOINT, maxConnections: 65_536, ...besides, [option]: given })
}

/** The fields that an object of options may have, as the code says when it is given another. */
function fieldsKnown(action: (unknown: object) => unknown): string[] {
  const [, known = ''] = /known are (.*)$/.exec(refusalOf(() => action({ '?': 1 }))) ?? []
  return known.split(', ').sort()
}

/** The fields of an interface, those that it inherits included. */
function fieldsOfType(name: string, file: string): string[] {
  const [, parent, body = ''] =
    new RegExp(`^export interface ${name}(?: extends (\\w+))? \\{\n(.*?)^\\}`, 'ms').exec(read(`packages/pool-core/src/${file}`)) ?? []
  const own = [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, field = '']) => field)
  return [...own, ...(parent === undefined ? [] : fieldsOfType(parent, file))].sort()
}

test('every option has one section, and no section is for another name', () => {
  assert.equal(options.map(({ name }) => name).sort(), [...OPTION_NAMES].sort())
})

for (const { name, otherwise } of [...options, ...fields]) {
  test(`the default of ${name} is the one told`, () => {
    const settings = readOptions({ endpoint: ENDPOINT })
    const value = name.split('.').reduce((whole: unknown, part) => Object(whole)[part], settings)
    assert.equal(defaultOf(name, otherwise, settings), value)
  })
}

for (const { name, takes } of [...options, ...fields].filter(ranged)) {
  test(`the range told of ${name} is the one that is enforced`, () => {
    const promises = promisesOf(takes)
    if (promises === undefined) throw new Error(`the test cannot read: ${takes}`)
    for (const value of promises.good)
      assert.is(
        refusalOf(() => give(name, value)),
        '',
        `${name}: ${String(value)}`,
      )
    for (const value of promises.bad)
      assert.match(
        refusalOf(() => give(name, value)),
        new RegExp(`^${name}: `),
        `${name}: ${String(value)}`,
      )
  })
}

for (const { name } of options.filter(({ takes }) => takes.startsWith('an object'))) {
  test(`the fields told of ${name} are those that exist`, () => {
    assert.equal(
      [...(lists.get(name) ?? [])].sort(),
      fieldsKnown((unknown) => readOptions({ endpoint: ENDPOINT, [name]: unknown })),
    )
  })
}

for (const [heading, type, file] of CALLS) {
  test(`${heading}: those that exist`, () => {
    assert.equal([...(lists.get(heading) ?? [])].sort(), fieldsOfType(type, file))
  })
}

test('Options of `lease.release`: those that exist', () => {
  assert.equal(
    [...(lists.get('Options of `lease.release`') ?? [])].sort(),
    fieldsKnown((unknown) => checkReleaseOptions(unknown, 'options')),
  )
})

test('a text about a range that says something else than the code is found out', () => {
  assert.is(promisesOf('a whole number of some size'), undefined)
  assert.equal(promisesOf('a whole number from 1 to 4 KiB')?.good, [1, 4096])
  assert.equal(promisesOf('a power of two from 4 KiB to 8 KiB, or Infinity')?.bad, [2048, 4097, 16_384, Number.NaN])
  assert.equal(promisesOf("`'a'`, `'b'` or `'c'`")?.good, ['a', 'b', 'c'])
})

/** Whether the text tells a range, or ought to. */
function ranged({ name, takes }: Told): boolean {
  return !takes.startsWith('an object') && !WORDS_ALONE.includes(name)
}

test.run()
