/** docs/options.md as the tests read it: one section for each option, in words that a test can hold against the table. */
import { read } from './docs.ts'

/** What the page says of an option, or of a field of one: `backoff.initialMs`. */
export interface Told {
  readonly name: string
  /** In words; 'required' for one that has no default. */
  readonly otherwise: string
  /** In words. */
  readonly takes: string
}

/** Which fields the page names under a heading, or of an option that is an object. */
export interface Fields {
  readonly of: string
  readonly names: readonly string[]
}

const PAGE = 'docs/options.md'
const HEADED = /^### (.+)\n\n/
const OPTION = /^`(\w+)`$/
const FIRST_LINE = /^(?:Default: (.+?)|(Required))\. Takes: (.+?)\.\n/
const FIELD_LINE = /^- ((?:`\w+`(?:, )?)+): /gm
const FIELD_VALUES = /^- `(\w+)`: default (.+?); takes (.+?)\.(?= |$)/gm

function sections(): [heading: string, text: string][] {
  return read(PAGE)
    .split(/^(?=##+ )/m)
    .flatMap((section): [string, string][] => {
      const [start = '', heading] = HEADED.exec(section) ?? []
      return heading === undefined ? [] : [[heading, section.slice(start.length)]]
    })
}

/** Every option that has a section, in order; one that has two comes twice. */
export function optionsTold(): Told[] {
  return sections().flatMap(([heading, text]) => {
    const name = OPTION.exec(heading)?.[1]
    if (name === undefined) return []
    const [, otherwise, required, takes] = FIRST_LINE.exec(text) ?? []
    if (takes === undefined) throw new Error(`${PAGE}: ${name} does not begin with 'Default: ….' or 'Required.', and 'Takes: ….'`)
    return [{ name, otherwise: otherwise ?? String(required).toLowerCase(), takes }]
  })
}

/** The fields of options that are objects, where the page tells their defaults and ranges. */
export function fieldsTold(): Told[] {
  return sections().flatMap(([heading, text]) =>
    [...text.matchAll(FIELD_VALUES)].map(([, field, otherwise = '', takes = '']) => ({
      name: `${OPTION.exec(heading)?.[1]}.${field}`,
      otherwise,
      takes,
    })),
  )
}

/** The fields that each section lists, whatever it says of them; of options by their name, else by the heading. */
export function listsTold(): Fields[] {
  return sections().flatMap(([heading, text]) => {
    const names = [...text.matchAll(FIELD_LINE)].flatMap(([, list = '']) => list.split(', ').map((each) => each.replaceAll('`', '')))
    return names.length === 0 ? [] : [{ of: OPTION.exec(heading)?.[1] ?? heading, names }]
  })
}
