/** The table of calls in flight. */
import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { CallTable } from '../src/calls.ts'

const test = suite('calls in flight')

test('a call is found by its id until it is removed, and how many there are is told', () => {
  const table = new CallTable<{ name: string }>()
  assert.is(table.size, 0)
  const [first, second] = [{ name: 'first' }, { name: 'second' }]
  const ids = [table.add(first), table.add(second)] as [number, number] // the table has room
  assert.equal([table.size, table.get(ids[0]), table.get(ids[1])], [2, first, second])
  table.remove(ids[0])
  table.remove(ids[0])
  assert.equal([table.size, table.get(ids[0]), table.get(ids[1])], [1, undefined, second])
})

test('a place that is used again has another id: the old one finds nothing, and removes nothing', () => {
  const table = new CallTable<{ name: string }>()
  const [first, second] = [{ name: 'first' }, { name: 'second' }]
  const old = table.add(first) ?? -1
  table.remove(old)
  const id = table.add(second) ?? -1
  assert.is.not(id, old)
  table.remove(old)
  assert.equal([table.size, table.get(old), table.get(id)], [1, undefined, second])
  assert.equal([...table], [second])
})

test.run()
