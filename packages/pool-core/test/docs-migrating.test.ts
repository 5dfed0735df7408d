import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { OPTION_NAMES } from '../src/options.ts'
import { read } from './support/docs.ts'
import { LIBRARIES, refusal } from './support/libraries.ts'

const test = suite('docs-migrating')

/** A row of a table: the words between backticks of their cell, and ours as it stands. */
interface Row {
  readonly theirs: readonly string[]
  readonly ours: string
}

const words = (cell: string): string[] => [...cell.matchAll(/`(\w+)`/g)].map(([, word = '']) => word)

/** What the page tells of a library's options: the rows of the table whose head names it. */
function told(library: string): readonly Row[] {
  const tables = read('docs/migrating.md')
    .split('\n\n')
    .filter((part) => part.startsWith('|'))
    .map((part) =>
      part.split('\n').map((line) =>
        line
          .slice(1, -1)
          .split('|')
          .map((cell) => cell.trim()),
      ),
    )
  for (const [head = [], , ...rows] of tables) {
    const column = head.indexOf(library)
    if (column < 0 || head.at(-1) !== 'option') continue
    return rows.map((cells) => {
      const cell = cells[column] ?? ''
      const theirs = words(cell === 'the same' ? (cells[0] ?? '') : cell)
      return { theirs, ours: cells.at(-1) ?? '' }
    })
  }
  throw new Error(`${library} has no table`)
}

const WITH_PAGE = ['generic-pool', 'tarn', 'pg-pool', 'pg', 'undici']

for (const { library, names, shared = '' } of LIBRARIES) {
  const [name = ''] = library.split(' ')
  if (!WITH_PAGE.includes(name)) continue
  const rows = told(name === 'pg' ? 'pg-pool' : name)

  test(`docs/migrating.md has every option of ${name}, once`, () => {
    const there = rows.flatMap(({ theirs }) => theirs)
    for (const option of `${names} ${shared}`.trim().split(' ')) assert.is(there.filter((word) => word === option).length, 1, option)
  })

  test(`docs/migrating.md answers an option of ${name} as createPool does`, () => {
    const ours: readonly string[] = OPTION_NAMES
    for (const { theirs, ours: answer } of rows)
      for (const option of theirs) {
        if (ours.includes(option)) {
          assert.match(answer, /^the same/, option)
          continue
        }
        const [, named, why] = /is unknown here(?:; Cenote's is (\S+)|, and Cenote has none: (.*))/.exec(refusal(option)) ?? []
        if (named !== undefined) assert.ok(answer.includes(named.replace(/\(.*$/, '')), `${option}: ${named}, not ${answer}`)
        else assert.ok(why !== undefined && answer.startsWith('none'), `${option}: ${answer}`)
        for (const [call] of why?.matchAll(/\w+(?:\.\w+)?\([^)]*\)/g) ?? [])
          assert.ok(answer.includes(call), `${option}: ${call}, not ${answer}`)
      }
  })
}

test.run()
