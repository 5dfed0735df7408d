/** The report as one page of HTML that needs no other file. */
import { readable } from '../measure/numbers.ts'
import { bars } from './bars.ts'
import { headline, machinesOf, measuredWhere } from './facts.ts'
import {
  type Aim,
  allAims,
  type Drawing,
  goalOf,
  headingOf,
  isOwn,
  type Part,
  type Row,
  rangeOf,
  type Section,
  verdictOf,
} from './model.ts'
import type { Results } from './read.ts'
import { STYLE } from './style.ts'

/** The whole page. Everything that comes from a result file is escaped. */
export function htmlReport({ sections, leftOut }: Results): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Cenote: benchmark report</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Cenote: benchmark report</h1>
${machinesOf(sections)
  .map((machine) => `<p>${escaped(machine)}</p>`)
  .join('\n')}
<p>${escaped(headline(sections))}</p>
${aimTable(allAims(sections).map(({ section, place, aim }) => aimHtml(aim, `<a href="#${escaped(section.id)}">${escaped(place)}</a>: `)))}
${listOf(leftOut.map(({ file, why }) => `Left out: ${file}: ${why}`))}
${sections.map(sectionHtml).join('\n')}
</body>
</html>
`
}

/** Makes a text safe anywhere in HTML, attributes in quotes too. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;')
}

function sectionHtml(section: Section): string {
  return `<section id="${escaped(section.id)}">
<h2>${escaped(section.title)}</h2>
<p>${escaped(section.about)}</p>
<p class="soft">${escaped(`${section.settings}. ${measuredWhere(section)}`)}</p>
${section.parts.map((part) => partHtml(part, section)).join('\n')}
</section>`
}

function partHtml(part: Part, section: Section): string {
  const charts = part.columns.flatMap((column, index) => {
    const svg = bars(part.rows, column, index)
    const caption = `${headingOf(column)} – ${column.better} is better`
    return svg === undefined ? [] : [`<figure><figcaption>${escaped(caption)}</figcaption>${svg}</figure>`]
  })
  return `<h3>${escaped(part.title)}</h3>
${listOf(part.missing.map(({ name, why }) => `Missing: ${name}: ${why}`))}
${aimTable(part.aims.map((aim) => aimHtml(aim)))}
<div class="bars">
${charts.join('\n')}
</div>
${part.drawings.map(drawingHtml).join('\n')}
<div class="scroll">${figureTable(part)}</div>
${listOf([...part.notes, ...commitNote(section)])}`
}

/** Files with code that no commit holds cannot be measured again. */
function commitNote({ environment: { commit } }: Section): string[] {
  return commit?.endsWith('+') ? ['Measured with changes that the commit does not hold.'] : []
}

function figureTable({ columns, rows }: Part): string {
  const heading = columns.map((column) => `<th scope="col">${escaped(headingOf(column))}</th>`).join('')
  return `<table><thead><tr><th></th>${heading}</tr></thead><tbody>${rows.map(rowHtml).join('')}</tbody></table>`
}

function rowHtml(row: Row): string {
  const cells = row.cells.map((cell) => {
    if (cell === undefined) return '<td>–</td>'
    const range = rangeOf(cell)
    return `<td>${escaped(readable(cell.median))}${range === '' ? '' : `<span class="soft">${escaped(range)}</span>`}</td>`
  })
  return `<tr${isOwn(row) ? ' class="own"' : ''}><th scope="row">${escaped(row.name)}</th>${cells.join('')}</tr>`
}

function aimTable(rows: readonly string[]): string {
  if (rows.length === 0) return ''
  const heading = ['', 'measured', 'to reach', '', 'goal', 'limit'].map((title) => `<th scope="col">${title}</th>`).join('')
  return `<table class="aims"><thead><tr>${heading}</tr></thead>\n<tbody>${rows.join('\n')}</tbody></table>`
}

/** One line; `place` is HTML that goes before it. */
function aimHtml(aim: Aim, place = ''): string {
  const verdict = verdictOf(aim)
  const range = aim.range === undefined || aim.range === '' ? '' : ` <span class="soft">${escaped(aim.range)}</span>`
  const why = aim.unmeasured === undefined ? '' : ` <span class="soft">${escaped(aim.unmeasured)}</span>`
  return `<tr><th scope="row">${place}${escaped(aim.text)}</th>
<td data-is="measured">${escaped(aim.value ?? 'not measured')}${range}${why}</td>
<td data-is="to reach">${escaped(aim.reach ?? '–')}</td>
<td class="${verdict}">${verdict === 'goal only' ? '' : verdict}</td>
<td data-is="goal">${escaped(goalOf(aim))}</td>
<td data-is="limit">${escaped(aim.limit ?? '')}</td></tr>`
}

/** A picture is a document of its own: nothing in it can act on the page. */
function drawingHtml({ title, svg }: Drawing): string {
  return `<div class="drawing"><img alt="${escaped(title)}" src="data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}"></div>`
}

function listOf(lines: readonly string[]): string {
  return lines.length === 0 ? '' : `<ul class="soft">${lines.map((line) => `<li>${escaped(line)}</li>`).join('')}</ul>`
}
