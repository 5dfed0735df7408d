import { PoolError } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'

/** What the code says when it refuses an option; '' if it does not. Whatever else it throws is thrown. */
export function refusalOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (PoolError.is(error) && error.code === 'BAD_OPTION') return error.message
    throw error
  }
  return ''
}

/** The same where it has to refuse. */
export function complaint(action: () => unknown): string {
  const message = refusalOf(action)
  assert.is.not(message, '', 'was accepted')
  return message
}
