/** Small charts in characters. Pure. */

const BLOCKS = '▁▂▃▄▅▆▇█'
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const
const STEPS = [1, 2, 5] as const

/** A row of blocks, each as high as its value in relation to the greatest; as many as fit into `width`, the greatest of each group. */
export function sparkline(values: readonly number[], width: number): string {
  const groups = Math.min(width, values.length)
  const highest = Math.max(0, ...values)
  const blocks = Array.from({ length: groups }, (_, group) => {
    const [start, end] = [group, group + 1].map((edge) => Math.floor((edge * values.length) / groups))
    const value = Math.max(0, ...values.slice(start, end))
    return BLOCKS[highest === 0 ? 0 : Math.min(BLOCKS.length - 1, Math.floor((value / highest) * BLOCKS.length))]
  })
  return blocks.join('')
}

/** A bar of so many characters for a share of 1, to an eighth of one. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8)
  return '█'.repeat(eighths >> 3) + EIGHTHS[eighths & 7]
}

/** The numbers 1, 2, 5, 10, 20 … in their powers of ten, from the last one that is not above `min` to the first not below `max`. */
export function edges(min: number, max: number): number[] {
  const all: number[] = []
  for (let power = Math.floor(Math.log10(min)); ; power++)
    for (const step of STEPS) {
      const edge = Number(`${step}e${power}`)
      if (edge <= min) all.length = 0
      all.push(edge)
      if (edge >= max) return all
    }
}
