/** What must be undone before the process ends, whatever ends it. */

const EXIT_SIGINT = 130
const EXIT_SIGTERM = 143

/** Steps that undo something, the last first, each once. */
export class Cleanup {
  #steps: (() => Promise<void>)[] = []
  #interrupted = false

  /** Whether a signal ends the process: what fails from now on fails because of that. */
  get interrupted(): boolean {
    return this.#interrupted
  }

  add(step: () => Promise<void>): void {
    this.#steps.push(step)
  }

  /** Undoes everything. A step that fails is told of, and the others are still taken. */
  async run(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step()
      } catch (error) {
        process.stderr.write(`while cleaning up: ${error instanceof Error ? error.message : String(error)}\n`)
      }
    }
  }

  /** Ctrl-C and a polite kill run the steps and end the process; a second Ctrl-C ends it at once. */
  endOnSignals(onInterrupt: () => void): void {
    const end = (exitCode: number) => {
      if (this.#interrupted) process.exit(exitCode)
      this.#interrupted = true
      onInterrupt()
      void this.run().then(() => process.exit(exitCode))
    }
    process.on('SIGINT', () => end(EXIT_SIGINT))
    process.on('SIGTERM', () => end(EXIT_SIGTERM))
  }
}
