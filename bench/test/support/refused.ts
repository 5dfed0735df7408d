/** Mistakes of the user's. */
import * as assert from 'uvu/assert'
import { UsageError } from '../../src/process/command.ts'

/** The text of the UsageError that a function must throw. */
export function refused(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    assert.instance(error, UsageError)
    return (error as UsageError).message // asserted above
  }
  throw new Error('nothing was refused')
}
