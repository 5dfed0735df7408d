/** The figures of one column as bars: an SVG that takes its colours from the page, and is as readable on a phone. */
import { init } from 'echarts'
import { readable } from '../measure/numbers.ts'
import { type Column, headingOf, isOwn, type Row } from './model.ts'

const WIDTH = 320
const ROW = 36
const BAR = 12

/** Draws column `index` of the rows that have it; undefined if none has. Thin lines show least and greatest. */
export function bars(rows: readonly Row[], column: Column, index: number): string | undefined {
  const shown = rows.flatMap(({ name, cells }) => {
    const cell = cells[index]
    return cell === undefined || !Number.isFinite(cell.median) ? [] : [{ name, cell }]
  })
  if (shown.length === 0) return undefined
  const labels = shown.map(({ name, cell }) => `${name}: ${readable(cell.median)}`)
  const height = shown.length * ROW + 4
  const drawing = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height })
  drawing.setOption({
    animation: false,
    grid: { left: 2, right: 8, top: 6, bottom: -2 },
    xAxis: { type: 'value', show: false, min: 0, max: Math.max(0, ...shown.map(({ cell }) => cell.max)) || 1 },
    yAxis: { type: 'category', show: false, inverse: true, data: shown.map(({ name }) => name) },
    series: [
      {
        type: 'bar',
        silent: true,
        barWidth: BAR,
        data: shown.map(({ name, cell }) => ({
          value: cell.median,
          itemStyle: { color: isOwn({ name }) ? 'var(--own)' : 'var(--other)' },
        })),
        label: {
          show: true,
          position: [0, -15],
          color: 'var(--text)',
          formatter: ({ dataIndex }: { readonly dataIndex: number }) => labels[dataIndex] ?? '',
        },
      },
      { type: 'custom', silent: true, z: 3, renderItem: rangeLine, data: shown.map(({ cell }, row) => [cell.min, cell.max, row]) },
    ],
  })
  const svg = drawing.renderToSVGString()
  drawing.dispose()
  const label = `${headingOf(column)}: ${labels.join('; ')}`
  return svg
    .replace(/<style[^>]*>[\s\S]*?<\/style>/g, '') // what it says about pointing with a mouse would hold for the whole page
    .replace(
      /^<svg [^>]*>/,
      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${attribute(label)}">`,
    )
}

/** What echarts gives a custom series for drawing. */
interface DrawingApi {
  value(dimension: number): number
  coord(point: readonly [number, number]): readonly [number, number]
}

function rangeLine(_: unknown, api: DrawingApi): object {
  const [from, y] = api.coord([api.value(0), api.value(2)])
  const [to] = api.coord([api.value(1), api.value(2)])
  return { type: 'line', shape: { x1: from, y1: y, x2: to, y2: y }, style: { stroke: 'var(--text)', lineWidth: 1 } }
}

function attribute(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')
}
