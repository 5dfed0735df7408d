import { PoolError } from '@cenote/pool-worker'

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
