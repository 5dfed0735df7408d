/** A live line on a terminal; plain lines elsewhere. */

/** Tells how far the work is. */
export class Progress {
  #stream: NodeJS.WriteStream
  #live: boolean
  #shown = false

  constructor(stream: NodeJS.WriteStream = process.stdout) {
    this.#stream = stream
    this.#live = stream.isTTY === true && process.env.TERM !== 'dumb'
  }

  /** Shows a passing state: on a terminal it takes the place of the last one, elsewhere it is not shown. */
  update(text: string): void {
    if (!this.#live) return
    const columns = this.#stream.columns || 80
    this.#stream.write(`\r\x1b[K${text.slice(0, columns - 1)}`)
    this.#shown = true
  }

  /** A step is done: one line where there is no terminal, a passing state where there is one. */
  step(text: string): void {
    if (this.#live) this.update(text)
    else this.#stream.write(`${text}\n`)
  }

  /** Writes lines that stay. */
  print(text: string): void {
    this.clear()
    this.#stream.write(`${text}\n`)
  }

  /** Removes the passing state. */
  clear(): void {
    if (this.#shown) this.#stream.write('\r\x1b[K')
    this.#shown = false
  }
}

/** Bold on a terminal; `NO_COLOR` (https://no-color.org) and pipes get the bare text. */
export function bold(text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb' ? `\x1b[1m${text}\x1b[22m` : text
}
