/** Errors as observers may see them: what happened, without the words of a server or of the user's own code, which may quote data. */
import { PoolError, type PoolErrorCode, ReplyError } from '@cenote/pool-worker'

/** Codes whose message, and whose cause, are made of what a server or a module of the user's said. */
const FOREIGN_WORDS: ReadonlySet<PoolErrorCode> = new Set([
  'BAD_REQUEST',
  'AUTH_FAILED',
  'PROTOCOL_ERROR',
  'HOOK_FAILED',
  'HANDLER_FAILED',
  'NOT_CLONEABLE',
  'SHARD_LOST',
  'NO_SHARD',
])

const WITHHELD = 'its text is for its caller alone'

/**
 * An error without data: code, phase, outcome and counts stay, and the cause as far as it comes from the system. What the server said, or
 * what code of the user's threw, keeps its name, its code and the frames of its stack.
 */
export function withoutData(error: unknown): Error {
  if (PoolError.is(error)) {
    const { code, phase, outcome, counts, stalled, oldest, cause } = error
    const foreign = FOREIGN_WORDS.has(code)
    const inner = cause === undefined ? undefined : foreign && !PoolError.is(cause) ? nameOnly(cause) : withoutDataBelow(cause)
    const told = new PoolError(code, foreign ? WITHHELD : error.message, { phase, outcome, counts, stalled, oldest, cause: inner })
    return withFramesOf(error, told)
  }
  return ReplyError.is(error) ? withFramesOf(error, new ReplyError(codeOf(error) ?? 'ERR', WITHHELD)) : nameOnly(error)
}

/** The cause of an error of ours: an error of Node's, of the system's or of OpenSSL's, unless it is another of ours. */
function withoutDataBelow(cause: unknown): unknown {
  return PoolError.is(cause) || ReplyError.is(cause) || !(cause instanceof Error) ? withoutData(cause) : cause
}

function nameOnly(error: unknown): Error {
  const plain = new Error(WITHHELD)
  const code = codeOf(error)
  if (error instanceof Error && /^\w{1,40}$/.test(error.name)) plain.name = error.name
  return withFramesOf(error, code === undefined ? plain : Object.assign(plain, { code }))
}

/** Gives an error the frames of another, which tell where it was thrown and hold no data; not the words above them. */
function withFramesOf<T extends Error>(other: unknown, error: T): T {
  const { message, stack = '' } = other instanceof Error ? other : error
  const at = stack.indexOf(message)
  const below = at < 0 ? [] : stack.slice(at + message.length).split('\n')
  const frames = below.filter((line) => line.startsWith('    at '))
  Object.defineProperty(error, 'stack', {
    value: [`${error.name}: ${error.message}`, ...frames].join('\n'),
    configurable: true,
    writable: true,
  })
  return error
}

/** An error's code, if it looks like one. */
function codeOf(error: unknown): string | undefined {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{0,40}$/.test(code) ? code : undefined
}
