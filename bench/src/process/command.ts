/** The frame of a command: signals, clean-up, errors as one line, exit codes. */
import { Cleanup } from './cleanup.ts'

const EXIT_CANNOT = 2

/** A mistake of the user's or of the surroundings: told in one line, without a stack. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Runs a command; `work` gives the exit code. */
export async function runCommand(name: string, work: (cleanup: Cleanup) => Promise<number>): Promise<void> {
  const cleanup = new Cleanup()
  cleanup.endOnSignals(() => process.stderr.write('\ninterrupted\n'))
  try {
    const exitCode = await work(cleanup)
    process.exitCode = cleanup.exitCode ?? exitCode
  } catch (error) {
    if (cleanup.interrupted) return
    const text =
      error instanceof UsageError || !(error instanceof Error) ? String(error instanceof Error ? error.message : error) : error.stack
    process.stderr.write(`${name}: ${text}\n`)
    process.exitCode = EXIT_CANNOT
  } finally {
    if (!cleanup.interrupted) await cleanup.run()
  }
}

/** `parseArgs` says what is wrong with its arguments by an error with such a code. */
export function parsed<T>(name: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}\nSee ${name} --help`)
  }
}

/** Reads a flag that must be a whole number of at least 1. */
export function wholeNumber(flag: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > 10_000)
    throw new UsageError(`--${flag} must be a whole number from 1 to 10000, not ${JSON.stringify(text)}`)
  return value
}
