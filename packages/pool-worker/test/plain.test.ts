/** Plain values: whatever goes into a frame comes out as its clone would. */
import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { isPlain, packPlain, unpackPlain } from '../src/plain.ts'
import { transfer } from '../src/transfer.ts'
import { suite } from './kit/kit.ts'

const test = suite('plain values')

function crossed(value: unknown): unknown {
  const bytes = packPlain(value)
  return unpackPlain(Buffer.concat([Buffer.from('before'), bytes]), 6, 6 + bytes.length)
}

test('whatever counts as plain comes out of a frame as it comes out of a clone', () => {
  const text = fc.string({ unit: 'binary' })
  const leaf = fc.oneof(text, fc.double(), fc.integer(), fc.boolean(), fc.constantFrom(null, undefined, -0, '\ud800', '__proto__'))
  const flat = fc.oneof(
    leaf,
    fc.array(leaf),
    fc.dictionary(fc.oneof(text, fc.constantFrom('__proto__', 'toJSON')), leaf, { noNullPrototype: true }),
  )
  let plain = 0
  void fc.assert(
    fc.property(fc.oneof(flat, fc.anything()), (value) => {
      if (!isPlain(value)) return
      plain++
      assert.equal(crossed(value), structuredClone(value))
    }),
    { numRuns: 5_000 },
  )
  assert.ok(plain > 1_000, `${plain} of them were plain`)
})

test('small plain values are plain', () => {
  for (const value of [undefined, null, true, '', 'text', 'ü€😀', 0, -1.5, [], [1, 'a', null], {}, { orders: 3, best: 'x', none: null }])
    assert.ok(isPlain(value), JSON.stringify(value))
})

test('what JSON would change, or a clone would refuse, is not plain', () => {
  class Point {
    x = 1
  }
  const shared = { a: 1 }
  const holes = [1, 2, 3]
  delete holes[1]
  const holed = Object.assign([1, 2], { extra: 3 }) // as many keys as entries
  delete holed[0]
  const buffer = new ArrayBuffer(8)
  const values = [
    ...[-0, Number.NaN, Number.POSITIVE_INFINITY, 1n, Symbol('s'), () => 1],
    ...[new Date(0), new Map(), new Error('e'), Buffer.from('b'), buffer, new Point(), Object.create(null), new String('s')],
    ...[[shared, shared], { a: shared }, [undefined], { a: undefined }, { a: -0 }, holes, holed, Object.assign([1], { extra: 2 })],
    ...[{ toJSON: 1 }, new Proxy({ a: 1 }, {}), transfer({ a: 1 }, [buffer]), 'x'.repeat(1_025), { ['k'.repeat(1_025)]: 1 }],
    Array.from({ length: 33 }, (_, index) => index),
  ]
  for (const value of values) assert.not.ok(isPlain(value), String(typeof value))
})

test.run()
