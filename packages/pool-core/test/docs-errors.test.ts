import { posix } from 'node:path'
import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { markdownFiles, read, sources } from './support/docs.ts'
import { errorCodes } from './support/surface.ts'

const test = suite('docs-errors')

const ERRORS = 'packages/pool-worker/src/errors.ts'

/** The anchors of a page's headings, as its links name them. */
function anchors(file: string): string[] {
  return [...read(file).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

test('every code has one section in docs/errors.md, and no section is for another', () => {
  const told = [...read('docs/errors.md').matchAll(/^### `(\w+)`$/gm)].map(([, code = '']) => code)
  assert.ok(errorCodes().length > 15, 'the codes are found')
  assert.equal(told.sort(), errorCodes().sort())
})

test('every code is thrown somewhere', () => {
  const code = sources()
    .filter((file) => file !== ERRORS)
    .map(read)
    .join('\n')
    .replaceAll(/[!=]== '\w+'/g, '') // who asks for a code does not throw it
    .replaceAll('throw badOption(', "'BAD_OPTION'") // which is made beside the codes
  assert.equal(
    errorCodes().filter((name) => !code.includes(`'${name}'`)),
    [],
  )
})

test('every link between the pages leads somewhere', () => {
  const pages = markdownFiles().filter((file) => file === 'README.md' || file.startsWith('docs/'))
  const folder = (file: string): string => (file.includes('/') ? `${file.slice(0, file.lastIndexOf('/'))}/` : '')
  const links = pages.flatMap((file) =>
    [...read(file).matchAll(/\]\(([\w./-]*\.md)?(?:#([\w-]+))?\)/g)].map(([, page, anchor]) => ({
      from: file,
      to: page === undefined ? file : posix.normalize(folder(file) + page),
      anchor,
    })),
  )
  assert.ok(links.length > 10, 'the links are found')
  for (const { from, to, anchor } of links) {
    assert.not.throws(() => read(to), undefined, `${from}: ${to}`)
    if (anchor !== undefined) assert.ok(anchors(to).includes(anchor), `${from}: ${to}#${anchor}`)
  }
})

test.run()
