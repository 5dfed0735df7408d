/** The report in Markdown. */
import { readable } from '../measure/numbers.ts'
import { headline, machinesOf, measuredWhere } from './facts.ts'
import { type Aim, allAims, goalOf, headingOf, type Part, rangeOf, type Section, verdictOf } from './model.ts'
import type { Results } from './read.ts'

/** The whole text. It says nothing of the machine's name, or of where anything lies on it. */
export function markdownReport({ sections, leftOut }: Results): string {
  const lines = [
    '# Cenote: benchmark report',
    '',
    ...machinesOf(sections).map((machine) => `${escaped(machine)}.  `),
    headline(sections),
    ...aimLines(allAims(sections).map(({ place, aim }) => aimRow(aim, `${place}: `))),
    ...list(leftOut.map(({ file, why }) => `Left out: ${file}: ${why}`)),
    ...sections.flatMap(sectionLines),
  ]
  return `${lines.join('\n')}\n`
}

/** Keeps a text from being read as markup: of a table, of HTML, of emphasis. */
function escaped(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .replace(/[\\`*_[\]|]/g, (mark) => `\\${mark}`)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
}

function sectionLines(section: Section): string[] {
  const changed = section.environment.commit?.endsWith('+') ? ' Changes that the commit does not hold were in place.' : ''
  return [
    '',
    `## ${escaped(section.title)}`,
    '',
    `${escaped(section.about)}; ${escaped(section.settings)}.  `,
    escaped(measuredWhere(section) + changed),
    ...section.parts.flatMap(partLines),
  ]
}

function partLines(part: Part): string[] {
  const heading = ['', ...part.columns.map(headingOf)]
  const rows = part.rows.map(({ name, cells }) => [
    name,
    ...cells.map((cell) => (cell === undefined ? '–' : [readable(cell.median), bracketed(rangeOf(cell))].filter(Boolean).join(' '))),
  ])
  return [
    '',
    `### ${escaped(part.title)}`,
    ...table(heading, rows),
    ...aimLines(part.aims.map((aim) => aimRow(aim))),
    ...list([...part.missing.map(({ name, why }) => `Missing: ${name}: ${why}`), ...part.notes]),
  ]
}

function aimLines(rows: readonly (readonly string[])[]): string[] {
  return rows.length === 0 ? [] : table(['', 'measured', 'to reach', '', 'goal', 'limit'], rows)
}

function aimRow(aim: Aim, place = ''): string[] {
  const verdict = verdictOf(aim)
  const measured = aim.value === undefined ? (aim.unmeasured ?? '–') : `${aim.value} ${bracketed(aim.range ?? '')}`.trim()
  return [`${place}${aim.text}`, measured, aim.reach ?? '–', verdict === 'goal only' ? '' : verdict, goalOf(aim), aim.limit ?? '']
}

function bracketed(text: string): string {
  return text === '' ? '' : `(${text})`
}

function table(heading: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.map(escaped).join(' | ')} |`
  return ['', line(heading), `|${heading.map((_, column) => (column === 0 ? ' --- |' : ' ---: |')).join('')}`, ...rows.map(line)]
}

function list(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', ...lines.map((line) => `- ${escaped(line)}`)]
}
