import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { read, sources } from './support/docs.ts'

const test = suite('docs-errors')

const ERRORS = 'packages/pool-worker/src/errors.ts'

/** The codes that the type has. */
function codes(): string[] {
  const [, union = ''] = /export type PoolErrorCode =\n(.*?)\n\n/s.exec(read(ERRORS)) ?? []
  return [...union.matchAll(/^ {2}\| '(\w+)'$/gm)].map(([, code = '']) => code)
}

test('every code has one section of the page on errors, in the order of the type, and no section is for another', () => {
  const sections = [...read('docs/errors.md').matchAll(/^### `(\w+)`$/gm)].map(([, code]) => code)
  assert.ok(codes().length >= 21, 'the codes are found')
  assert.equal(sections, codes())
})

test('every code is one that something throws', () => {
  const union = /export type PoolErrorCode =\n.*?\n\n/s
  const all = sources().map((file) => (file === ERRORS ? read(file).replace(union, '') : read(file)))
  for (const code of codes())
    assert.ok(
      all.some((text) => text.includes(`'${code}'`)),
      code,
    )
})

test('every link to a code leads to its section', () => {
  const anchors = codes().map((code) => code.toLowerCase())
  const links = ['README.md', 'docs/options.md'].flatMap((file) =>
    [...read(file).matchAll(/errors\.md#(\w+)/g)].map(([, anchor = '']) => anchor),
  )
  assert.ok(links.length >= 10, 'the links are found')
  for (const anchor of links) assert.ok(anchors.includes(anchor), anchor)
})

test.run()
