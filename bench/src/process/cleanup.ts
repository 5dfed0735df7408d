/** What must be undone before the process ends, whatever ends it. */

const EXIT_SIGINT = 130
const EXIT_SIGTERM = 143

/** One Ctrl-C comes more than once: the terminal tells the whole group of processes, and npm passes on what it was told. */
const SAME_SIGNAL_MS = 500

/** Steps that undo something, the last first, each once. */
export class Cleanup {
  #steps: (() => Promise<void>)[] = []
  #endEarly: (() => void) | undefined
  #interrupted: { readonly atMs: number; readonly exitCode: number; readonly early: boolean } | undefined

  /** Whether a signal ends the process: what fails from now on fails because of that. */
  get interrupted(): boolean {
    return this.#interrupted !== undefined && !this.#interrupted.early
  }

  /** The exit code after a signal that the command was told of. */
  get exitCode(): number | undefined {
    return this.#interrupted?.exitCode
  }

  add(step: () => Promise<void>): void {
    this.#steps.push(step)
  }

  /** From now on a signal calls `end`, and the command, which has a result to tell, comes to its end by itself. */
  endEarly(end: () => void): void {
    this.#endEarly = end
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
      const atMs = performance.now()
      if (this.#interrupted !== undefined) {
        if (atMs - this.#interrupted.atMs > SAME_SIGNAL_MS) process.exit(exitCode)
        return
      }
      this.#interrupted = { atMs, exitCode, early: this.#endEarly !== undefined }
      onInterrupt()
      if (this.#endEarly !== undefined) this.#endEarly()
      else void this.run().then(() => process.exit(exitCode))
    }
    process.on('SIGINT', () => end(EXIT_SIGINT))
    process.on('SIGTERM', () => end(EXIT_SIGTERM))
  }
}
