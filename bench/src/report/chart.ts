/** Bar charts side by side, as SVG. */
import { init } from 'echarts'

const PANEL = 340
const HEIGHT = 360
const COLORS = ['#0f766e', '#b45309', '#64748b']

/** One bar chart: a bar for each label. */
export interface Panel {
  readonly title: string
  readonly unit: string
  readonly values: readonly number[]
  /** What stands above a bar. */
  readonly print: (value: number) => string
}

/** Draws the panels. `labels` name the bars, the same in each. */
export function chart(title: string, subtitle: string, labels: readonly string[], panels: readonly Panel[]): string {
  const width = PANEL * panels.length
  const drawing = init(null, null, { renderer: 'svg', ssr: true, width, height: HEIGHT })
  const share = (index: number) => `${((index + 0.14) / panels.length) * 100}%`
  drawing.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    title: [
      { text: title, subtext: subtitle, left: 16, top: 8, textStyle: { fontSize: 16 } },
      ...panels.map((panel, index) => ({
        text: panel.title,
        subtext: panel.unit,
        left: share(index),
        top: 64,
        textStyle: { fontSize: 13 },
      })),
    ],
    grid: panels.map((_, index) => ({ left: share(index), width: `${76 / panels.length}%`, top: 132, bottom: 48 })),
    xAxis: panels.map((_, index) => ({ gridIndex: index, type: 'category', data: [...labels], axisTick: { show: false } })),
    yAxis: panels.map((_, index) => ({ gridIndex: index, type: 'value', show: false, min: 0 })),
    series: panels.map((panel, index) => ({
      type: 'bar',
      xAxisIndex: index,
      yAxisIndex: index,
      barWidth: '55%',
      data: panel.values.map((value, bar) => ({ value, itemStyle: { color: COLORS[bar % COLORS.length] } })),
      label: {
        show: true,
        position: 'top',
        formatter: ({ dataIndex }: { dataIndex: number }) => panel.print(panel.values[dataIndex] ?? 0),
      },
    })),
  })
  const svg = drawing.renderToSVGString()
  drawing.dispose()
  return svg
}
