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
 * what code of the user's threw, keeps its name, its code and the frames of its stack. A message that quotes such words is withheld too.
 */
export function withoutData(error: unknown): Error {
  if (PoolError.is(error)) {
    const { code, phase, outcome, counts, stalled, oldest, cause } = error
    const foreign = FOREIGN_WORDS.has(code)
    const inner = cause === undefined ? undefined : foreign && !PoolError.is(cause) ? nameOnly(cause) : withoutDataBelow(code, cause)
    const message = foreign || quotes(error.message, code, cause) ? WITHHELD : error.message
    return withFramesOf(error, new PoolError(code, message, { phase, outcome, counts, stalled, oldest, cause: inner }))
  }
  return ReplyError.is(error) ? withFramesOf(error, new ReplyError(codeOf(error) ?? 'ERR', WITHHELD)) : nameOnly(error)
}

/** The cause of an error of ours: as it is if Node, the system or OpenSSL has made it. */
function withoutDataBelow(above: PoolErrorCode, cause: unknown): unknown {
  return isOfSystem(above, cause) ? cause : withoutData(cause)
}

/** Whether a message repeats the words of an error below it that are not for observers. */
function quotes(message: string, above: PoolErrorCode, cause: unknown): boolean {
  if (cause === undefined || isOfSystem(above, cause)) return false
  const words = cause instanceof Error ? cause.message : String(cause)
  const code = PoolError.is(cause) ? cause.code : undefined
  if (words !== '' && (code === undefined || FOREIGN_WORDS.has(code)) && message.includes(words)) return true
  return cause instanceof Error && quotes(message, code ?? above, cause.cause)
}

/**
 * Whether Node, the system or OpenSSL has made a cause. What the system says names its call; an errno alone does not do, for libraries of
 * databases give one to what their server said. Below TLS_REJECTED there is nothing else.
 */
function isOfSystem(above: PoolErrorCode, cause: unknown): boolean {
  if (!(cause instanceof Error) || PoolError.is(cause) || ReplyError.is(cause)) return false
  if (cause instanceof AggregateError) return cause.errors.every((error) => isOfSystem(above, error))
  const { syscall, code } = cause as { syscall?: unknown; code?: unknown }
  return above === 'TLS_REJECTED' || typeof syscall === 'string' || /^ERR_(?:TLS|SSL|OSSL|STREAM|SOCKET)_/.test(String(code))
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
