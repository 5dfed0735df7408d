/** Which word was probably meant. */

/** The word among `words` that needs the fewest edits, if so few that it may be meant. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  let best: string | undefined
  let fewest = Math.min(4, Math.floor(word.length / 3) + 1)
  for (const candidate of words) {
    const edits = distance(word.toLowerCase(), candidate.toLowerCase())
    if (edits < fewest) [best, fewest] = [candidate, edits]
  }
  return best
}

/** Levenshtein's distance, in one row. */
function distance(a: string, b: string): number {
  if (a.length > 64) return a.length
  const row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    let diagonal = i - 1
    row[0] = i
    for (let j = 1; j <= b.length; j++) {
      // In range: j runs from 1 to the row's last index.
      const above = row[j] as number
      const left = row[j - 1] as number
      row[j] = Math.min(above + 1, left + 1, diagonal + (a[i - 1] === b[j - 1] ? 0 : 1))
      diagonal = above
    }
  }
  return row[b.length] as number
}
