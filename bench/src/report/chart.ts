/** Bar charts side by side, as SVG. */
import { init } from 'echarts'

const PANEL = 230
const NAME_WIDTH = 7 // of a letter of a label
const HEAD = 132
const ROW = 34
const OURS = '#0f766e'
const OTHERS = '#94a3b8'

/** One bar chart: a bar for each label. */
export interface Panel {
  readonly title: string
  readonly unit: string
  /** NaN: no bar. */
  readonly values: readonly number[]
  /** What stands beside a bar. */
  readonly print: (value: number) => string
}

/** Draws the panels. `labels` name the bars, the same in each; those of Cenote stand out. */
export function chart(title: string, subtitle: string, labels: readonly string[], panels: readonly Panel[]): string {
  const names = Math.max(...labels.map((label) => label.length)) * NAME_WIDTH + 32
  const width = names + PANEL * panels.length
  const height = HEAD + ROW * labels.length + 24
  const drawing = init(null, null, { renderer: 'svg', ssr: true, width, height })
  const left = (index: number) => names + PANEL * index
  drawing.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    title: [
      { text: title, subtext: subtitle, left: 16, top: 8, textStyle: { fontSize: 16 } },
      ...panels.map((panel, index) => ({
        text: panel.title,
        subtext: panel.unit,
        left: left(index),
        top: 72,
        padding: 0,
        textStyle: { fontSize: 13 },
      })),
    ],
    grid: panels.map((_, index) => ({ left: left(index), width: PANEL * 0.65, top: HEAD, height: ROW * labels.length })),
    xAxis: panels.map((_, index) => ({ gridIndex: index, type: 'value', show: false, min: 0 })),
    yAxis: panels.map((_, index) => ({
      gridIndex: index,
      type: 'category',
      data: [...labels],
      inverse: true,
      axisTick: { show: false },
      axisLabel: { show: index === 0 },
    })),
    series: panels.map((panel, index) => ({
      type: 'bar',
      xAxisIndex: index,
      yAxisIndex: index,
      barWidth: '60%',
      data: panel.values.map((value, bar) => ({
        value: Number.isFinite(value) ? value : 0,
        itemStyle: { color: labels[bar]?.startsWith('Cenote') ? OURS : OTHERS },
      })),
      label: {
        show: true,
        position: 'right',
        formatter: ({ dataIndex }: { dataIndex: number }) => panel.print(panel.values[dataIndex] ?? Number.NaN),
      },
    })),
  })
  const svg = drawing.renderToSVGString()
  drawing.dispose()
  return svg
}
